SELECT id, etag FROM objects WHERE bucket = ?1 AND key = ?2
