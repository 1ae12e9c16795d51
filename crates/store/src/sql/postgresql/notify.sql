-- Nobody waits for it to be durable, and so those who notify, one after the other, hardly wait for each other.
SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, current_setting('watchkeeper.process') || ' ' || $2)
