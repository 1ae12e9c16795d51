//! What the interface takes and gives.

mod executions;
mod schedules;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::control::names::name_in;
use crate::control::pause::Pause;
use crate::control::processing_job::{ProcessingJob, Usage};

pub use executions::{
    ExecutionDetail, ExecutionList, ExecutionView, LookedView, MergeCountsView, MergeView, WindowView,
};
pub(super) use executions::{execution_id, execution_key, result_file};
pub use schedules::{
    BackfillAnswer, BackfillRequest, FindingsView, GroundTruthAnswer, RemergeAnswer, RemergeRequest,
    RemergedWindowView, RunRequest, ScheduleList, ScheduleView, WhyView,
};

/// Why a request failed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// In words.
    pub error: String,
}

/// What the service has and does.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StatusView {
    /// The program's version.
    pub version: String,
    /// When the service was started.
    pub started: String,
    /// For how long it has run.
    pub uptime_seconds: f64,
    /// The service's clock.
    pub now: String,
    /// The pause of all schedules.
    pub pause: PauseView,
    /// Schedules by status.
    pub schedules: BTreeMap<String, u64>,
    /// Executions by status, those that were skipped, missed or passed over included.
    pub executions: BTreeMap<String, u64>,
    /// Processing jobs by status.
    pub jobs: BTreeMap<String, u64>,
    /// Jobs whose programs run, the first hundred.
    pub running_jobs: Vec<JobView>,
    /// Jobs that wait for a runner.
    pub queued_jobs: u64,
    /// The schedule whose next tick comes first.
    pub next_tick: Option<NextTick>,
    /// The processes that share the database server; none where there is no such server.
    #[serde(default)]
    pub processes: Vec<ProcessView>,
}

/// One of the processes that share the state.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProcessView {
    /// The machine.
    pub host: String,
    /// Where it answers.
    pub endpoint_url: String,
    /// What it does: `api`, `scheduler`, `runner`.
    pub roles: Vec<String>,
    /// The program's version.
    pub version: String,
    /// When it was started.
    pub started: String,
    /// When it gave a sign last.
    pub seen: String,
}

/// The tick that comes first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NextTick {
    /// When.
    pub tick: String,
    /// Of which schedule.
    pub schedule: String,
}

/// The pause of all schedules.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PauseView {
    /// Whether ticks are passed over.
    pub is_paused: bool,
    /// Since when it is so; none where it was never otherwise.
    pub since: Option<String>,
}

impl PauseView {
    pub(super) fn of(pause: Option<&Pause>) -> Self {
        Self {
            is_paused: pause.is_some_and(|pause| pause.is_paused),
            since: pause.map(|pause| pause.since.to_string()),
        }
    }
}

/// What a job used.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UsageView {
    /// Bytes of all inputs.
    pub input_bytes: u64,
    /// Objects of all inputs.
    pub input_objects: u64,
    /// The largest resident memory of its program.
    pub peak_memory_bytes: Option<u64>,
    /// From start to end.
    pub seconds: f64,
}

impl UsageView {
    pub(super) fn of(usage: &Usage) -> Self {
        Self {
            input_bytes: usage.input_bytes,
            input_objects: usage.input_objects,
            peak_memory_bytes: usage.peak_memory_bytes,
            seconds: usage.seconds,
        }
    }
}

/// A processing job.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JobView {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: String,
    /// When it was asked for.
    pub created: String,
    /// When its program was started.
    pub started: Option<String>,
    /// When it ended.
    pub ended: Option<String>,
    /// What its program said at its end.
    pub exit_message: Option<String>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// Name of the schedule that started it.
    pub schedule: Option<String>,
    /// The image it runs.
    pub image: String,
    /// What it used, when it has ended.
    pub usage: Option<UsageView>,
}

impl JobView {
    pub(super) fn of(job: &ProcessingJob) -> Self {
        Self {
            name: job.name().to_owned(),
            status: job.status.to_string(),
            created: job.created.to_string(),
            started: job.started.map(|time| time.to_string()),
            ended: job.ended.map(|time| time.to_string()),
            exit_message: job.exit_message.clone(),
            failure_reason: job.failure_reason.clone(),
            schedule: job.monitoring_schedule_arn.as_deref().map(|arn| name_in(arn).to_owned()),
            image: job.request.app_specification.image_uri.clone(),
            usage: job.usage.as_ref().map(UsageView::of),
        }
    }
}

/// A page of jobs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JobList {
    /// The newest first.
    pub jobs: Vec<JobView>,
    /// Give it as `after` for the next page; none on the last.
    pub next: Option<String>,
}

/// Lines of a job's log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LogPage {
    /// The oldest first.
    pub lines: Vec<LogLine>,
    /// Reads on behind this page, now or later.
    pub next: String,
    /// Whether the job has ended and there are no lines behind these.
    pub is_over: bool,
}

/// A line of a job's log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// When it was said.
    pub time: String,
    /// By which instance.
    pub instance: String,
    /// What was said.
    pub message: String,
}

/// An endpoint whose model is served elsewhere.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointRegistration {
    /// Where its captures go; `captures` in the default bucket unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// How many of a hundred requests are captured, 0 to 100; 100 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling_percentage: Option<u8>,
    /// Content types that are captured as CSV; `text/csv` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv_content_types: Option<Vec<String>>,
    /// Content types that are captured as JSON; `application/json` and `application/jsonlines` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json_content_types: Option<Vec<String>>,
}

/// An endpoint.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EndpointView {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Where it stands.
    pub status: String,
    /// Whether its models are served by this service; else captures come from outside.
    pub is_hosted: bool,
    /// Where its captures go; none where it has no configuration for them.
    pub destination: Option<String>,
    /// How its first variant is captured; none where that is switched off.
    pub capture: Option<CaptureView>,
}

/// How the requests of a variant are captured.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CaptureView {
    /// The endpoint's name.
    pub endpoint: String,
    /// The variant's name.
    pub variant: String,
    /// Where captures go.
    pub destination: String,
    /// How many of a hundred requests are captured.
    pub sampling_percentage: u8,
    /// Whether what is asked is captured.
    pub input: bool,
    /// Whether what is answered is captured.
    pub output: bool,
    /// Content types that are captured as CSV.
    pub csv_content_types: Vec<String>,
    /// Content types that are captured as JSON.
    pub json_content_types: Vec<String>,
    /// The key that encrypts the objects.
    pub kms_key_id: Option<String>,
}

/// What was captured of predictions that were sent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IngestionAnswer {
    /// Records; all of them are stored.
    pub captured: u64,
}
