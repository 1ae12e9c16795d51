SELECT id, namespace, metric, dimensions
FROM metric_series
WHERE id > $1 AND ($2 IS NULL OR namespace = $2) AND ($3 IS NULL OR metric = $3)
ORDER BY id
LIMIT $4
