DELETE FROM log_streams WHERE log_group = $1
