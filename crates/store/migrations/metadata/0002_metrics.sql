-- Metrics: data of series.

CREATE TABLE metric_series (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL,
    metric TEXT NOT NULL,
    -- A JSON array of [name, value], sorted by name.
    dimensions TEXT NOT NULL,
    UNIQUE (namespace, metric, dimensions)
) STRICT;

CREATE TABLE metric_data (
    series INTEGER NOT NULL,
    time INTEGER NOT NULL,
    unit TEXT NOT NULL,
    sample_count REAL NOT NULL,
    sum REAL NOT NULL,
    minimum REAL NOT NULL,
    maximum REAL NOT NULL
) STRICT;
CREATE INDEX metric_data_by_time ON metric_data (series, time);
