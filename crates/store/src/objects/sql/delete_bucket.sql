DELETE FROM buckets WHERE id = ?1
