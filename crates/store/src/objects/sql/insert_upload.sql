INSERT INTO uploads (id, bucket, key, initiated, attributes) VALUES (?1, ?2, ?3, ?4, ?5)
