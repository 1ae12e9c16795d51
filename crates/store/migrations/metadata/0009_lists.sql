-- What lists filter and sort by, where there are very many documents: a page costs the same however many there are.
CREATE INDEX executions_by_schedule_and_creation ON executions (schedule, created, key);
CREATE INDEX executions_by_endpoint ON executions (endpoint, created, key);
CREATE INDEX executions_by_definition ON executions (definition, created, key);
CREATE INDEX executions_by_type ON executions (monitoring_type, created, key);
CREATE INDEX executions_by_status ON executions (status, created, key);
CREATE INDEX executions_in_order_of_status ON executions (status, key);
CREATE INDEX processing_jobs_in_order_of_status ON processing_jobs (status, key);
CREATE INDEX monitoring_schedules_in_order_of_status ON monitoring_schedules (status, key);
CREATE INDEX monitoring_schedules_by_status ON monitoring_schedules (status, created, key);
CREATE INDEX monitoring_schedules_by_endpoint ON monitoring_schedules (endpoint, created, key);
CREATE INDEX monitoring_schedules_by_definition ON monitoring_schedules (definition, created, key);
