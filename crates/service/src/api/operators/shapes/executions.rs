//! Executions, with what they looked for and what came of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use watchkeeper_aws::types::S3Uri;

use super::UsageView;
use crate::control::execution::{Execution, Looked, Outcome, Trigger, Window};
use crate::control::merge::{Merge, MergeCounts};
use crate::control::names::name_in;

/// A span of time in UTC, the end excluded.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WindowView {
    /// Its first moment.
    pub start: String,
    /// The moment after its last.
    pub end: String,
}

impl WindowView {
    pub(in crate::api::operators) fn of(window: Window) -> Self {
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
    pub(in crate::api::operators) fn of(looked: &Looked) -> Self {
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
            job: name_in(&merge.job_arn).to_owned(),
            label_objects: merge.labels.objects,
            labels_until: merge.labels.newest.map(|time| time.to_string()),
            counts: merged.and_then(|merged| merged.counts).map(MergeCountsView::of),
            report: merged.and_then(|merged| merged.report.clone()),
        }
    }
}

impl MergeCountsView {
    pub(in crate::api::operators) fn of(counts: MergeCounts) -> Self {
        let MergeCounts { captures, labels, matched, labels_without_capture, out_of_window } = counts;
        Self { captures, labels, matched, labels_without_capture, out_of_window }
    }
}

impl ExecutionView {
    pub(in crate::api::operators) fn of(execution: &Execution) -> Self {
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
        Self {
            id: execution_id(&execution.key),
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
            job: execution.processing_job_arn.as_deref().map(|arn| name_in(arn).to_owned()),
            reason: execution.failure_reason.clone(),
            note: execution.note.clone(),
            looked: execution.looked.iter().map(LookedView::of).collect(),
            merge: execution.merge.as_ref().map(MergeView::of),
            remerge_of: execution.remerge_of.as_deref().map(execution_id),
        }
    }
}

/// The id of an execution by its key: an id is one part of a path.
pub(in crate::api::operators) fn execution_id(key: &str) -> String {
    key.replace('/', "~")
}

/// The key of an execution by its id.
pub(in crate::api::operators) fn execution_key(id: &str) -> String {
    id.replace('~', "/")
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

/// The file of a folder of results.
pub(in crate::api::operators) fn result_file(folder: &str, name: &str) -> Option<S3Uri> {
    Some(folder.parse::<S3Uri>().ok()?.join(name))
}
