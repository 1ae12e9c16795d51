-- Jobs that have not ended, among very many that have: how many there are is asked before each new one.
CREATE INDEX processing_jobs_by_status ON processing_jobs (status, created, key);
CREATE INDEX transform_jobs_by_status ON transform_jobs (status, created, key);

-- The bytes of all objects and parts, for the quota. One row, kept right by triggers, so that no put adds them all up.
CREATE TABLE object_usage (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    bytes INTEGER NOT NULL
) STRICT;

INSERT INTO object_usage (id, bytes)
SELECT 1, (SELECT ifnull(sum(size), 0) FROM objects) + (SELECT ifnull(sum(size), 0) FROM parts);

CREATE TRIGGER object_inserted AFTER INSERT ON objects BEGIN
    UPDATE object_usage SET bytes = bytes + NEW.size;
END;
CREATE TRIGGER object_deleted AFTER DELETE ON objects BEGIN
    UPDATE object_usage SET bytes = bytes - OLD.size;
END;
CREATE TRIGGER part_inserted AFTER INSERT ON parts BEGIN
    UPDATE object_usage SET bytes = bytes + NEW.size;
END;
CREATE TRIGGER part_deleted AFTER DELETE ON parts BEGIN
    UPDATE object_usage SET bytes = bytes - OLD.size;
END;
