//! Jobs that suggest baselines.

use std::ops::Deref;

use super::{Constraints, ModelMonitoringFile, Statistics};
use crate::documents::Body;
use crate::processing::{ProcessingInput, ProcessingJob, ProcessingJobStatus, ProcessingOutput};
use crate::request::{awaitable, setters};
use crate::{Error, Result, S3Uri, Session};

/// What a job of SageMaker Clarify writes the constraints it suggests to.
pub(super) const CLARIFY_CONSTRAINTS_FILE_NAME: &str = "analysis.json";

/// A job that suggests a baseline: a [`ProcessingJob`], whose calls it has, and the files it writes.
#[derive(Clone, Debug)]
pub struct BaseliningJob {
    job: ProcessingJob,
}

/// A job of SageMaker Clarify that suggests a baseline, which has no statistics.
#[derive(Clone, Debug)]
pub struct ClarifyBaseliningJob {
    job: ProcessingJob,
}

impl BaseliningJob {
    /// A job by its name and what it was started with. Sends nothing.
    pub fn new(
        session: &Session,
        job_name: impl Into<String>,
        inputs: Vec<ProcessingInput>,
        outputs: Vec<ProcessingOutput>,
    ) -> Self {
        Self { job: ProcessingJob::new(session, job_name, inputs, outputs) }
    }

    /// The key its outputs are encrypted with.
    #[must_use]
    pub fn output_kms_key(mut self, key: impl Into<String>) -> Self {
        self.job = self.job.output_kms_key(key);
        self
    }

    /// A job that suggests a baseline.
    pub fn from_processing_job(processing_job: ProcessingJob) -> Self {
        Self { job: processing_job }
    }

    /// Reads the statistics it wrote.
    ///
    /// # Errors
    /// [`Error::UnexpectedStatus`] when there is no such file because the job is not completed.
    pub fn baseline_statistics(&self) -> BaselineStatistics<'_> {
        BaselineStatistics { job: &self.job, file_name: None, kms_key: None }
    }

    /// Reads the constraints it suggests.
    ///
    /// # Errors
    /// [`Error::UnexpectedStatus`] when there is no such file because the job is not completed.
    pub fn suggested_constraints(&self) -> SuggestedConstraints<'_> {
        SuggestedConstraints { job: &self.job, file_name: None, kms_key: None }
    }
}

impl ClarifyBaseliningJob {
    /// A job that suggests a baseline.
    pub fn new(processing_job: ProcessingJob) -> Self {
        Self { job: processing_job }
    }

    /// Reads the constraints it suggests: the analysis of the baseline dataset.
    ///
    /// # Errors
    /// [`Error::UnexpectedStatus`] when there is no such file because the job is not completed.
    pub fn suggested_constraints(&self) -> ClarifySuggestedConstraints<'_> {
        ClarifySuggestedConstraints { job: &self.job, kms_key: None }
    }
}

impl Deref for BaseliningJob {
    type Target = ProcessingJob;

    fn deref(&self) -> &ProcessingJob {
        &self.job
    }
}

impl Deref for ClarifyBaseliningJob {
    type Target = ProcessingJob;

    fn deref(&self) -> &ProcessingJob {
        &self.job
    }
}

/// Reads statistics when it is awaited: [`BaseliningJob::baseline_statistics`].
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct BaselineStatistics<'a> {
    job: &'a ProcessingJob,
    file_name: Option<String>,
    kms_key: Option<String>,
}

impl BaselineStatistics<'_> {
    setters! {
        /// The name of the file; `statistics.json` by default.
        file_name: String,
        /// The key that the file is encrypted with when it is saved again; S3 needs none to read it.
        kms_key: String,
    }

    async fn send(self) -> Result<Statistics> {
        read_suggested(self.job, self.file_name.as_deref(), self.kms_key).await
    }
}

awaitable!(BaselineStatistics => Statistics);

/// Reads constraints when it is awaited: [`BaseliningJob::suggested_constraints`].
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct SuggestedConstraints<'a> {
    job: &'a ProcessingJob,
    file_name: Option<String>,
    kms_key: Option<String>,
}

impl SuggestedConstraints<'_> {
    setters! {
        /// The name of the file; `constraints.json` by default.
        file_name: String,
        /// The key that the file is encrypted with when it is saved again; S3 needs none to read it.
        kms_key: String,
    }

    async fn send(self) -> Result<Constraints> {
        read_suggested(self.job, self.file_name.as_deref(), self.kms_key).await
    }
}

awaitable!(SuggestedConstraints => Constraints);

/// Reads constraints when it is awaited: [`ClarifyBaseliningJob::suggested_constraints`].
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct ClarifySuggestedConstraints<'a> {
    job: &'a ProcessingJob,
    kms_key: Option<String>,
}

impl ClarifySuggestedConstraints<'_> {
    setters! {
        /// The key that the file is encrypted with when it is saved again; S3 needs none to read it.
        kms_key: String,
    }

    async fn send(self) -> Result<Constraints> {
        read_suggested(self.job, Some(CLARIFY_CONSTRAINTS_FILE_NAME), self.kms_key).await
    }
}

awaitable!(ClarifySuggestedConstraints => Constraints);

/// Reads what a baselining job suggests. A file that is missing is an error, which says so when the job is not completed.
pub(super) async fn read_suggested<B: Body>(
    job: &ProcessingJob,
    file_name: Option<&str>,
    kms_key: Option<String>,
) -> Result<ModelMonitoringFile<B>> {
    match read_file_of(job, file_name, kms_key).await {
        Err(error) if is_missing(&error) => Err(why_missing(job, error).await?),
        read => read,
    }
}

/// Reads a file that a job wrote; the one that such files are called by, when no name is given.
pub(super) async fn read_file_of<B: Body>(
    job: &ProcessingJob,
    file_name: Option<&str>,
    kms_key: Option<String>,
) -> Result<ModelMonitoringFile<B>> {
    let mut read = ModelMonitoringFile::from_s3_uri(job.session(), file_of(job, file_name.unwrap_or(B::FILE_NAME))?);
    if let Some(key) = kms_key {
        read = read.kms_key(key);
    }
    read.await
}

/// Where a job writes a file: below its first output.
fn file_of(job: &ProcessingJob, file_name: &str) -> Result<S3Uri> {
    let output = job.outputs().first().and_then(ProcessingOutput::s3_uri).ok_or_else(|| {
        Error::argument("outputs", format!("processing job {} has no output in S3 with files to read", job.job_name()))
    })?;
    Ok(output.join(file_name))
}

/// Whether there is no such object.
pub(super) fn is_missing(error: &Error) -> bool {
    error.code() == Some("NoSuchKey")
}

/// Why a file of a job is missing: the job is not completed, or it wrote none, which is `missing`.
pub(super) async fn why_missing(job: &ProcessingJob, missing: Error) -> Result<Error> {
    let description = job.describe().await?;
    if description.processing_job_status == ProcessingJobStatus::Completed {
        return Ok(missing);
    }
    Ok(Error::UnexpectedStatus {
        resource: format!("processing job {}", job.job_name()),
        allowed_statuses: vec!["Completed"],
        actual_status: description.processing_job_status.to_string(),
        failure_reason: description.failure_reason,
    })
}
