SELECT id, next_event FROM log_streams WHERE log_group = $1 AND name = $2
