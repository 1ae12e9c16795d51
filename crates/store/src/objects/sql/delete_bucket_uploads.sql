DELETE FROM uploads WHERE bucket = ?1
