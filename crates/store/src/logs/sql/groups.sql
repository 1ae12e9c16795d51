SELECT name, created, stored_bytes
FROM log_groups
WHERE name >= ?1 AND name < CAST(?2 AS TEXT) AND name > ?3
ORDER BY name
LIMIT ?4
