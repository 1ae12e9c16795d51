-- $1 is the owner, $2 a JSON array of statuses, $3 until when, $4 this moment. What somebody else is just changing is
-- left out: it may be claimed when that is done. Materialized, as the rows would else be looked for, and locked, again.
WITH free AS MATERIALIZED (
    SELECT key
    FROM {table}
    WHERE
        due <= $4
        AND (claimed_by = '' OR claimed_by = $1 OR claimed_until <= $4)
        AND (
            json_array_length(cast($2 AS json)) = 0
            OR lower(status) IN (SELECT json_array_elements_text(cast($2 AS json)) COLLATE "C")
        )
    ORDER BY due, key
    LIMIT $5
    FOR UPDATE SKIP LOCKED
)
UPDATE {table} AS document
SET version = document.version + 1, claimed_by = $1, claimed_until = $3
FROM free
WHERE document.key = free.key
RETURNING
    document.key, version, name, status, monitoring_type, endpoint, definition, schedule, created, modified, scheduled,
    due, claimed_by, claimed_until, body
