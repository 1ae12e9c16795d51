DELETE FROM log_chunks WHERE log_group = ?1
