SELECT name, created, stored_bytes, retention_days FROM log_groups WHERE name > $1
