UPDATE log_streams
SET
    stored_bytes = stored_bytes - $2,
    first_event = (SELECT min(first_time) FROM log_chunks WHERE stream = $1),
    last_event = CASE WHEN EXISTS (SELECT 1 FROM log_chunks WHERE stream = $1) THEN last_event END
WHERE id = $1
