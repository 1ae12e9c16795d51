-- Jobs that clients asked for, newest first, among many more that schedules did.
CREATE INDEX processing_jobs_by_schedule ON processing_jobs (schedule, created, key);
