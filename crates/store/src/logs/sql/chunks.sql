SELECT chunk.first_time, chunk.stream, chunk.first, stream.name, chunk.ingestion, chunk.events
FROM log_chunks AS chunk
INNER JOIN log_streams AS stream ON stream.id = chunk.stream
