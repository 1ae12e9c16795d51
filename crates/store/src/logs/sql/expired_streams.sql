-- Streams without events, made and written to so long ago. Parameters as in expired_chunks.sql.
SELECT stream.id
FROM log_groups AS owner
INNER JOIN log_streams AS stream ON stream.log_group = owner.id
WHERE
    {last_event} = -1
    AND stream.created < $1 - coalesce(owner.retention_days, $2) * $3
    AND coalesce(stream.last_ingestion, 0) < $1 - coalesce(owner.retention_days, $2) * $3
LIMIT $4
