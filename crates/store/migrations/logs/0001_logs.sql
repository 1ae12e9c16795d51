-- Logs: groups, streams, and chunks of events.

CREATE TABLE log_groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL
) STRICT;

CREATE TABLE log_streams (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    log_group INTEGER NOT NULL,
    name TEXT NOT NULL,
    created INTEGER NOT NULL,
    first_event INTEGER,
    last_event INTEGER,
    last_ingestion INTEGER,
    stored_bytes INTEGER NOT NULL,
    -- The number of the event that comes next.
    next_event INTEGER NOT NULL,
    UNIQUE (log_group, name)
) STRICT;
CREATE INDEX log_streams_by_time ON log_streams (log_group, ifnull(last_event, -1), name);

-- The times of a chunk's events lie within an hour, so that a window of time is found from its first times alone.
CREATE TABLE log_chunks (
    stream INTEGER NOT NULL,
    -- Numbers of the first event, and of the one behind the last.
    first INTEGER NOT NULL,
    behind INTEGER NOT NULL,
    log_group INTEGER NOT NULL,
    first_time INTEGER NOT NULL,
    last_time INTEGER NOT NULL,
    ingestion INTEGER NOT NULL,
    -- A JSON array of [time, message].
    events TEXT NOT NULL,
    PRIMARY KEY (stream, first)
) STRICT;
CREATE INDEX log_chunks_by_time ON log_chunks (log_group, first_time, stream, first);
CREATE INDEX log_chunks_of_stream_by_time ON log_chunks (stream, first_time, first);
