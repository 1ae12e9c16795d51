//! Batch transform jobs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use watchkeeper_aws::generated::sagemaker::{
    CreateModelInput, CreateTransformJobRequest, DescribeTransformJobResponse, Tag, TransformJobStatus,
    TransformJobSummary,
};
use watchkeeper_aws::{Error, Time};
use watchkeeper_store::metadata::{Columns, Kind};

use super::addresses::check_uri;
use super::names::Named;
use super::{Stamp, milliseconds, place_in_queue, tags};
use crate::resources::Resource;

/// The longest `FailureReason`, in characters.
const LONGEST_REASON: usize = 1024;
/// The largest `MaxPayloadInMB`, and the most that as many requests as may run at once have together.
const LARGEST_PAYLOAD_IN_MB: i32 = 100;

/// A batch transform job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TransformJob {
    /// The request as it was sent, without the tags.
    pub request: CreateTransformJobRequest,
    /// The model as it was when the job was asked for: it may be deleted before the job starts.
    pub model: CreateModelInput,
    /// The job's ARN.
    pub arn: String,
    /// The region it was asked for in.
    pub region: String,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Where it stands.
    pub status: TransformJobStatus,
    /// When it was asked for.
    pub created: Time,
    /// When anything about it changed last.
    pub modified: Time,
    /// When its work began.
    pub started: Option<Time>,
    /// When it ended.
    pub ended: Option<Time>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// How often it was taken up; a job whose service died is run again, three times at most.
    pub attempts: u32,
}

/// What can happen to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransformEvent {
    /// Its work began.
    Started,
    /// A client asked it to stop.
    StopRequested,
    /// Every object was transformed.
    Completed,
    /// It was ended because it was asked to stop.
    Stopped,
    /// Something could not be transformed.
    Failed {
        /// Why, for the person who reads `FailureReason`.
        reason: String,
    },
}

impl TransformJob {
    /// A new job for a model. Its work has not begun, so it is `InProgress` without a start time.
    pub fn create(
        mut request: CreateTransformJobRequest,
        model: CreateModelInput,
        stamp: &Stamp,
    ) -> Result<Self, Error> {
        let tags = tags::of_request(request.tags.take())?;
        check_uri("TransformInput", &request.transform_input.data_source.s3_data_source.s3_uri)?;
        check_uri("TransformOutput", &request.transform_output.s3_output_path)?;
        if let Some(capture) = &request.data_capture_config {
            check_uri("DataCaptureConfig", &capture.destination_s3_uri)?;
        }
        check_payload(&request)?;
        Ok(Self {
            arn: Named::TransformJob.arn(stamp, &request.transform_job_name),
            request,
            model,
            region: stamp.region.clone(),
            tags,
            status: TransformJobStatus::InProgress,
            created: stamp.time(),
            modified: stamp.time(),
            started: None,
            ended: None,
            failure_reason: None,
            attempts: 0,
        })
    }

    /// The job as `DescribeTransformJob` shows it.
    pub fn describe(self) -> DescribeTransformJobResponse {
        let request = self.request;
        DescribeTransformJobResponse {
            transform_job_name: request.transform_job_name,
            transform_job_arn: self.arn,
            transform_job_status: self.status,
            failure_reason: self.failure_reason,
            model_name: request.model_name,
            max_concurrent_transforms: request.max_concurrent_transforms,
            model_client_config: request.model_client_config,
            max_payload_in_mb: request.max_payload_in_mb,
            batch_strategy: request.batch_strategy,
            environment: request.environment,
            transform_input: request.transform_input,
            transform_output: Some(request.transform_output),
            data_capture_config: request.data_capture_config,
            transform_resources: request.transform_resources,
            creation_time: self.created,
            transform_start_time: self.started,
            transform_end_time: self.ended,
            labeling_job_arn: None,
            auto_ml_job_arn: None,
            data_processing: request.data_processing,
            experiment_config: request.experiment_config,
        }
    }

    /// The job as lists show it.
    pub fn summary(self) -> TransformJobSummary {
        TransformJobSummary {
            transform_job_name: self.request.transform_job_name,
            transform_job_arn: self.arn,
            creation_time: self.created,
            transform_end_time: self.ended,
            last_modified_time: Some(self.modified),
            transform_job_status: self.status,
            failure_reason: self.failure_reason,
        }
    }

    /// Its name as it was given.
    pub fn name(&self) -> &str {
        &self.request.transform_job_name
    }

    /// Whether it has ended.
    pub fn is_terminal(&self) -> bool {
        matches!(self.status, TransformJobStatus::Completed | TransformJobStatus::Failed | TransformJobStatus::Stopped)
    }
}

/// The only way a job's state changes: the job after an event, or why the event cannot happen to it.
pub fn apply(job: &TransformJob, event: TransformEvent, now: Timestamp) -> Result<TransformJob, Error> {
    use TransformJobStatus::{Completed, Failed, Stopped, Stopping};

    if job.is_terminal() || (job.status == Stopping && event == TransformEvent::Started) {
        return Err(wrong_status(job.status));
    }
    let now = milliseconds(now);
    let mut job = job.clone();
    job.modified = now;
    let ended = match event {
        TransformEvent::Started => {
            job.started = Some(now);
            return Ok(job);
        }
        TransformEvent::StopRequested => {
            job.status = Stopping;
            return Ok(job);
        }
        TransformEvent::Completed => Completed,
        TransformEvent::Stopped => Stopped,
        // What was asked to stop and failed on the way did what it was asked.
        TransformEvent::Failed { .. } if job.status == Stopping => Stopped,
        TransformEvent::Failed { reason } => {
            let reason: String = reason.trim().chars().take(LONGEST_REASON).collect();
            job.failure_reason = Some(reason).filter(|reason| !reason.is_empty());
            Failed
        }
    };
    job.status = ended;
    job.ended = Some(now);
    Ok(job)
}

/// Limits of the real service's reference: 100 MB for one request, and for as many as may run at once together.
fn check_payload(request: &CreateTransformJobRequest) -> Result<(), Error> {
    let payload = request.max_payload_in_mb.unwrap_or_default();
    if payload > LARGEST_PAYLOAD_IN_MB {
        return Err(Error::validation(format!(
            "MaxPayloadInMB must be less than or equal to {LARGEST_PAYLOAD_IN_MB}, not {payload}"
        )));
    }
    let at_once = request.max_concurrent_transforms.unwrap_or_default();
    if payload.saturating_mul(at_once) > LARGEST_PAYLOAD_IN_MB {
        return Err(Error::validation(format!(
            "MaxConcurrentTransforms * MaxPayloadInMB must be less than or equal to {LARGEST_PAYLOAD_IN_MB} MB, not \
             {at_once} * {payload}"
        )));
    }
    Ok(())
}

fn wrong_status(status: TransformJobStatus) -> Error {
    Error::validation(format!("The request was rejected because the transform job is in status {status}."))
}

impl Resource for TransformJob {
    const KIND: Kind = Kind::TransformJob;

    fn key(&self) -> String {
        self.name().to_lowercase()
    }

    fn columns(&self) -> Columns {
        Columns {
            name: self.name().to_owned(),
            status: self.status.as_str().to_owned(),
            created: self.created.0.as_millisecond(),
            modified: self.modified.0.as_millisecond(),
            // A job that has not ended is always due: whoever carries it out holds a claim on it.
            due: (!self.is_terminal()).then(|| place_in_queue(self.created)),
            ..Columns::default()
        }
    }
}
