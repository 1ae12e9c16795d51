DELETE FROM metric_series
WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM metric_data WHERE series = $1)
