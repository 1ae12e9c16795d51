SELECT datum.time, datum.unit, datum.sample_count, datum.sum, datum.minimum, datum.maximum
FROM metric_series AS series
INNER JOIN metric_data AS datum ON datum.series = series.id
WHERE
    series.namespace = $1 AND series.metric = $2 AND series.dimensions = $3
    AND datum.time >= $4 AND datum.time < $5
    AND ($6 IS NULL OR datum.unit = $6)
ORDER BY datum.time, datum.rowid
LIMIT $7
