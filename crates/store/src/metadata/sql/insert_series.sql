INSERT OR IGNORE INTO metric_series (namespace, metric, dimensions) VALUES (?1, ?2, ?3)
