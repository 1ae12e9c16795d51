SELECT cast(current_setting('server_version_num') AS bigint), current_setting('server_encoding')
