DELETE FROM pieces WHERE object = ?1 RETURNING blob
