-- Everything but objects. Texts compare as bytes; where documents compare them without regard to the case of ASCII
-- letters (`COLLATE "C"` knows no others), it is by `lower(...)`, which their indexes are of. Times are milliseconds since
-- 1970; an empty text and 0 stand for none.

-- Documents: one table for each kind, all alike.
DO $$
DECLARE
    kind text;
BEGIN
    FOREACH kind IN ARRAY ARRAY[
        'models', 'endpoint_configs', 'endpoints', 'processing_jobs', 'transform_jobs', 'async_invocations',
        'job_definitions', 'monitoring_schedules', 'executions', 'alerts', 'alert_changes', 'alarms', 'alarm_changes',
        'dashboards', 'repositories', 'access_keys', 'encryption_keys', 'key_aliases', 'settings'
    ] LOOP
        EXECUTE format(
            'CREATE TABLE %I (
                key text COLLATE "C" PRIMARY KEY,
                version bigint NOT NULL,
                name text COLLATE "C" NOT NULL,
                status text COLLATE "C" NOT NULL,
                monitoring_type text COLLATE "C" NOT NULL,
                endpoint text COLLATE "C" NOT NULL,
                definition text COLLATE "C" NOT NULL,
                schedule text COLLATE "C" NOT NULL,
                created bigint NOT NULL,
                modified bigint NOT NULL,
                scheduled bigint NOT NULL,
                due bigint,
                claimed_by text COLLATE "C" NOT NULL,
                claimed_until bigint NOT NULL,
                body text NOT NULL
            )',
            kind
        );
        EXECUTE format('CREATE INDEX %I ON %I (lower(name), key)', kind || '_by_name', kind);
        EXECUTE format('CREATE INDEX %I ON %I (created, key)', kind || '_by_creation', kind);
        EXECUTE format('CREATE INDEX %I ON %I (due, key) WHERE due IS NOT NULL', kind || '_by_due', kind);
    END LOOP;
END
$$;
CREATE INDEX executions_by_schedule ON executions (lower(schedule), scheduled, key);
CREATE INDEX executions_by_time ON executions (scheduled, key);
CREATE INDEX executions_by_schedule_and_creation ON executions (lower(schedule), created, key);
CREATE INDEX executions_by_endpoint ON executions (lower(endpoint), created, key);
CREATE INDEX executions_by_definition ON executions (lower(definition), created, key);
CREATE INDEX executions_by_type ON executions (lower(monitoring_type), created, key);
CREATE INDEX executions_by_status ON executions (lower(status), created, key);
CREATE INDEX executions_in_order_of_status ON executions (lower(status), key);
CREATE INDEX processing_jobs_in_order_of_status ON processing_jobs (lower(status), key);
CREATE INDEX monitoring_schedules_in_order_of_status ON monitoring_schedules (lower(status), key);
CREATE INDEX monitoring_schedules_by_status ON monitoring_schedules (lower(status), created, key);
CREATE INDEX monitoring_schedules_by_endpoint ON monitoring_schedules (lower(endpoint), created, key);
CREATE INDEX monitoring_schedules_by_definition ON monitoring_schedules (lower(definition), created, key);
CREATE INDEX alerts_by_schedule ON alerts (lower(schedule), scheduled, key);
CREATE INDEX alert_changes_by_schedule ON alert_changes (lower(schedule), scheduled, key);
-- Jobs that clients asked for, newest first, among many more that schedules did.
CREATE INDEX processing_jobs_by_schedule ON processing_jobs (lower(schedule), created, key);
-- Jobs that have not ended, among very many that have: how many there are is asked before each new one.
CREATE INDEX processing_jobs_by_status ON processing_jobs (lower(status), created, key);
CREATE INDEX transform_jobs_by_status ON transform_jobs (lower(status), created, key);

-- Metrics: data of series.
CREATE TABLE metric_series (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace text COLLATE "C" NOT NULL,
    metric text COLLATE "C" NOT NULL,
    -- A JSON array of [name, value], sorted by name.
    dimensions text COLLATE "C" NOT NULL,
    UNIQUE (namespace, metric, dimensions)
);

CREATE TABLE metric_data (
    rowid bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series bigint NOT NULL,
    time bigint NOT NULL,
    unit text COLLATE "C" NOT NULL,
    -- What is not a number is greater than all numbers here.
    sample_count double precision NOT NULL CHECK (sample_count <= 'Infinity'),
    sum double precision NOT NULL CHECK (sum <= 'Infinity'),
    minimum double precision NOT NULL CHECK (minimum <= 'Infinity'),
    maximum double precision NOT NULL CHECK (maximum <= 'Infinity')
);
CREATE INDEX metric_data_by_time ON metric_data (series, time, rowid);

-- Materials of KMS keys, counted from 1, wrapped by the master key; they go with their key's document.
CREATE TABLE key_materials (
    key text COLLATE "C" NOT NULL REFERENCES encryption_keys ON DELETE CASCADE,
    number bigint NOT NULL,
    material bytea NOT NULL,
    PRIMARY KEY (key, number)
);

-- A text that the master key has sealed: whoever opens the database tells by it whether his is the same.
CREATE TABLE master_key (
    id bigint PRIMARY KEY CHECK (id = 1),
    proof bytea NOT NULL
);

-- Logs: groups, streams, and chunks of events.
CREATE TABLE log_groups (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    created bigint NOT NULL,
    stored_bytes bigint NOT NULL,
    -- After how many days events are removed; none: as the service says for all groups that say nothing.
    retention_days bigint
);

CREATE TABLE log_streams (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    log_group bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    created bigint NOT NULL,
    first_event bigint,
    last_event bigint,
    last_ingestion bigint,
    stored_bytes bigint NOT NULL,
    -- The number of the event that comes next.
    next_event bigint NOT NULL,
    UNIQUE (log_group, name)
);
CREATE INDEX log_streams_by_time ON log_streams (log_group, coalesce(last_event, -1), name);

-- The times of a chunk's events lie within an hour, so that a window of time is found from its first times alone.
CREATE TABLE log_chunks (
    stream bigint NOT NULL,
    -- Numbers of the first event, and of the one behind the last.
    first bigint NOT NULL,
    behind bigint NOT NULL,
    log_group bigint NOT NULL,
    first_time bigint NOT NULL,
    last_time bigint NOT NULL,
    ingestion bigint NOT NULL,
    -- A JSON array of [time, message]; the messages may hold what no text of PostgreSQL can, so it is never read as JSON.
    events text NOT NULL,
    PRIMARY KEY (stream, first)
);
CREATE INDEX log_chunks_by_time ON log_chunks (log_group, first_time, stream, first);
CREATE INDEX log_chunks_of_stream_by_time ON log_chunks (stream, first_time, first);
