UPDATE access_keys SET body = $2, version = version + 1 WHERE key = $1
