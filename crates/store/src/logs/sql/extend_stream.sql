UPDATE log_streams
SET
    next_event = ?2,
    first_event = min(ifnull(first_event, ?3), ?3),
    last_event = max(ifnull(last_event, ?4), ?4),
    last_ingestion = ?5,
    stored_bytes = stored_bytes + ?6
WHERE id = ?1
