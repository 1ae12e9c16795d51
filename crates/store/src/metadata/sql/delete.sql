DELETE FROM {table} WHERE key = $1 AND version = $2
