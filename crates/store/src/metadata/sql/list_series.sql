-- ?4 is a JSON array of [name, value], the value null where any will do.
SELECT id, namespace, metric, dimensions
FROM metric_series
WHERE
    id > ?1
    AND (?2 IS NULL OR namespace = ?2)
    AND (?3 IS NULL OR metric = ?3)
    AND NOT EXISTS (
        SELECT 1
        FROM json_each(?4) AS wanted
        WHERE NOT EXISTS (
            SELECT 1
            FROM json_each(metric_series.dimensions) AS dimension
            WHERE
                dimension.value ->> 0 = wanted.value ->> 0
                AND (wanted.value ->> 1 IS NULL OR dimension.value ->> 1 = wanted.value ->> 1)
        )
    )
ORDER BY id
LIMIT ?5
