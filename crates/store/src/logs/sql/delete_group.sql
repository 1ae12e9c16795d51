DELETE FROM log_groups WHERE id = $1
