SELECT object.id, object.size, object.etag, object.modified, object.attributes, object.data_key
FROM buckets AS bucket
INNER JOIN objects AS object ON object.bucket = bucket.id
WHERE bucket.name = ?1 AND object.key = ?2
