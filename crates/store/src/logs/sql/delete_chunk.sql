DELETE FROM log_chunks
WHERE stream = $1 AND first = $2
RETURNING log_group, events
