-- $1 is the owner, $2 a JSON array of statuses, $3 until when, $4 this moment.
UPDATE {table}
SET version = version + 1, claimed_by = $1, claimed_until = $3
WHERE key IN (
    SELECT key
    FROM {table}
    WHERE
        due <= $4
        AND (claimed_by = '' OR claimed_by = $1 OR claimed_until <= $4)
        AND (json_array_length($2) = 0 OR status IN (SELECT value FROM json_each($2)))
    ORDER BY due, key
    LIMIT $5
)
RETURNING
    key, version, name, status, monitoring_type, endpoint, definition, schedule, created, modified, scheduled, due,
    claimed_by, claimed_until, body
