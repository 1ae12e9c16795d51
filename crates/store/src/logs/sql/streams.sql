SELECT name, created, first_event, last_event, last_ingestion, stored_bytes FROM log_streams
