DELETE FROM log_streams
WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM log_chunks WHERE stream = $1)
