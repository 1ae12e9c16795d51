-- Some at a time: a group may have very many.
DELETE FROM log_chunks
WHERE (stream, first) IN (SELECT stream, first FROM log_chunks WHERE log_group = $1 LIMIT 1000)
