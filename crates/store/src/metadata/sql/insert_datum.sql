INSERT INTO metric_data (series, time, unit, sample_count, sum, minimum, maximum)
SELECT id, $4, $5, $6, $7, $8, $9
FROM metric_series
WHERE namespace = $1 AND metric = $2 AND dimensions = $3
