SELECT id FROM metric_series WHERE id = $1
