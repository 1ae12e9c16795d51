-- As 0010 of the embedded database.
CREATE INDEX executions_made_elsewhen ON executions (created, key) WHERE abs(created - scheduled) > 600000;
