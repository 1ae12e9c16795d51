SELECT key.status, key.body, material.number, material.material
FROM encryption_keys AS key
LEFT JOIN key_materials AS material ON material.key = key.key
WHERE key.key = $1
