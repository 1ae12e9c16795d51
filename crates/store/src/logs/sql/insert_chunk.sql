INSERT INTO log_chunks (stream, first, behind, log_group, first_time, last_time, ingestion, events)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
