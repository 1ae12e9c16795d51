UPDATE key_materials SET material = $3 WHERE key = $1 AND number = $2
