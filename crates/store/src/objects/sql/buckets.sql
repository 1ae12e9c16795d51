SELECT name, region, created, settings FROM buckets WHERE ?1 IS NULL OR name = ?1 ORDER BY name
