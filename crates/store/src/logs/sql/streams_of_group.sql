SELECT id FROM log_streams WHERE log_group = $1
