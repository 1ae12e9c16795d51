SELECT stream.name, chunk.ingestion, chunk.events
FROM log_chunks AS chunk
INNER JOIN log_streams AS stream ON stream.id = chunk.stream
WHERE chunk.stream = ?1 AND chunk.first = ?2
