DELETE FROM objects WHERE id = ?1 RETURNING bucket, key, size, etag, modified, attributes
