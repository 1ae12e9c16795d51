-- ?1 is a JSON array of streams, ?2 the first time, ?3 the same less the longest span of a chunk.
SELECT first_time, stream, first
FROM log_chunks
WHERE stream IN (SELECT value FROM json_each(?1)) AND first_time >= ?3 AND first_time < ?4 AND last_time >= ?2
ORDER BY first_time, stream, first
LIMIT ?5
