//! Waits for the end of processing jobs.
//!
//! A wait owns nothing: given up at any point, it leaves the job as it is, and may be begun again.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Progress, Session};
use crate::processing::ProcessingJobStatus;
use crate::{Error, Result};

/// What Python waits between two looks at a job.
const PAUSE: u64 = 5;
/// What it waits between two readings of a log.
const PAUSE_WITH_LOGS: u64 = 10;
/// How many readings of its log there are between two looks at a job.
const READINGS_BETWEEN_LOOKS: u32 = 3;
/// How long a refusal may last that comes from permissions which have not spread yet.
const PATIENCE: Duration = Duration::from_mins(5);

/// How a job goes, as far as a wait is concerned.
pub(super) struct Look {
    status: ProcessingJobStatus,
    failure_reason: Option<String>,
    /// How many machines it has, each with a stream of its log.
    pub instance_count: u64,
}

impl Session {
    /// Waits for the end of a job.
    ///
    /// # Errors
    /// [`Error::UnexpectedStatus`] when it failed. One that was stopped is no error, as in Python.
    pub(crate) async fn wait_for_processing_job(&self, job_name: &str) -> Result<()> {
        loop {
            let look = self.look_after_pause(job_name, PAUSE).await?;
            if !look.is_running() {
                return look.into_result(job_name);
            }
        }
    }

    /// Tells the lines of a job's log: those that are there, or with `wait` all of them until its end, for which it waits.
    ///
    /// # Errors
    /// As of [`Self::wait_for_processing_job`] with `wait`; without, none that the job itself is the cause of.
    pub(crate) async fn logs_for_processing_job(&self, job_name: &str, wait: bool) -> Result<()> {
        let mut look = self.look_after_pause(job_name, PAUSE_WITH_LOGS).await?;
        let mut log = super::logs::JobLog::new(job_name);
        let was_running = wait && !look.has_ended();
        while wait && !look.has_ended() {
            for _ in 0..READINGS_BETWEEN_LOOKS {
                log.tell_news(self, look.instance_count).await?;
                self.pause(PAUSE_WITH_LOGS).await;
            }
            look = self.look(job_name).await?;
        }
        log.tell_news(self, look.instance_count).await?;
        if was_running {
            // Lines may be on their way when the job has ended.
            self.pause(PAUSE_WITH_LOGS).await;
            log.tell_news(self, look.instance_count).await?;
        }
        if wait { look.into_result(job_name) } else { Ok(()) }
    }

    /// The first look at a job, after a pause. Refused access is waited out, as roles and tags take a while to spread.
    async fn look_after_pause(&self, job_name: &str, seconds: u64) -> Result<Look> {
        let started = Instant::now();
        loop {
            self.pause(seconds).await;
            match self.look(job_name).await {
                Err(error) if error.code() == Some("AccessDeniedException") && started.elapsed() < PATIENCE => {}
                other => return other,
            }
        }
    }

    async fn look(&self, job_name: &str) -> Result<Look> {
        let name = json!({ "ProcessingJobName": job_name });
        let description = self.sagemaker("DescribeProcessingJob", job_name, &name).await?;
        let Some(status) = description.get("ProcessingJobStatus").and_then(Value::as_str) else {
            return Err(Error::Answer {
                operation: "DescribeProcessingJob",
                resource: job_name.to_owned(),
                reason: "the answer has no ProcessingJobStatus".to_owned(),
            });
        };
        self.tell(Progress::Status { resource: &format!("processing job {job_name}"), status });
        Ok(Look {
            status: ProcessingJobStatus::from(status),
            failure_reason: description.get("FailureReason").and_then(Value::as_str).map(str::to_owned),
            instance_count: description
                .pointer("/ProcessingResources/ClusterConfig/InstanceCount")
                .and_then(Value::as_u64)
                .unwrap_or(1),
        })
    }
}

impl Look {
    /// Whether there is an end to wait for.
    fn is_running(&self) -> bool {
        matches!(self.status, ProcessingJobStatus::InProgress | ProcessingJobStatus::Stopping)
            || self.status.as_str() == "Starting"
    }

    /// Whether its log will get no more lines.
    fn has_ended(&self) -> bool {
        use ProcessingJobStatus::{Completed, Failed, Stopped};
        matches!(self.status, Completed | Failed | Stopped)
    }

    fn into_result(self, job_name: &str) -> Result<()> {
        match self.status {
            ProcessingJobStatus::Completed | ProcessingJobStatus::Stopped => Ok(()),
            status => Err(Error::UnexpectedStatus {
                resource: format!("processing job {job_name}"),
                allowed_statuses: vec!["Completed", "Stopped"],
                actual_status: status.to_string(),
                failure_reason: self.failure_reason,
            }),
        }
    }
}
