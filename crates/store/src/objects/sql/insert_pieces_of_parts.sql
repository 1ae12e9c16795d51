-- ?3 is a JSON array of numbers.
INSERT INTO pieces (object, number, blob, size, data_key)
SELECT ?1, number, blob, size, data_key
FROM parts
WHERE upload = ?2 AND number IN (SELECT value FROM json_each(?3))
