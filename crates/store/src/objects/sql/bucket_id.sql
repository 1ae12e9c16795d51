SELECT id FROM buckets WHERE name = ?1
