//! Monitoring schedules.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use watchkeeper_aws::generated::sagemaker::{
    CreateMonitoringScheduleRequest, DescribeMonitoringScheduleResponse, MonitoringExecutionSummary,
    MonitoringScheduleConfig, MonitoringScheduleSummary, MonitoringType, ScheduleStatus, Tag,
};
use watchkeeper_aws::types::ScheduleExpression;
use watchkeeper_aws::{Error, Time};
use watchkeeper_store::metadata::{Columns, Kind};

use self::config::{Filled, References};
use super::execution::Window;
use super::names::Named;
use super::{Stamp, milliseconds, tags};
use crate::resources::Resource;

pub mod config;

/// How long a schedule is Pending: long enough to be a state that clients can see.
const PENDING: SignedDuration = SignedDuration::from_millis(300);

/// A monitoring schedule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MonitoringSchedule {
    /// Its name as it was given.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The region it was asked for in.
    pub region: String,
    /// As it was sent, with what the service fills in.
    pub config: MonitoringScheduleConfig,
    /// What kind of monitor it runs.
    pub monitoring_type: MonitoringType,
    /// The endpoint it watches; None for batch transform inputs.
    pub endpoint_name: Option<String>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Where it stands.
    pub status: ScheduleStatus,
    /// While it is Pending: what it becomes, and when.
    pub transition: Option<Transition>,
    /// When it was created.
    pub created: Time,
    /// When anything about it changed last.
    pub modified: Time,
    /// Why it is Failed.
    pub failure_reason: Option<String>,
    /// Its newest execution that clients see.
    pub last_execution: Option<MonitoringExecutionSummary>,
    /// The next tick; None when there is none (stopped, NOW that has run).
    pub next_tick: Option<Time>,
    /// Key of the execution that runs now; at most one.
    pub running: Option<String>,
    /// What operators asked for beside the ticks.
    #[serde(default)]
    pub operator: OperatorWork,
}

/// What operators asked for beside the ticks. It is done one execution after the other, and ticks wait meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorWork {
    /// Whether what runs now is an operator's.
    pub is_running: bool,
    /// The ticks that are to be run later than they came due.
    pub backfill: Option<Backfill>,
    /// The windows that are to be merged again, with labels that have come since.
    #[serde(default)]
    pub remerge: Option<Remerge>,
}

/// Windows that an operator wants merged again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remerge {
    /// Those that are left, in order.
    pub windows: Vec<RemergedWindow>,
    /// When to take up the next one.
    pub due: Time,
}

/// A window that is to be merged again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemergedWindow {
    /// Key of the execution to be.
    pub execution: String,
    /// The tick of the window.
    pub tick: Time,
    /// The window.
    pub window: Window,
    /// Key of the execution that it stands as left by.
    pub earlier: String,
}

/// A range of ticks that an operator wants run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    /// The next tick to look at.
    pub next: Time,
    /// No tick at this moment or later.
    pub until: Time,
    /// When to look for its next tick.
    pub due: Time,
}

/// What a Pending schedule becomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// What it becomes.
    pub to: Target,
    /// When.
    pub at: Time,
}

impl Transition {
    /// When it was asked for.
    pub fn asked(&self) -> Timestamp {
        self.at.0.saturating_sub(PENDING).unwrap_or(self.at.0)
    }
}

/// What a Pending schedule becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// Scheduled.
    Scheduled,
    /// Stopped.
    Stopped,
    /// Gone.
    Deleted,
}

/// What becomes of a schedule whose transition is due.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "made once a transition and taken apart at once")]
pub enum Settled {
    /// It is this now.
    Updated(MonitoringSchedule),
    /// It is no more, and its alert with it.
    Gone,
}

/// Carries out a transition that is due; a schedule without one stays as it is.
///
/// The next tick is the first after the moment at which the change was asked for, not after the moment at which it is
/// carried out, so that no tick falls between the two. `NOW` has that moment itself as its one tick.
pub fn settle(schedule: &MonitoringSchedule, now: Timestamp) -> Settled {
    let mut settled = schedule.clone();
    let Some(transition) = schedule.transition.as_ref().filter(|transition| transition.at.0 <= now) else {
        return Settled::Updated(settled);
    };
    let asked = transition.asked();
    settled.transition = None;
    match transition.to {
        Target::Deleted => return Settled::Gone,
        Target::Stopped => {
            settled.status = ScheduleStatus::Stopped;
            settled.next_tick = None;
        }
        Target::Scheduled => {
            settled.status = ScheduleStatus::Scheduled;
            settled.next_tick = schedule.next_tick.or_else(|| first_tick(&schedule.config, asked));
        }
    }
    settled.modified = milliseconds(now);
    Settled::Updated(settled)
}

/// The first tick of a schedule that is asked for at a moment.
pub(crate) fn first_tick(config: &MonitoringScheduleConfig, asked: Timestamp) -> Option<Time> {
    // What was accepted once is read with the extensions, whatever the setting is today.
    let expression: ScheduleExpression = config.schedule_config.as_ref()?.schedule_expression.parse().ok()?;
    if expression.is_now() { Some(milliseconds(asked)) } else { expression.next_after(asked).map(Time) }
}

impl MonitoringSchedule {
    /// A new schedule, Pending until it is Scheduled.
    pub fn create(
        request: CreateMonitoringScheduleRequest,
        references: &References<'_>,
        stamp: &Stamp,
    ) -> Result<Self, Error> {
        let name = request.monitoring_schedule_name;
        let tags = tags::of_request(request.tags)?;
        let Filled { config, monitoring_type, endpoint_name } =
            config::fill(request.monitoring_schedule_config, &name, references)?;
        let schedule = Self {
            arn: Named::MonitoringSchedule.arn(stamp, &name),
            name,
            region: stamp.region.clone(),
            config,
            monitoring_type,
            endpoint_name,
            tags,
            status: ScheduleStatus::Pending,
            transition: None,
            created: stamp.time(),
            modified: stamp.time(),
            failure_reason: None,
            last_execution: None,
            next_tick: None,
            running: None,
            operator: OperatorWork::default(),
        };
        Ok(schedule.pending(Target::Scheduled, stamp.now))
    }

    /// The schedule with another configuration, which replaces the whole of the one before; Scheduled in a moment, also
    /// when it was stopped.
    pub fn update(
        &self,
        config: MonitoringScheduleConfig,
        references: &References<'_>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        self.refuse_pending()?;
        let Filled { config, monitoring_type, endpoint_name } = config::fill(config, &self.name, references)?;
        let updated = Self { config, monitoring_type, endpoint_name, failure_reason: None, ..self.clone() };
        Ok(updated.pending(Target::Scheduled, now))
    }

    /// The schedule on its way to be Scheduled; None when it is already.
    pub fn start(&self, now: Timestamp) -> Result<Option<Self>, Error> {
        if self.is_becoming(Target::Scheduled) {
            return Ok(None);
        }
        self.refuse_pending()?;
        Ok((self.status != ScheduleStatus::Scheduled).then(|| self.clone().pending(Target::Scheduled, now)))
    }

    /// The schedule on its way to be Stopped; None when it is already. What runs goes on.
    pub fn stop(&self, now: Timestamp) -> Result<Option<Self>, Error> {
        if self.is_becoming(Target::Stopped) {
            return Ok(None);
        }
        self.refuse_pending()?;
        Ok((self.status != ScheduleStatus::Stopped).then(|| self.clone().pending(Target::Stopped, now)))
    }

    /// The schedule on its way out; None when it is already. Scripts delete right after they have stopped, so a Pending
    /// schedule may be deleted.
    pub fn delete(&self, now: Timestamp) -> Result<Option<Self>, Error> {
        if self.running.is_some() {
            return Err(Error::validation(format!(
                "Monitoring Schedule {} cannot be deleted while a monitoring execution is in progress",
                self.arn
            )));
        }
        Ok((!self.is_becoming(Target::Deleted)).then(|| self.clone().pending(Target::Deleted, now)))
    }

    fn is_becoming(&self, target: Target) -> bool {
        self.transition.as_ref().is_some_and(|transition| transition.to == target)
    }

    fn pending(mut self, to: Target, now: Timestamp) -> Self {
        let at = now.saturating_add(PENDING).unwrap_or(now);
        self.status = ScheduleStatus::Pending;
        self.transition = Some(Transition { to, at: milliseconds(at) });
        self.modified = milliseconds(now);
        // A tick that has come, and that nobody has taken up yet, is not lost by a change at the same moment.
        self.next_tick = self.next_tick.filter(|tick| to != Target::Deleted && tick.0 <= now);
        self
    }

    fn refuse_pending(&self) -> Result<(), Error> {
        if self.status != ScheduleStatus::Pending {
            return Ok(());
        }
        Err(Error::validation(format!(
            "Monitoring Schedule {} is in Pending status and cannot be changed; try again when it is Scheduled or Stopped",
            self.arn
        )))
    }

    /// The schedule as `DescribeMonitoringSchedule` shows it.
    pub fn describe(self) -> DescribeMonitoringScheduleResponse {
        DescribeMonitoringScheduleResponse {
            monitoring_schedule_arn: self.arn,
            monitoring_schedule_name: self.name,
            monitoring_schedule_status: self.status,
            monitoring_type: Some(self.monitoring_type),
            failure_reason: self.failure_reason,
            creation_time: self.created,
            last_modified_time: self.modified,
            monitoring_schedule_config: self.config,
            endpoint_name: self.endpoint_name,
            last_monitoring_execution_summary: self.last_execution,
        }
    }

    /// The schedule as lists show it.
    pub fn summary(self) -> MonitoringScheduleSummary {
        MonitoringScheduleSummary {
            monitoring_schedule_name: self.name,
            monitoring_schedule_arn: self.arn,
            creation_time: self.created,
            last_modified_time: self.modified,
            monitoring_schedule_status: self.status,
            endpoint_name: self.endpoint_name,
            monitoring_job_definition_name: self.config.monitoring_job_definition_name,
            monitoring_type: Some(self.monitoring_type),
        }
    }

    /// Whether it runs once, at once.
    pub fn is_now(&self) -> bool {
        self.config.schedule_config.as_ref().is_some_and(|config| config.schedule_expression == "NOW")
    }

    /// The key of a schedule of this name.
    pub fn key_of(name: &str) -> String {
        name.to_lowercase()
    }

    /// When the scheduler has to look at it next. What an operator runs is waited for, and so are ticks by a backfill's
    /// execution: they are taken up when it ends.
    pub fn due(&self) -> Option<Time> {
        if let Some(transition) = &self.transition {
            return Some(transition.at);
        }
        if self.operator.is_running && self.running.is_some() {
            return None;
        }
        let tick = self.next_tick.filter(|_| self.status == ScheduleStatus::Scheduled);
        let work = &self.operator;
        let backfill = work.backfill.as_ref().map(|backfill| backfill.due);
        let remerge = work.remerge.as_ref().map(|remerge| remerge.due);
        let asked = backfill.into_iter().chain(remerge).filter(|_| self.running.is_none());
        tick.into_iter().chain(asked).min()
    }
}

/// The error for a schedule that there is not.
pub fn not_found(arn: &str) -> Error {
    Error::resource_not_found(format!("Monitoring Schedule {arn} not found"))
}

/// The error for a name that another schedule has.
pub fn name_taken(arn: &str) -> Error {
    Error::resource_in_use(format!("Monitoring Schedule {arn} already exists"))
}

impl Resource for MonitoringSchedule {
    const KIND: Kind = Kind::MonitoringSchedule;

    fn key(&self) -> String {
        Self::key_of(&self.name)
    }

    fn columns(&self) -> Columns {
        Columns {
            name: self.name.clone(),
            status: self.status.as_str().to_owned(),
            monitoring_type: self.monitoring_type.as_str().to_owned(),
            endpoint: self.endpoint_name.clone().unwrap_or_default(),
            definition: self.config.monitoring_job_definition_name.clone().unwrap_or_default(),
            created: self.created.0.as_millisecond(),
            modified: self.modified.0.as_millisecond(),
            due: self.due().map(|due| due.0.as_millisecond()),
            ..Columns::default()
        }
    }
}
