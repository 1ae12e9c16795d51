INSERT OR IGNORE INTO key_material (key, material)
SELECT key, ?2 FROM encryption_keys WHERE key = ?1
