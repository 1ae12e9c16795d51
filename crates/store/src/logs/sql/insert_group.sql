INSERT INTO log_groups (name, created, stored_bytes) VALUES ($1, $2, 0) ON CONFLICT (name) DO NOTHING
