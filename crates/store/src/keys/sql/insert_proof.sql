INSERT INTO master_key (id, proof) VALUES (1, $1) ON CONFLICT (id) DO NOTHING
