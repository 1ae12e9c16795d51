-- Executions that were made long before or after the moment that they were scheduled for: a page of some scheduled times in the
-- order of creation is looked for among these, and among all that were made at about those times.
CREATE INDEX executions_made_elsewhen ON executions (created, key) WHERE abs(created - scheduled) > 600000;
