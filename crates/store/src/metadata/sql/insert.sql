INSERT INTO {table} (
    key, version, name, status, monitoring_type, endpoint, definition, schedule, created, modified, scheduled, due,
    claimed_by, claimed_until, body
)
VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (key) DO NOTHING
