SELECT count(*) FROM buckets
