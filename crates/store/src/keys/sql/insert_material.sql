INSERT INTO key_materials (key, number, material)
SELECT key, $2, $3
FROM encryption_keys
WHERE key = $1
ON CONFLICT (key, number) DO NOTHING
