-- A key has several materials, one after each rotation. They go with the key's document, whose member `material` is the
-- number of the current one, 1 where there is none.

CREATE TABLE key_materials (
    key TEXT NOT NULL,
    -- Counted from 1.
    number INTEGER NOT NULL,
    -- Wrapped by the master key.
    material BLOB NOT NULL,
    PRIMARY KEY (key, number)
) STRICT, WITHOUT ROWID;

INSERT INTO key_materials (key, number, material)
SELECT key, 1, material FROM key_material;

DROP TRIGGER encryption_key_deleted;
DROP TABLE key_material;

CREATE TRIGGER encryption_key_deleted AFTER DELETE ON encryption_keys BEGIN
    DELETE FROM key_materials WHERE key = OLD.key;
END;

-- A text that is sealed by the master key: what tells at every start whether it is the right one.
CREATE TABLE master_key (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    proof BLOB NOT NULL
) STRICT;

-- When a key is deleted was looked at when somebody asked for it; now it is due then.
UPDATE encryption_keys
SET due = cast(json_extract(body, '$.deletion') * 1000 AS INTEGER)
WHERE json_extract(body, '$.deletion') IS NOT NULL;
