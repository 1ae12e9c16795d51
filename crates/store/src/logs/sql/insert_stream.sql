INSERT INTO log_streams (log_group, name, created, stored_bytes, next_event)
VALUES ($1, $2, $3, 0, 0)
ON CONFLICT (log_group, name) DO NOTHING
