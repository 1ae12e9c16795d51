UPDATE master_key SET proof = $1
