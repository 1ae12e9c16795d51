SELECT bytes - ifnull((SELECT size FROM parts WHERE upload = ?1 AND number = ?2), 0) FROM object_usage
