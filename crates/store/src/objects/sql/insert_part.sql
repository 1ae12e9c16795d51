INSERT INTO parts (upload, number, size, etag, modified, checksums, blob, data_key)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
