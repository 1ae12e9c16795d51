SELECT first, ingestion, events
FROM log_chunks
WHERE stream = $1 AND first < $2 AND last_time >= $3 AND first_time < $4
ORDER BY first DESC
LIMIT $5
