INSERT INTO pieces (object, number, blob, size, data_key) VALUES (?1, 1, ?2, ?3, ?4)
