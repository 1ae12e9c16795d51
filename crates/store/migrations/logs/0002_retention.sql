-- After how many days events of a group are removed; none: as the service says for all groups that say nothing.
ALTER TABLE log_groups ADD COLUMN retention_days INTEGER;
