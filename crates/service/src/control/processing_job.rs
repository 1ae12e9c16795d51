//! Processing jobs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use watchkeeper_aws::generated::sagemaker::{
    CreateProcessingJobRequest, DescribeProcessingJobResponse, ProcessingJobStatus, ProcessingJobSummary,
    ProcessingS3CompressionType, ProcessingS3DataDistributionType, ProcessingS3InputMode, ProcessingStoppingCondition,
    Tag,
};
use watchkeeper_aws::{Error, Time};
use watchkeeper_store::metadata::{Columns, Kind};

use super::addresses::{check_local_path, check_uri};
use super::names::Named;
use super::{Stamp, milliseconds, place_in_queue, tags};
use crate::resources::Resource;

/// The time limit of a job whose request has none.
const USUAL_TIME_LIMIT: i32 = 86_400;
/// The longest `ExitMessage` and `FailureReason`, in characters.
const LONGEST_MESSAGE: usize = 1024;

/// A processing job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProcessingJob {
    /// The request with its defaults filled in, without the tags.
    pub request: CreateProcessingJobRequest,
    /// The job's ARN.
    pub arn: String,
    /// The region it was asked for in.
    pub region: String,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Where it stands.
    pub status: ProcessingJobStatus,
    /// When it was asked for.
    pub created: Time,
    /// When anything about it changed last.
    pub modified: Time,
    /// When its program was started.
    pub started: Option<Time>,
    /// When it ended.
    pub ended: Option<Time>,
    /// The first 1,024 characters of the message its program left.
    pub exit_message: Option<String>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// The schedule it was started by.
    pub monitoring_schedule_arn: Option<String>,
    /// Key of the execution it belongs to.
    pub execution: Option<String>,
    /// How often a runner took it up; a job whose runner died is run again, three times at most.
    pub attempts: u32,
    /// What it used.
    pub usage: Option<Usage>,
}

/// What a job used, for operators.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Bytes of all inputs.
    pub input_bytes: u64,
    /// Objects of all inputs.
    pub input_objects: u64,
    /// The largest resident memory of its program.
    pub peak_memory_bytes: Option<u64>,
    /// From start to end.
    pub seconds: f64,
}

/// What can happen to a job.
#[derive(Clone, Debug, PartialEq)]
pub enum JobEvent {
    /// A runner started its program.
    Started,
    /// A client asked it to stop.
    StopRequested,
    /// Its program ended by itself with this status; the message it left, if any.
    Exited {
        /// The exit status; None when a signal ended it.
        status: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
        /// The text of `/opt/ml/output/message`.
        message: Option<String>,
        /// What it used.
        usage: Usage,
    },
    /// It was ended because it was asked to stop, or because its time was over.
    Stopped {
        /// Whether its time was over.
        time_limit: bool,
        /// What it used.
        usage: Usage,
    },
    /// It could not be run, or its results could not be stored.
    Failed {
        /// Why, for the person who reads `FailureReason`.
        reason: String,
        /// What it used.
        usage: Usage,
    },
}

impl ProcessingJob {
    /// A new job. Its program has not started, so it is `InProgress` without a start time.
    pub fn create(mut request: CreateProcessingJobRequest, stamp: &Stamp) -> Result<Self, Error> {
        let tags = tags::of_request(request.tags.take())?;
        fill_inputs(&mut request)?;
        fill_outputs(&mut request)?;
        let time_limit = ProcessingStoppingCondition { max_runtime_in_seconds: USUAL_TIME_LIMIT };
        request.stopping_condition.get_or_insert(time_limit);
        if let Some(network) = &mut request.network_config {
            network.enable_network_isolation.get_or_insert(false);
            network.enable_inter_container_traffic_encryption.get_or_insert(false);
        }
        Ok(Self {
            arn: Named::ProcessingJob.arn(stamp, &request.processing_job_name),
            request,
            region: stamp.region.clone(),
            tags,
            status: ProcessingJobStatus::InProgress,
            created: stamp.time(),
            modified: stamp.time(),
            started: None,
            ended: None,
            exit_message: None,
            failure_reason: None,
            monitoring_schedule_arn: None,
            execution: None,
            attempts: 0,
            usage: None,
        })
    }

    /// The job as `DescribeProcessingJob` shows it.
    pub fn describe(self) -> DescribeProcessingJobResponse {
        let request = self.request;
        DescribeProcessingJobResponse {
            processing_inputs: request.processing_inputs,
            processing_output_config: request.processing_output_config,
            processing_job_name: request.processing_job_name,
            processing_resources: request.processing_resources,
            stopping_condition: request.stopping_condition,
            app_specification: request.app_specification,
            environment: request.environment,
            network_config: request.network_config,
            role_arn: Some(request.role_arn),
            experiment_config: request.experiment_config,
            processing_job_arn: self.arn,
            processing_job_status: self.status,
            exit_message: self.exit_message,
            failure_reason: self.failure_reason,
            processing_end_time: self.ended,
            processing_start_time: self.started,
            last_modified_time: Some(self.modified),
            creation_time: self.created,
            monitoring_schedule_arn: self.monitoring_schedule_arn,
            auto_ml_job_arn: None,
            training_job_arn: None,
        }
    }

    /// The job as lists show it.
    pub fn summary(self) -> ProcessingJobSummary {
        ProcessingJobSummary {
            processing_job_name: self.request.processing_job_name,
            processing_job_arn: self.arn,
            creation_time: self.created,
            processing_end_time: self.ended,
            last_modified_time: Some(self.modified),
            processing_job_status: self.status,
            failure_reason: self.failure_reason,
            exit_message: self.exit_message,
        }
    }

    /// Where its first output goes: what a baselining job made is there.
    pub fn first_output(&self) -> Option<&str> {
        let outputs = &self.request.processing_output_config.as_ref()?.outputs;
        outputs.iter().find_map(|output| output.s3_output.as_ref()).map(|output| output.s3_uri.as_str())
    }

    /// Refuses the deletion of a job that has not ended.
    pub fn may_be_deleted(&self) -> Result<(), Error> {
        if self.is_terminal() {
            return Ok(());
        }
        let (arn, status) = (&self.arn, self.status);
        Err(Error::resource_in_use(format!(
            "The processing job {arn} is in status {status}; stop it before deleting it"
        )))
    }

    /// Its name as it was given.
    pub fn name(&self) -> &str {
        &self.request.processing_job_name
    }

    /// Whether it has ended.
    pub fn is_terminal(&self) -> bool {
        matches!(
            self.status,
            ProcessingJobStatus::Completed | ProcessingJobStatus::Failed | ProcessingJobStatus::Stopped
        )
    }
}

/// The only way a job's state changes: the job after an event, or why the event cannot happen to it.
pub fn apply(job: &ProcessingJob, event: JobEvent, now: Timestamp) -> Result<ProcessingJob, Error> {
    use ProcessingJobStatus::{Completed, Failed, Stopped, Stopping};

    if job.is_terminal() || (job.status == Stopping && event == JobEvent::Started) {
        return Err(wrong_status(job.status));
    }
    let now = milliseconds(now);
    let mut job = job.clone();
    job.modified = now;
    match event {
        JobEvent::Started => job.started = Some(now),
        JobEvent::StopRequested => job.status = Stopping,
        JobEvent::Exited { status: Some(0), message, usage, .. } => {
            end(&mut job, Completed, usage, now);
            job.exit_message = message.and_then(|message| shown(&message));
        }
        // A program that was asked to stop and ended did what it was asked, whatever its status.
        JobEvent::Exited { usage, .. } if job.status == Stopping => end(&mut job, Stopped, usage, now),
        JobEvent::Exited { status, signal, message, usage } => {
            end(&mut job, Failed, usage, now);
            job.failure_reason = shown(&algorithm_error(status, signal, message.as_deref()));
        }
        JobEvent::Stopped { time_limit, usage } => {
            end(&mut job, Stopped, usage, now);
            if let Some(limit) = job.request.stopping_condition.as_ref().filter(|_| time_limit) {
                let seconds = limit.max_runtime_in_seconds;
                job.failure_reason = Some(format!("Job runtime exceeded MaxRuntimeInSeconds ({seconds})"));
            }
        }
        JobEvent::Failed { reason, usage } => {
            end(&mut job, Failed, usage, now);
            job.failure_reason = shown(&reason);
        }
    }
    Ok(job)
}

fn end(job: &mut ProcessingJob, status: ProcessingJobStatus, usage: Usage, now: Time) {
    job.status = status;
    job.ended = Some(now);
    job.usage = Some(usage);
}

/// What the reasons of programs begin with that failed by themselves, and of those that say it is the user's fault: Clarify's.
const ALGORITHM_ERROR: &str = "AlgorithmError: ";
const CLIENT_ERROR: &str = "ClientError: ";

/// Whether a `FailureReason` is that of a program which failed by itself.
pub fn is_of_program(reason: &str) -> bool {
    reason.starts_with(ALGORITHM_ERROR) || reason.starts_with(CLIENT_ERROR)
}

/// The `FailureReason` of a program that failed by itself: its own words where it left any, as they are where they say whose
/// fault it is.
fn algorithm_error(status: Option<i32>, signal: Option<i32>, message: Option<&str>) -> String {
    if let Some(message) = message.map(str::trim).filter(|message| !message.is_empty()) {
        return if message.starts_with(CLIENT_ERROR) {
            message.to_owned()
        } else {
            format!("{ALGORITHM_ERROR}{message}")
        };
    }
    let ending = match (status, signal) {
        (Some(status), _) => format!("exit code: {status}"),
        // The number that shells and container engines show for a signal.
        (None, Some(signal)) => format!("exit code: {} (ended by signal {signal})", 128 + signal),
        (None, None) => "it ended without an exit code".to_owned(),
    };
    format!("{ALGORITHM_ERROR}See job logs for more information, {ending}")
}

/// The first characters of a text, as many as the wire allows, without blank space around; None when nothing is left.
fn shown(text: &str) -> Option<String> {
    let text: String = text.trim().chars().take(LONGEST_MESSAGE).collect();
    (!text.is_empty()).then_some(text)
}

fn fill_inputs(request: &mut CreateProcessingJobRequest) -> Result<(), Error> {
    let mut names = Vec::new();
    for input in request.processing_inputs.iter_mut().flatten() {
        refuse_repeated(&mut names, "ProcessingInput", &input.input_name)?;
        let app_managed = *input.app_managed.get_or_insert(false);
        let place = format!("ProcessingInput {}", input.input_name);
        if input.dataset_definition.is_some() {
            return Err(Error::validation(format!("{place}: DatasetDefinition is not supported; use S3Input")));
        }
        let Some(source) = &mut input.s3_input else {
            return Err(Error::validation(format!("{place}: S3Input is required")));
        };
        check_uri(&place, &source.s3_uri)?;
        check_optional_path(&place, source.local_path.as_deref(), app_managed)?;
        source.s3_input_mode.get_or_insert(ProcessingS3InputMode::File);
        source.s3_data_distribution_type.get_or_insert(ProcessingS3DataDistributionType::FullyReplicated);
        source.s3_compression_type.get_or_insert(ProcessingS3CompressionType::None);
    }
    Ok(())
}

fn fill_outputs(request: &mut CreateProcessingJobRequest) -> Result<(), Error> {
    let mut names = Vec::new();
    for output in request.processing_output_config.iter_mut().flat_map(|config| &mut config.outputs) {
        refuse_repeated(&mut names, "ProcessingOutput", &output.output_name)?;
        let app_managed = *output.app_managed.get_or_insert(false);
        let place = format!("ProcessingOutput {}", output.output_name);
        if output.feature_store_output.is_some() {
            return Err(Error::validation(format!("{place}: FeatureStoreOutput is not supported; use S3Output")));
        }
        let Some(target) = &output.s3_output else {
            return Err(Error::validation(format!("{place}: S3Output is required")));
        };
        check_uri(&place, &target.s3_uri)?;
        check_optional_path(&place, target.local_path.as_deref(), app_managed)?;
    }
    Ok(())
}

fn refuse_repeated(names: &mut Vec<String>, kind: &str, name: &str) -> Result<(), Error> {
    if names.iter().any(|other| other == name) {
        return Err(Error::validation(format!("{kind} names must be unique within a job: {name}")));
    }
    names.push(name.to_owned());
    Ok(())
}

fn check_optional_path(place: &str, path: Option<&str>, app_managed: bool) -> Result<(), Error> {
    match path {
        Some(path) => check_local_path(place, path),
        None if app_managed => Ok(()),
        None => Err(Error::validation(format!("{place}: LocalPath is required when AppManaged is false"))),
    }
}

fn wrong_status(status: ProcessingJobStatus) -> Error {
    Error::validation(format!("The request was rejected because the processing job is in status {status}."))
}

impl Resource for ProcessingJob {
    const KIND: Kind = Kind::ProcessingJob;

    fn key(&self) -> String {
        self.name().to_lowercase()
    }

    fn columns(&self) -> Columns {
        Columns {
            name: self.name().to_owned(),
            status: self.status.as_str().to_owned(),
            schedule: self.monitoring_schedule_arn.clone().unwrap_or_default(),
            created: self.created.0.as_millisecond(),
            modified: self.modified.0.as_millisecond(),
            // A job that has not ended is always due: whoever runs it holds a claim on it.
            due: (!self.is_terminal()).then(|| place_in_queue(self.created)),
            ..Columns::default()
        }
    }
}
