SELECT key, size, etag, modified, attributes
FROM objects
WHERE bucket = ?1 AND key >= ?2 AND key < ?3
ORDER BY key
LIMIT ?4
