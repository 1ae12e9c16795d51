SELECT number, size, etag, modified, checksums, blob
FROM parts
WHERE upload = ?1 AND number > ?2
ORDER BY number
LIMIT ?3
