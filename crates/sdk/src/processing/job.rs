//! A processing job, running or ended.

use serde_json::json;

use super::{ProcessingInput, ProcessingJobDescription, ProcessingOutput, Wait};
use crate::request::awaitable;
use crate::session::typed;
use crate::{Error, Result, Session};

/// A processing job, running or ended; a value that stands for it, which may be dropped without harm to the job.
#[derive(Clone, Debug)]
pub struct ProcessingJob {
    pub(crate) session: Session,
    pub(crate) job_name: String,
    pub(crate) inputs: Vec<ProcessingInput>,
    pub(crate) outputs: Vec<ProcessingOutput>,
    pub(crate) output_kms_key: Option<String>,
}

/// Waits for the end of a job when it is awaited: [`ProcessingJob::wait`].
#[derive(Debug)]
#[must_use = "nothing is sent before it is awaited"]
pub struct WaitForJob<'a> {
    job: &'a ProcessingJob,
    logs: bool,
}

impl ProcessingJob {
    /// A job by its name and what it was started with. Sends nothing.
    pub fn new(
        session: &Session,
        job_name: impl Into<String>,
        inputs: Vec<ProcessingInput>,
        outputs: Vec<ProcessingOutput>,
    ) -> Self {
        Self { session: session.clone(), job_name: job_name.into(), inputs, outputs, output_kms_key: None }
    }

    /// The key its outputs are encrypted with.
    #[must_use]
    pub fn output_kms_key(mut self, key: impl Into<String>) -> Self {
        self.output_kms_key = Some(key.into());
        self
    }

    /// A job by its name; the service is asked for the rest.
    pub async fn from_processing_name(session: &Session, processing_job_name: impl Into<String>) -> Result<Self> {
        let name = processing_job_name.into();
        let description = describe(session, &name).await?;
        let config = description.processing_output_config.unwrap_or_default();
        Ok(Self {
            session: session.clone(),
            job_name: name,
            inputs: description.processing_inputs,
            outputs: config.outputs,
            output_kms_key: config.kms_key_id,
        })
    }

    /// A job by its ARN; the service is asked for the rest.
    pub async fn from_processing_arn(session: &Session, processing_job_arn: &str) -> Result<Self> {
        let name = processing_job_arn.split(':').nth(5).and_then(|resource| resource.strip_prefix("processing-job/"));
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            let reason =
                format!("{processing_job_arn:?} is no ARN of a processing job, which ends with :processing-job/<name>");
            return Err(Error::argument("processing_job_arn", reason));
        };
        Self::from_processing_name(session, name).await
    }

    /// Its name.
    pub fn job_name(&self) -> &str {
        &self.job_name
    }

    /// What goes in.
    pub fn inputs(&self) -> &[ProcessingInput] {
        &self.inputs
    }

    /// What comes out.
    pub fn outputs(&self) -> &[ProcessingOutput] {
        &self.outputs
    }

    /// The key its outputs are encrypted with.
    pub fn kms_key(&self) -> Option<&str> {
        self.output_kms_key.as_deref()
    }

    /// The session it belongs to.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What the service says of it.
    pub async fn describe(&self) -> Result<ProcessingJobDescription> {
        describe(&self.session, &self.job_name).await
    }

    /// Stops it. A job that has ended already is none that can be stopped: the service refuses.
    pub async fn stop(&self) -> Result<()> {
        let name = json!({ "ProcessingJobName": self.job_name });
        self.session.sagemaker("StopProcessingJob", &self.job_name, &name).await.map(drop)
    }

    /// Waits for its end, with its log unless told otherwise. A job that failed is an error; one that was stopped is none.
    pub fn wait(&self) -> WaitForJob<'_> {
        WaitForJob { job: self, logs: true }
    }

    /// What a call that started it does about its end.
    pub(crate) async fn wait_as(&self, wait: Wait) -> Result<()> {
        match wait {
            Wait::No => Ok(()),
            Wait::Quietly => self.wait().logs(false).await,
            Wait::WithLogs => self.wait().await,
        }
    }
}

impl WaitForJob<'_> {
    /// Whether lines of the log are told; they are by default.
    pub fn logs(mut self, logs: bool) -> Self {
        self.logs = logs;
        self
    }

    async fn send(self) -> Result<()> {
        let ProcessingJob { session, job_name, .. } = self.job;
        if self.logs {
            session.logs_for_processing_job(job_name, true).await
        } else {
            session.wait_for_processing_job(job_name).await
        }
    }
}

awaitable!(WaitForJob => ());

async fn describe(session: &Session, job_name: &str) -> Result<ProcessingJobDescription> {
    let name = json!({ "ProcessingJobName": job_name });
    let description = session.sagemaker("DescribeProcessingJob", job_name, &name).await?;
    typed("DescribeProcessingJob", job_name, description)
}
