-- Objects. Keys are BLOBs, so that they compare as bytes and may hold any.

CREATE TABLE buckets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    region TEXT NOT NULL,
    created INTEGER NOT NULL,
    -- A JSON object of texts.
    settings TEXT NOT NULL
) STRICT;

-- A row is never changed: what takes an object's place has an id of its own, so that an id stands for one body.
CREATE TABLE objects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket INTEGER NOT NULL,
    key BLOB NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    -- The wrapped data key of a body in this row, where it is encrypted.
    data_key BLOB,
    -- None where the body is in pieces. The last column, so that lists read none of it.
    body BLOB,
    UNIQUE (bucket, key)
) STRICT;

-- The files of bodies that are not in the row, in order.
CREATE TABLE pieces (
    object INTEGER NOT NULL,
    number INTEGER NOT NULL,
    blob TEXT NOT NULL,
    size INTEGER NOT NULL,
    data_key BLOB,
    PRIMARY KEY (object, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE uploads (
    id TEXT NOT NULL PRIMARY KEY,
    bucket INTEGER NOT NULL,
    key BLOB NOT NULL,
    initiated INTEGER NOT NULL,
    attributes TEXT NOT NULL
) STRICT;
CREATE INDEX uploads_by_key ON uploads (bucket, key, id);

CREATE TABLE parts (
    upload TEXT NOT NULL,
    number INTEGER NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified INTEGER NOT NULL,
    -- A JSON object of texts.
    checksums TEXT NOT NULL,
    blob TEXT NOT NULL,
    data_key BLOB,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;
