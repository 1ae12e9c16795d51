//! Executions of monitoring schedules.

use std::ops::Deref;

use super::baselining_job::{is_missing, read_file_of, why_missing};
use super::{ConstraintViolations, ModelMonitoringFile, Statistics};
use crate::documents::Body;
use crate::processing::{ProcessingInput, ProcessingJob, ProcessingOutput};
use crate::request::{awaitable, setters};
use crate::{Error, Result, Session};

/// An execution of a schedule: a [`ProcessingJob`], whose calls it has, and the files it writes.
#[derive(Clone, Debug)]
pub struct MonitoringExecution {
    job: ProcessingJob,
}

/// An execution of a schedule of SageMaker Clarify, which has no statistics.
#[derive(Clone, Debug)]
pub struct ClarifyMonitoringExecution {
    job: ProcessingJob,
}

/// What is made of the job of an execution.
pub(super) trait Execution {
    /// The execution whose job this is.
    fn of_job(job: ProcessingJob) -> Self;
}

macro_rules! execution {
    ($name:ident) => {
        impl $name {
            /// An execution by the name of its job and what that was started with. Sends nothing.
            pub fn new(
                session: &Session,
                job_name: impl Into<String>,
                inputs: Vec<ProcessingInput>,
                output: ProcessingOutput,
            ) -> Self {
                Self { job: ProcessingJob::new(session, job_name, inputs, vec![output]) }
            }

            /// The key its output is encrypted with.
            #[must_use]
            pub fn output_kms_key(mut self, key: impl Into<String>) -> Self {
                self.job = self.job.output_kms_key(key);
                self
            }

            /// An execution by the ARN of its job; the service is asked for the rest.
            pub async fn from_processing_arn(session: &Session, processing_job_arn: &str) -> Result<Self> {
                Ok(Self { job: execution_job(session, processing_job_arn).await? })
            }

            /// What comes out.
            pub fn output(&self) -> &ProcessingOutput {
                // Every constructor of this type puts one there.
                &self.job.outputs()[0]
            }

            /// Reads the violations it found; none when it completed without any.
            ///
            /// # Errors
            /// [`Error::UnexpectedStatus`] when there is no such file because the job is not completed.
            pub fn constraint_violations(&self) -> ExecutionConstraintViolations<'_> {
                ExecutionConstraintViolations { job: &self.job, file_name: None, kms_key: None }
            }
        }

        impl Execution for $name {
            fn of_job(job: ProcessingJob) -> Self {
                Self { job }
            }
        }

        impl Deref for $name {
            type Target = ProcessingJob;

            fn deref(&self) -> &ProcessingJob {
                &self.job
            }
        }
    };
}

execution!(MonitoringExecution);
execution!(ClarifyMonitoringExecution);

impl MonitoringExecution {
    /// Reads the statistics it wrote; none when it completed without any.
    ///
    /// # Errors
    /// [`Error::UnexpectedStatus`] when there is no such file because the job is not completed.
    pub fn statistics(&self) -> ExecutionStatistics<'_> {
        ExecutionStatistics { job: &self.job, file_name: None, kms_key: None }
    }
}

/// The job of an execution, whose first output is what counts.
pub(super) async fn execution_job(session: &Session, processing_job_arn: &str) -> Result<ProcessingJob> {
    let mut job = ProcessingJob::from_processing_arn(session, processing_job_arn).await?;
    if job.outputs.is_empty() {
        return Err(Error::Answer {
            operation: "DescribeProcessingJob",
            resource: job.job_name,
            reason: "an execution of a schedule has an output, and this job has none".to_owned(),
        });
    }
    job.outputs.truncate(1);
    Ok(job)
}

/// Reads statistics when it is awaited: [`MonitoringExecution::statistics`].
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct ExecutionStatistics<'a> {
    job: &'a ProcessingJob,
    file_name: Option<String>,
    kms_key: Option<String>,
}

impl ExecutionStatistics<'_> {
    setters! {
        /// The name of the file; `statistics.json` by default.
        file_name: String,
        /// The key that the file is encrypted with when it is saved again; S3 needs none to read it.
        kms_key: String,
    }

    async fn send(self) -> Result<Option<Statistics>> {
        read_found(self.job, self.file_name.as_deref(), self.kms_key).await
    }
}

awaitable!(ExecutionStatistics => Option<Statistics>);

/// Reads violations when it is awaited: [`MonitoringExecution::constraint_violations`].
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct ExecutionConstraintViolations<'a> {
    job: &'a ProcessingJob,
    file_name: Option<String>,
    kms_key: Option<String>,
}

impl ExecutionConstraintViolations<'_> {
    setters! {
        /// The name of the file; `constraint_violations.json` by default.
        file_name: String,
        /// The key that the file is encrypted with when it is saved again; S3 needs none to read it.
        kms_key: String,
    }

    async fn send(self) -> Result<Option<ConstraintViolations>> {
        read_found(self.job, self.file_name.as_deref(), self.kms_key).await
    }
}

awaitable!(ExecutionConstraintViolations => Option<ConstraintViolations>);

/// Reads what the job of an execution found. A file that a completed job did not write is none, any other missing file an error.
pub(super) async fn read_found<B: Body>(
    job: &ProcessingJob,
    file_name: Option<&str>,
    kms_key: Option<String>,
) -> Result<Option<ModelMonitoringFile<B>>> {
    match read_file_of(job, file_name, kms_key).await {
        Ok(file) => Ok(Some(file)),
        Err(error) if is_missing(&error) => match why_missing(job, error).await? {
            error if is_missing(&error) => Ok(None),
            error => Err(error),
        },
        Err(error) => Err(error),
    }
}
