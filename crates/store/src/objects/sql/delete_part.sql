DELETE FROM parts WHERE upload = ?1 AND number = ?2 RETURNING blob
