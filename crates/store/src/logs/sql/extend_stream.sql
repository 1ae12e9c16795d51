UPDATE log_streams
SET
    next_event = $2,
    first_event = CASE WHEN first_event < $3 THEN first_event ELSE $3 END,
    last_event = CASE WHEN last_event > $4 THEN last_event ELSE $4 END,
    last_ingestion = $5,
    stored_bytes = stored_bytes + $6
WHERE id = $1
