SELECT proof FROM master_key
