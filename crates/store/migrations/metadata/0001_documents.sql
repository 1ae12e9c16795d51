-- Documents: one table for each kind, all alike. Texts other than keys compare without regard to case, as the lists of
-- the service do; keys compare as bytes. Times are milliseconds since 1970; an empty text and 0 stand for none.

CREATE TABLE models (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX models_by_name ON models (name, key);
CREATE INDEX models_by_creation ON models (created, key);
CREATE INDEX models_by_due ON models (due, key) WHERE due IS NOT NULL;

CREATE TABLE endpoint_configs (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX endpoint_configs_by_name ON endpoint_configs (name, key);
CREATE INDEX endpoint_configs_by_creation ON endpoint_configs (created, key);
CREATE INDEX endpoint_configs_by_due ON endpoint_configs (due, key) WHERE due IS NOT NULL;

CREATE TABLE endpoints (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX endpoints_by_name ON endpoints (name, key);
CREATE INDEX endpoints_by_creation ON endpoints (created, key);
CREATE INDEX endpoints_by_due ON endpoints (due, key) WHERE due IS NOT NULL;

CREATE TABLE processing_jobs (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX processing_jobs_by_name ON processing_jobs (name, key);
CREATE INDEX processing_jobs_by_creation ON processing_jobs (created, key);
CREATE INDEX processing_jobs_by_due ON processing_jobs (due, key) WHERE due IS NOT NULL;

CREATE TABLE transform_jobs (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX transform_jobs_by_name ON transform_jobs (name, key);
CREATE INDEX transform_jobs_by_creation ON transform_jobs (created, key);
CREATE INDEX transform_jobs_by_due ON transform_jobs (due, key) WHERE due IS NOT NULL;

CREATE TABLE job_definitions (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX job_definitions_by_name ON job_definitions (name, key);
CREATE INDEX job_definitions_by_creation ON job_definitions (created, key);
CREATE INDEX job_definitions_by_due ON job_definitions (due, key) WHERE due IS NOT NULL;

CREATE TABLE monitoring_schedules (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX monitoring_schedules_by_name ON monitoring_schedules (name, key);
CREATE INDEX monitoring_schedules_by_creation ON monitoring_schedules (created, key);
CREATE INDEX monitoring_schedules_by_due ON monitoring_schedules (due, key) WHERE due IS NOT NULL;

CREATE TABLE executions (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX executions_by_name ON executions (name, key);
CREATE INDEX executions_by_creation ON executions (created, key);
CREATE INDEX executions_by_due ON executions (due, key) WHERE due IS NOT NULL;
CREATE INDEX executions_by_schedule ON executions (schedule, scheduled, key);
CREATE INDEX executions_by_time ON executions (scheduled, key);

CREATE TABLE alerts (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX alerts_by_name ON alerts (name, key);
CREATE INDEX alerts_by_creation ON alerts (created, key);
CREATE INDEX alerts_by_due ON alerts (due, key) WHERE due IS NOT NULL;
CREATE INDEX alerts_by_schedule ON alerts (schedule, scheduled, key);

CREATE TABLE alert_changes (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX alert_changes_by_name ON alert_changes (name, key);
CREATE INDEX alert_changes_by_creation ON alert_changes (created, key);
CREATE INDEX alert_changes_by_due ON alert_changes (due, key) WHERE due IS NOT NULL;
CREATE INDEX alert_changes_by_schedule ON alert_changes (schedule, scheduled, key);

CREATE TABLE alarms (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX alarms_by_name ON alarms (name, key);
CREATE INDEX alarms_by_creation ON alarms (created, key);
CREATE INDEX alarms_by_due ON alarms (due, key) WHERE due IS NOT NULL;

CREATE TABLE alarm_changes (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX alarm_changes_by_name ON alarm_changes (name, key);
CREATE INDEX alarm_changes_by_creation ON alarm_changes (created, key);
CREATE INDEX alarm_changes_by_due ON alarm_changes (due, key) WHERE due IS NOT NULL;

CREATE TABLE dashboards (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX dashboards_by_name ON dashboards (name, key);
CREATE INDEX dashboards_by_creation ON dashboards (created, key);
CREATE INDEX dashboards_by_due ON dashboards (due, key) WHERE due IS NOT NULL;

CREATE TABLE repositories (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX repositories_by_name ON repositories (name, key);
CREATE INDEX repositories_by_creation ON repositories (created, key);
CREATE INDEX repositories_by_due ON repositories (due, key) WHERE due IS NOT NULL;

CREATE TABLE access_keys (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX access_keys_by_name ON access_keys (name, key);
CREATE INDEX access_keys_by_creation ON access_keys (created, key);
CREATE INDEX access_keys_by_due ON access_keys (due, key) WHERE due IS NOT NULL;

CREATE TABLE encryption_keys (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX encryption_keys_by_name ON encryption_keys (name, key);
CREATE INDEX encryption_keys_by_creation ON encryption_keys (created, key);
CREATE INDEX encryption_keys_by_due ON encryption_keys (due, key) WHERE due IS NOT NULL;

CREATE TABLE key_aliases (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX key_aliases_by_name ON key_aliases (name, key);
CREATE INDEX key_aliases_by_creation ON key_aliases (created, key);
CREATE INDEX key_aliases_by_due ON key_aliases (due, key) WHERE due IS NOT NULL;

CREATE TABLE settings (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    monitoring_type TEXT NOT NULL COLLATE NOCASE,
    endpoint TEXT NOT NULL COLLATE NOCASE,
    definition TEXT NOT NULL COLLATE NOCASE,
    schedule TEXT NOT NULL COLLATE NOCASE,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    due INTEGER,
    claimed_by TEXT NOT NULL,
    claimed_until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX settings_by_name ON settings (name, key);
CREATE INDEX settings_by_creation ON settings (created, key);
CREATE INDEX settings_by_due ON settings (due, key) WHERE due IS NOT NULL;
