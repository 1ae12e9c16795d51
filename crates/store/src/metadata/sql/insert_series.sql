INSERT INTO metric_series (namespace, metric, dimensions)
VALUES ($1, $2, $3)
ON CONFLICT (namespace, metric, dimensions) DO NOTHING
