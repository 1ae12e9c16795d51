UPDATE buckets SET settings = ?2 WHERE name = ?1
