//! What the interface takes and gives.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use watchkeeper_aws::types::S3Uri;

use crate::control::execution::{Execution, Looked, Outcome, Trigger, Window};
use crate::control::merge::{Merge, MergeCounts};
use crate::control::pause::Pause;
use crate::control::processing_job::{ProcessingJob, Usage};
use crate::control::schedule::MonitoringSchedule;

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

/// A span of time in UTC, the end excluded.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WindowView {
    /// Its first moment.
    pub start: String,
    /// The moment after its last.
    pub end: String,
}

impl WindowView {
    pub(super) fn of(window: Window) -> Self {
        Self { start: window.start.to_string(), end: window.end.to_string() }
    }
}

/// What was looked for and found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LookedView {
    /// What for.
    pub what: String,
    /// Where.
    pub places: Vec<String>,
    /// Objects found.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The newest object before the window, where nothing was found in it.
    pub nearest_before: Option<String>,
    /// The oldest object after the window, where nothing was found in it.
    pub nearest_after: Option<String>,
}

impl LookedView {
    pub(super) fn of(looked: &Looked) -> Self {
        Self {
            what: looked.what.clone(),
            places: looked.places.clone(),
            objects: looked.objects,
            bytes: looked.bytes,
            nearest_before: looked.nearest_before.clone(),
            nearest_after: looked.nearest_after.clone(),
        }
    }
}

/// A tick of a schedule with its outcome, or a run that an operator asked for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExecutionView {
    /// Its id.
    pub id: String,
    /// Name of the schedule.
    pub schedule: String,
    /// Kind of monitor.
    pub monitoring_type: String,
    /// The endpoint it watches.
    pub endpoint: Option<String>,
    /// The nominal time.
    pub scheduled: String,
    /// `tick`, `run`, `backfill` or `remerge`.
    pub trigger: String,
    /// `started`, `skipped` (the one before was running still), `missed` (no scheduler was running) or `paused`.
    pub outcome: String,
    /// Where it stands, when it was started.
    pub status: Option<String>,
    /// What it looks at.
    pub window: Option<WindowView>,
    /// When the tick was taken up.
    pub created: String,
    /// When anything about it changed last.
    pub modified: String,
    /// Name of its job; of two the one that runs now or ran last.
    pub job: Option<String>,
    /// Why it failed, or what the row stands for.
    pub reason: Option<String>,
    /// What is worth knowing of a good end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What was looked for and found.
    pub looked: Vec<LookedView>,
    /// The merge with ground truth that came before the analysis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<MergeView>,
    /// Id of the execution whose window this one merged again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remerge_of: Option<String>,
}

/// A merge of captured data with ground truth.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MergeView {
    /// Name of the merge job.
    pub job: String,
    /// Objects with ground truth that there were.
    pub label_objects: u64,
    /// When the newest of them was put.
    pub labels_until: Option<String>,
    /// What it found; none before its end, where it failed, and where its program left no report.
    pub counts: Option<MergeCountsView>,
    /// Address of its report.
    pub report: Option<String>,
}

/// What a merge found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MergeCountsView {
    /// Captured records.
    pub captures: u64,
    /// Records of ground truth.
    pub labels: u64,
    /// Captured records that got a label.
    pub matched: u64,
    /// Labels, by their ids, without a captured record.
    pub labels_without_capture: u64,
    /// Matched records outside the window, where that is known.
    pub out_of_window: Option<u64>,
}

impl MergeView {
    fn of(merge: &Merge) -> Self {
        let merged = merge.merged.as_ref();
        Self {
            job: merge.job_arn.rsplit('/').next().unwrap_or_default().to_owned(),
            label_objects: merge.labels.objects,
            labels_until: merge.labels.newest.map(|time| time.to_string()),
            counts: merged.and_then(|merged| merged.counts).map(MergeCountsView::of),
            report: merged.and_then(|merged| merged.report.clone()),
        }
    }
}

impl MergeCountsView {
    pub(super) fn of(counts: MergeCounts) -> Self {
        let MergeCounts { captures, labels, matched, labels_without_capture, out_of_window } = counts;
        Self { captures, labels, matched, labels_without_capture, out_of_window }
    }
}

impl ExecutionView {
    pub(super) fn of(execution: &Execution) -> Self {
        let outcome = match execution.outcome {
            Outcome::Started => "started",
            Outcome::Skipped => "skipped",
            Outcome::Missed => "missed",
            Outcome::Paused => "paused",
        };
        let trigger = match execution.trigger {
            Trigger::Tick => "tick",
            Trigger::Run => "run",
            Trigger::Backfill => "backfill",
            Trigger::Remerge => "remerge",
        };
        let job = execution.processing_job_arn.as_deref().and_then(|arn| arn.rsplit('/').next());
        Self {
            id: execution.key.replace('/', "~"),
            schedule: execution.schedule_name.clone(),
            monitoring_type: execution.monitoring_type.to_string(),
            endpoint: execution.endpoint_name.clone(),
            scheduled: execution.scheduled.to_string(),
            trigger: trigger.to_owned(),
            outcome: outcome.to_owned(),
            status: (execution.outcome == Outcome::Started).then(|| execution.status.to_string()),
            window: execution.window.map(WindowView::of),
            created: execution.created.to_string(),
            modified: execution.modified.to_string(),
            job: job.map(str::to_owned),
            reason: execution.failure_reason.clone(),
            note: execution.note.clone(),
            looked: execution.looked.iter().map(LookedView::of).collect(),
            merge: execution.merge.as_ref().map(MergeView::of),
            remerge_of: execution.remerge_of.as_ref().map(|key| key.replace('/', "~")),
        }
    }
}

/// A page of executions.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExecutionList {
    /// The newest tick first.
    pub executions: Vec<ExecutionView>,
    /// Give it as `after` for the next page; none on the last.
    pub next: Option<String>,
}

/// An execution with what its job made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExecutionDetail {
    /// The execution.
    pub execution: ExecutionView,
    /// Whether it has ended, or never started.
    pub is_over: bool,
    /// What its job's program said at its end.
    pub exit_message: Option<String>,
    /// The folder of its job's results.
    pub results: Option<String>,
    /// Address of the violations, when there are any.
    pub violations: Option<String>,
    /// What its job used, when it has ended.
    pub usage: Option<UsageView>,
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

/// A monitoring schedule.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ScheduleView {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Where it stands.
    pub status: String,
    /// Kind of monitor.
    pub monitoring_type: String,
    /// The endpoint it watches.
    pub endpoint: Option<String>,
    /// Its expression.
    pub expression: Option<String>,
    /// Its next tick.
    pub next_tick: Option<String>,
    /// Id of the execution that is running.
    pub running: Option<String>,
    /// Status of its last execution.
    pub last_status: Option<String>,
    /// Nominal time of its last execution.
    pub last_scheduled: Option<String>,
    /// Up to which moment a backfill is in progress.
    pub backfill_until: Option<String>,
    /// How many windows a remerge has yet to take up.
    #[serde(default)]
    pub remerge_left: u64,
    /// Why it failed.
    pub failure_reason: Option<String>,
}

impl ScheduleView {
    pub(super) fn of(schedule: &MonitoringSchedule) -> Self {
        let last = schedule.last_execution.as_ref();
        Self {
            name: schedule.name.clone(),
            arn: schedule.arn.clone(),
            status: schedule.status.to_string(),
            monitoring_type: schedule.monitoring_type.to_string(),
            endpoint: schedule.endpoint_name.clone(),
            expression: schedule.config.schedule_config.as_ref().map(|config| config.schedule_expression.clone()),
            next_tick: schedule.next_tick.map(|tick| tick.to_string()),
            running: schedule.running.as_ref().map(|key| key.replace('/', "~")),
            last_status: last.map(|last| last.monitoring_execution_status.to_string()),
            last_scheduled: last.map(|last| last.scheduled_time.to_string()),
            backfill_until: schedule.operator.backfill.as_ref().map(|backfill| backfill.until.to_string()),
            remerge_left: schedule.operator.remerge.as_ref().map_or(0, |remerge| remerge.windows.len() as u64),
            failure_reason: schedule.failure_reason.clone(),
        }
    }
}

/// A page of schedules.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ScheduleList {
    /// In the order of their names.
    pub schedules: Vec<ScheduleView>,
    /// Give it as `after` for the next page; none on the last.
    pub next: Option<String>,
}

/// A run that is asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// Start of the window; one period before its end unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// End of the window; now unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// A range whose ticks are to be run.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackfillRequest {
    /// The first moment.
    pub from: String,
    /// The moment after the last.
    pub to: String,
}

/// What a backfill will do.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BackfillAnswer {
    /// Ticks in the range without a started execution; they are run one after the other.
    pub ticks: u64,
}

/// Windows that are to be merged again.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemergeRequest {
    /// Only windows that end after this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Say only what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a remerge will do, or would.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RemergeAnswer {
    /// The windows that are merged again, the oldest first, one after the other.
    pub windows: Vec<RemergedWindowView>,
    /// Windows for which no labels have come since they were merged last.
    pub unchanged: u64,
    /// Windows with labels, but no captures.
    pub without_captures: u64,
}

/// A window that is merged again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RemergedWindowView {
    /// Id of the execution that does it; it is there when the ones before it have ended.
    pub id: String,
    /// Its tick.
    pub scheduled: String,
    /// The window.
    pub window: WindowView,
    /// Id of the execution that left the window as it is now.
    pub earlier: String,
    /// What its last merge found.
    pub before: Option<MergeCountsView>,
    /// Objects with ground truth from the window's first hour to now.
    pub label_objects: u64,
    /// How many more than at its last merge.
    pub more_label_objects: u64,
}

/// Ground truth that was uploaded.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GroundTruthAnswer {
    /// Records; all of them are stored.
    pub uploaded: u64,
    /// Addresses of the objects that hold them.
    pub objects: Vec<String>,
}

/// "Why didn't it run."
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhyView {
    /// The schedule.
    pub schedule: ScheduleView,
    /// The pause of all schedules.
    pub pause: PauseView,
    /// All that is known in sentences, what matters most first.
    pub sentences: Vec<String>,
    /// What the last tick would find if it ran at this moment.
    pub now: Option<FindingsView>,
    /// The latest ticks with their outcomes, the newest first.
    pub executions: Vec<ExecutionView>,
}

/// What a tick would find.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FindingsView {
    /// The tick.
    pub tick: String,
    /// Its window.
    pub window: Option<WindowView>,
    /// What was looked for and found.
    pub looked: Vec<LookedView>,
    /// Why it could not run; none when it could.
    pub reason: Option<String>,
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
        let schedule = job.monitoring_schedule_arn.as_deref().and_then(|arn| arn.rsplit('/').next());
        Self {
            name: job.name().to_owned(),
            status: job.status.to_string(),
            created: job.created.to_string(),
            started: job.started.map(|time| time.to_string()),
            ended: job.ended.map(|time| time.to_string()),
            exit_message: job.exit_message.clone(),
            failure_reason: job.failure_reason.clone(),
            schedule: schedule.map(str::to_owned),
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

/// The file of a folder of results.
pub(super) fn result_file(folder: &str, name: &str) -> Option<S3Uri> {
    Some(folder.parse::<S3Uri>().ok()?.join(name))
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
