SELECT blob, size, data_key FROM pieces WHERE object = ?1 ORDER BY number
