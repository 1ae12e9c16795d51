SELECT key.status, material.material
FROM encryption_keys AS key
LEFT JOIN key_material AS material ON material.key = key.key
WHERE key.key = ?1
