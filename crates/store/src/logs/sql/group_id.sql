SELECT id FROM log_groups WHERE name = $1
