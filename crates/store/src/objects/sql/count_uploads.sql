SELECT count(*) FROM uploads
