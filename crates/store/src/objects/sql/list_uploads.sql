SELECT key, id, initiated, attributes
FROM uploads
WHERE bucket = ?1 AND key >= ?2 AND key < ?3 AND (key, id) > (?4, ?5)
ORDER BY key, id
LIMIT ?6
