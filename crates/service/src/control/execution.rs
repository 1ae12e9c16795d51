//! Monitoring executions: every tick that came due, with its outcome.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use watchkeeper_aws::Time;
use watchkeeper_aws::generated::sagemaker::{
    ExecutionStatus, MonitoringExecutionSummary, MonitoringType, ScheduleStatus,
};
use watchkeeper_aws::types::ScheduleExpression;
use watchkeeper_store::metadata::{Columns, Kind, Position};

use super::merge::{Labels, Merge, Merged};
use super::milliseconds;
use super::processing_job::{self, ProcessingJob};
use super::schedule::MonitoringSchedule;
use crate::resources::Resource;

/// The most characters of a reason.
const LONGEST_REASON: usize = 1024;

/// One tick of a schedule, or one run that an operator asked for. Clients see those with [`Outcome::Started`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Execution {
    /// Its key, made by [`Execution::key_of`].
    pub key: String,
    /// Name of the schedule.
    pub schedule_name: String,
    /// ARN of the schedule.
    pub schedule_arn: String,
    /// The region of the schedule.
    pub region: String,
    /// What kind of monitor ran.
    pub monitoring_type: MonitoringType,
    /// The endpoint it watched.
    pub endpoint_name: Option<String>,
    /// The named definition it ran by.
    pub definition_name: Option<String>,
    /// The tick: the nominal time.
    pub scheduled: Time,
    /// What made it.
    pub trigger: Trigger,
    /// What became of the tick.
    pub outcome: Outcome,
    /// The window that was looked at; None where the tick did not start.
    pub window: Option<Window>,
    /// Where it stands; for ticks that did not start it means nothing.
    pub status: ExecutionStatus,
    /// When the tick was taken up.
    pub created: Time,
    /// When it may start: at once, or so much later as the configured jitter says.
    pub earliest_start: Time,
    /// When anything about it changed last.
    pub modified: Time,
    /// The job that runs it now or ran it last.
    pub processing_job_arn: Option<String>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// What was looked for and found, for "why didn't it run".
    pub looked: Vec<Looked>,
    /// The merge that precedes the analysis, for model quality and bias.
    #[serde(default)]
    pub merge: Option<Merge>,
    /// Key of the execution whose window this one merges again.
    #[serde(default)]
    pub remerge_of: Option<String>,
    /// What operators should know of a good end.
    #[serde(default)]
    pub note: Option<String>,
}

/// What made an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trigger {
    /// A tick of the schedule's expression, `NOW` included.
    Tick,
    /// An operator's "run now".
    Run,
    /// An operator's backfill.
    Backfill,
    /// An operator's remerge: labels have come since the window was merged last.
    Remerge,
}

/// What became of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// An execution was started.
    Started,
    /// The one before was still running.
    Skipped,
    /// The service was down.
    Missed,
    /// All schedules were paused.
    Paused,
}

impl Outcome {
    /// Its name. Ticks that did not start have it as a status of their own, so that clients' lists leave them out by it.
    pub const fn status(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Skipped => "skipped",
            Self::Missed => "missed",
            Self::Paused => "paused",
        }
    }
}

/// A span of time, the end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Its first moment.
    pub start: Time,
    /// The moment after its last.
    pub end: Time,
}

/// Data that was looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// What for: `capture`, `ground truth`, `baseline`, ….
    pub what: String,
    /// Where: the folders or the object, as S3 URIs.
    pub places: Vec<String>,
    /// Objects found there.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The newest object before the window.
    pub nearest_before: Option<String>,
    /// The oldest object after the window.
    pub nearest_after: Option<String>,
}

impl Execution {
    /// The key of a tick: unique by schedule (its incarnation included, as executions outlive it) and time, so that a tick
    /// can be taken up once only. Runs that operators ask for add something unique.
    pub fn key_of(schedule: &str, incarnation: Timestamp, tick: Timestamp, unique: Option<&str>) -> String {
        let schedule = schedule.to_lowercase();
        let (incarnation, tick) = (incarnation.as_millisecond(), tick.as_millisecond());
        match unique {
            Some(unique) => format!("{schedule}/{incarnation}/{tick:014}/{unique}"),
            None => format!("{schedule}/{incarnation}/{tick:014}"),
        }
    }

    /// A tick of a schedule with its outcome; one that is started is Pending.
    pub fn new(
        schedule: &MonitoringSchedule,
        tick: Timestamp,
        trigger: Trigger,
        outcome: Outcome,
        now: Timestamp,
    ) -> Self {
        Self {
            key: Self::key_of(&schedule.name, schedule.created.0, tick, None),
            schedule_name: schedule.name.clone(),
            schedule_arn: schedule.arn.clone(),
            region: schedule.region.clone(),
            monitoring_type: schedule.monitoring_type,
            endpoint_name: schedule.endpoint_name.clone(),
            definition_name: schedule.config.monitoring_job_definition_name.clone(),
            scheduled: milliseconds(tick),
            trigger,
            outcome,
            window: None,
            status: ExecutionStatus::Pending,
            created: milliseconds(now),
            earliest_start: milliseconds(now),
            modified: milliseconds(now),
            processing_job_arn: None,
            failure_reason: None,
            looked: Vec::new(),
            merge: None,
            remerge_of: None,
            note: None,
        }
    }

    /// What the keys of all executions of a schedule begin with, those of schedules of the same name before it left out.
    pub fn key_prefix(schedule: &MonitoringSchedule) -> String {
        format!("{}/{}/", schedule.name.to_lowercase(), schedule.created.0.as_millisecond())
    }

    /// The execution with its job, which is about to run.
    #[must_use]
    pub fn in_progress(self, job: &ProcessingJob, now: Timestamp) -> Self {
        Self {
            status: ExecutionStatus::InProgress,
            processing_job_arn: Some(job.arn.clone()),
            modified: milliseconds(now),
            ..self
        }
    }

    /// The execution at its end.
    #[must_use]
    pub fn ended(self, status: ExecutionStatus, failure_reason: Option<String>, now: Timestamp) -> Self {
        let failure_reason = failure_reason.map(|reason| reason.chars().take(LONGEST_REASON).collect());
        Self { status, failure_reason, modified: milliseconds(now), ..self }
    }

    /// The execution as its job, which has ended, leaves it: what a completed analysis found is the first word of its
    /// message.
    #[must_use]
    pub fn ended_as(self, job: &ProcessingJob, now: Timestamp) -> Self {
        use watchkeeper_aws::generated::sagemaker::ProcessingJobStatus;
        let message = job.exit_message.as_deref().unwrap_or_default();
        let (status, reason) = match job.status {
            ProcessingJobStatus::Stopped => (ExecutionStatus::Stopped, job.failure_reason.clone()),
            ProcessingJobStatus::Failed => (ExecutionStatus::Failed, job.failure_reason.clone()),
            _ if message.split(':').next() == Some("CompletedWithViolations") => {
                (ExecutionStatus::CompletedWithViolations, None)
            }
            _ => (ExecutionStatus::Completed, None),
        };
        self.ended(status, reason, now)
    }

    /// The execution of a remerge by which nothing has changed: its window stands as an earlier one left it, and that is what
    /// clients are shown.
    #[must_use]
    pub fn unchanged(self, earlier: &Self, note: String, now: Timestamp) -> Self {
        let (status, failure_reason) = (earlier.status, earlier.failure_reason.clone());
        let processing_job_arn = earlier.processing_job_arn.clone();
        Self { processing_job_arn, note: Some(note), ..self.ended(status, failure_reason, now) }
    }

    /// The labels that it made use of, or found to be of no use. None where it ended in a way that the same data need not
    /// bring about again: stopped, or failed for reasons of the service.
    pub fn labels_used(&self) -> Option<Labels> {
        let labels = self.merge.as_ref()?.labels;
        let failed_by_program = self.status == ExecutionStatus::Failed
            && self.failure_reason.as_deref().is_some_and(processing_job::is_of_program);
        (self.is_analysed() || failed_by_program).then_some(labels)
    }

    /// What its merge came to, where that was analysed to the end.
    pub fn merge_analysed(&self) -> Option<&Merged> {
        self.merge.as_ref()?.merged.as_ref().filter(|_| self.is_analysed())
    }

    fn is_analysed(&self) -> bool {
        matches!(self.status, ExecutionStatus::Completed | ExecutionStatus::CompletedWithViolations)
    }

    /// The execution as AWS lists it.
    pub fn summary(&self) -> MonitoringExecutionSummary {
        MonitoringExecutionSummary {
            monitoring_schedule_name: self.schedule_name.clone(),
            scheduled_time: self.scheduled,
            creation_time: self.created,
            last_modified_time: self.modified,
            monitoring_execution_status: self.status,
            processing_job_arn: self.processing_job_arn.clone(),
            endpoint_name: self.endpoint_name.clone(),
            failure_reason: self.failure_reason.clone(),
            monitoring_job_definition_name: self.definition_name.clone(),
            monitoring_type: Some(self.monitoring_type),
        }
    }

    /// Its place in a list in the order of ticks.
    pub fn position(&self) -> Position {
        Position { value: self.scheduled.0.as_millisecond().to_string(), key: self.key.clone() }
    }

    /// The statuses of executions that have ended, as a query has them.
    pub fn ended_statuses() -> Vec<String> {
        let ended = [
            ExecutionStatus::Completed,
            ExecutionStatus::CompletedWithViolations,
            ExecutionStatus::Failed,
            ExecutionStatus::Stopped,
        ];
        ended.map(|status| status.as_str().to_owned()).into()
    }

    /// The statuses, as a query has them, of ticks that nothing was started for.
    pub fn unstarted_statuses() -> [&'static str; 3] {
        [Outcome::Skipped, Outcome::Missed, Outcome::Paused].map(Outcome::status)
    }

    /// Whether it has ended.
    pub fn is_terminal(&self) -> bool {
        !matches!(self.status, ExecutionStatus::Pending | ExecutionStatus::InProgress | ExecutionStatus::Stopping)
    }
}

/// The schedule after a change of one of its executions. Of an execution of an earlier schedule with the same name nothing
/// follows.
pub fn schedule_after(
    schedule: &MonitoringSchedule,
    execution: &Execution,
    now: Timestamp,
) -> Option<MonitoringSchedule> {
    if !execution.key.starts_with(&Execution::key_prefix(schedule)) {
        return None;
    }
    let mut after = schedule.clone();
    let is_newest = |last: &MonitoringExecutionSummary| last.scheduled_time <= execution.scheduled;
    if after.last_execution.as_ref().is_none_or(is_newest) {
        after.last_execution = Some(execution.summary());
    }
    if execution.is_terminal() && after.running.as_ref() == Some(&execution.key) {
        after.running = None;
        after.operator.is_running = false;
    }
    stop_after_last(&mut after);
    after.modified = milliseconds(now);
    Some(after)
}

/// `NOW` is Stopped after its one run.
pub fn stop_after_last(schedule: &mut MonitoringSchedule) {
    let expression = schedule.config.schedule_config.as_ref().map(|config| config.schedule_expression.parse());
    let is_now = matches!(expression, Some(Ok(expression)) if ScheduleExpression::is_now(&expression));
    let has_run = schedule.next_tick.is_none() && schedule.running.is_none();
    if is_now && has_run && schedule.status == ScheduleStatus::Scheduled {
        schedule.status = ScheduleStatus::Stopped;
    }
}

impl Resource for Execution {
    const KIND: Kind = Kind::Execution;

    fn key(&self) -> String {
        self.key.clone()
    }

    fn columns(&self) -> Columns {
        let status = match self.outcome {
            Outcome::Started => self.status.as_str(),
            other => other.status(),
        };
        Columns {
            name: self.key.clone(),
            status: status.to_owned(),
            monitoring_type: self.monitoring_type.as_str().to_owned(),
            endpoint: self.endpoint_name.clone().unwrap_or_default(),
            definition: self.definition_name.clone().unwrap_or_default(),
            schedule: self.schedule_name.clone(),
            created: self.created.0.as_millisecond(),
            modified: self.modified.0.as_millisecond(),
            scheduled: self.scheduled.0.as_millisecond(),
            due: (self.outcome == Outcome::Started && self.status == ExecutionStatus::Pending)
                .then(|| self.earliest_start.0.as_millisecond()),
            ..Columns::default()
        }
    }
}
