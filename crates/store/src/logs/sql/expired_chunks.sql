-- $1 is this moment, $2 the days of groups that have none of their own, $3 the milliseconds of a day.
SELECT chunk.stream, chunk.first
FROM log_groups AS owner
INNER JOIN log_chunks AS chunk ON chunk.log_group = owner.id
WHERE
    chunk.first_time < $1 - coalesce(owner.retention_days, $2) * $3
    AND chunk.last_time < $1 - coalesce(owner.retention_days, $2) * $3
LIMIT $4
