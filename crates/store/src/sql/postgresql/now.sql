SELECT cast(extract(EPOCH FROM clock_timestamp()) * 1000 AS bigint)
