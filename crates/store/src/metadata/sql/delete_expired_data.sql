DELETE FROM metric_data
WHERE rowid IN (SELECT rowid FROM metric_data WHERE series = $1 AND time < $2 LIMIT $3)
