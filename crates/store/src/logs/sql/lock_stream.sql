SELECT id FROM log_streams WHERE id = $1
