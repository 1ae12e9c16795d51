UPDATE log_groups SET retention_days = $2 WHERE name = $1
