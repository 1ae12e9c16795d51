UPDATE {table}
SET
    version = version + 1, name = $2, status = $3, monitoring_type = $4, endpoint = $5, definition = $6, schedule = $7,
    created = $8, modified = $9, scheduled = $10, due = $11, claimed_by = $12, claimed_until = $13, body = $14
WHERE key = $1 AND version = $15
