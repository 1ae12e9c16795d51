SELECT upload.initiated, upload.attributes
FROM buckets AS bucket
INNER JOIN uploads AS upload ON upload.bucket = bucket.id
WHERE bucket.name = ?1 AND upload.key = ?2 AND upload.id = ?3
