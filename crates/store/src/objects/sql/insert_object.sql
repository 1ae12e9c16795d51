INSERT INTO objects (bucket, key, size, etag, modified, attributes, data_key, body)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
