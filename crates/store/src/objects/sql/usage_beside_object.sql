SELECT
    bytes - ifnull(
        (
            SELECT object.size
            FROM buckets AS bucket
            INNER JOIN objects AS object ON object.bucket = bucket.id
            WHERE bucket.name = ?1 AND object.key = ?2
        ),
        0
    )
FROM object_usage
