SELECT min(due)
FROM {table}
WHERE due IS NOT NULL
