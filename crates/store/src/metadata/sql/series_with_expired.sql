SELECT id
FROM metric_series AS series
WHERE EXISTS (SELECT 1 FROM metric_data AS datum WHERE datum.series = series.id AND datum.time < $1)
ORDER BY id
LIMIT $2
