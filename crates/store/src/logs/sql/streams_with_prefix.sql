SELECT id FROM log_streams WHERE log_group = ?1 AND name >= ?2 AND name < CAST(?3 AS TEXT)
