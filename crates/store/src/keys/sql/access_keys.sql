SELECT key, body FROM access_keys
