-- Asynchronous invocations of endpoints, like all documents.
CREATE TABLE async_invocations (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX async_invocations_by_name ON async_invocations (name, key);
CREATE INDEX async_invocations_by_creation ON async_invocations (created, key);
CREATE INDEX async_invocations_by_due ON async_invocations (due, key) WHERE due IS NOT NULL;
