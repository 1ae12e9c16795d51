DELETE FROM parts WHERE upload IN (SELECT id FROM uploads WHERE bucket = ?1) RETURNING blob
