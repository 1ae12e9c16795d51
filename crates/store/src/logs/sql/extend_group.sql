UPDATE log_groups SET stored_bytes = stored_bytes + $2 WHERE id = $1
