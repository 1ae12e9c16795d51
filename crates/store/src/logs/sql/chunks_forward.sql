SELECT first, ingestion, events
FROM log_chunks
WHERE
    stream = $1
    AND first >= coalesce((SELECT max(first) FROM log_chunks WHERE stream = $1 AND first <= $2), 0)
    AND last_time >= $3
    AND first_time < $4
ORDER BY first
LIMIT $5
