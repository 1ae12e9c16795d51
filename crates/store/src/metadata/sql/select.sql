SELECT
    key, version, name, status, monitoring_type, endpoint, definition, schedule, created, modified, scheduled, due,
    claimed_by, claimed_until, body
FROM {table}
