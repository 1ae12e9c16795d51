//! Schedules, and what is asked of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ExecutionView, LookedView, MergeCountsView, PauseView, WindowView, execution_id};
use crate::control::schedule::MonitoringSchedule;

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
    pub(in crate::api::operators) fn of(schedule: &MonitoringSchedule) -> Self {
        let last = schedule.last_execution.as_ref();
        Self {
            name: schedule.name.clone(),
            arn: schedule.arn.clone(),
            status: schedule.status.to_string(),
            monitoring_type: schedule.monitoring_type.to_string(),
            endpoint: schedule.endpoint_name.clone(),
            expression: schedule.config.schedule_config.as_ref().map(|config| config.schedule_expression.clone()),
            next_tick: schedule.next_tick.map(|tick| tick.to_string()),
            running: schedule.running.as_deref().map(execution_id),
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
