SELECT EXISTS (
    SELECT 1 FROM objects JOIN buckets ON buckets.id = objects.bucket WHERE buckets.name <> ?1
)
