//! Schedules: made of a job definition, changed, started, stopped, deleted, and what is waited for in between.

use std::time::Instant;

use serde_json::{Map, Value, json};
use watchkeeper_aws::types::{ScheduleExpression, TimeOffset};

use crate::session::{Progress, typed};
use crate::{Error, Result, Session};

use super::MonitoringScheduleDescription;
use super::job_definition::JobDefinition;
use super::monitor::{Monitor, UnsettledDefinition};
use super::monitoring_type::MonitorKind;
use super::settings_changes::SettingsChanges;

/// How often a schedule is looked at before waiting is given up, and how many seconds apart.
const LOOKS: u32 = 36;
const SECONDS_BETWEEN_LOOKS: u64 = 5;

/// The expression of a schedule that runs once.
pub(super) const ONCE: &str = "NOW";

/// When a schedule runs, as far as a call says it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScheduleTiming {
    /// The text of an expression; one of the service's own is sent back as it came, whether it is known here or not.
    pub(crate) schedule_cron_expression: Option<String>,
    pub(crate) data_analysis_start_time: Option<TimeOffset>,
    pub(crate) data_analysis_end_time: Option<TimeOffset>,
}

impl ScheduleTiming {
    /// # Errors
    /// A schedule that runs once lacks an end of the time to look at.
    pub(crate) fn check(&self) -> Result<()> {
        let is_once = self.schedule_cron_expression.as_deref() == Some(ONCE);
        if is_once && (self.data_analysis_start_time.is_none() || self.data_analysis_end_time.is_none()) {
            return Err(lacks_times());
        }
        Ok(())
    }

    /// Whether the call says nothing of when the schedule runs.
    pub(crate) fn is_empty(&self) -> bool {
        self.schedule_cron_expression.is_none() && self.has_no_times()
    }

    pub(crate) fn say_expression(&mut self, expression: &ScheduleExpression) {
        self.schedule_cron_expression = Some(expression.as_str().to_owned());
    }

    /// Takes the expression of a described schedule, unless the call says another.
    pub(crate) fn keep_expression_of(&mut self, schedule: &Value) {
        let expression = &schedule["MonitoringScheduleConfig"]["ScheduleConfig"]["ScheduleExpression"];
        if self.schedule_cron_expression.is_none() {
            self.schedule_cron_expression = expression.as_str().map(ToOwned::to_owned);
        }
    }

    /// Whether the call says no end of the time to look at.
    pub(crate) fn has_no_times(&self) -> bool {
        self.data_analysis_start_time.is_none() && self.data_analysis_end_time.is_none()
    }

    /// The member `ScheduleConfig`; none without an expression.
    pub(crate) fn schedule_config(&self) -> Option<Value> {
        self.schedule_cron_expression.as_ref()?;
        let mut config = Map::new();
        self.put_into(&mut config);
        Some(config.into())
    }

    /// Puts what the call says into a `ScheduleConfig`.
    pub(super) fn put_into(&self, config: &mut Map<String, Value>) {
        let members = [
            ("ScheduleExpression", self.schedule_cron_expression.as_deref()),
            ("DataAnalysisStartTime", self.data_analysis_start_time.as_ref().map(TimeOffset::as_str)),
            ("DataAnalysisEndTime", self.data_analysis_end_time.as_ref().map(TimeOffset::as_str)),
        ];
        for (name, text) in members {
            if let Some(text) = text {
                config.insert(name.to_owned(), text.into());
            }
        }
    }
}

/// A schedule that runs once lacks an end of the time to look at, in Python's words.
pub(super) fn lacks_times() -> Error {
    Error::argument(
        "schedule_cron_expression",
        "Both data_analysis_start_time and data_analysis_end_time are required for one time monitoring schedule",
    )
}

/// Setters of a request with a field `timing: ScheduleTiming`.
macro_rules! timing_setters {
    () => {
        /// When the schedule runs; see [`CronExpressionGenerator`](crate::model_monitor::CronExpressionGenerator).
        pub fn schedule_cron_expression(
            mut self,
            expression: impl Into<watchkeeper_aws::types::ScheduleExpression>,
        ) -> Self {
            self.timing.say_expression(&expression.into());
            self
        }

        /// Where the time to look at begins, before now, for a schedule that runs once: `-PT1H`. Only told together with the
        /// expression.
        pub fn data_analysis_start_time(mut self, offset: impl Into<watchkeeper_aws::types::TimeOffset>) -> Self {
            self.timing.data_analysis_start_time = Some(offset.into());
            self
        }

        /// Where the time to look at ends, before now, for a schedule that runs once: `-PT0H`. Only told together with the
        /// expression.
        pub fn data_analysis_end_time(mut self, offset: impl Into<watchkeeper_aws::types::TimeOffset>) -> Self {
            self.timing.data_analysis_end_time = Some(offset.into());
            self
        }
    };
}

pub(crate) use timing_setters;

/// The description of a schedule, as the service gives it.
pub(crate) async fn describe(session: &Session, schedule_name: &str) -> Result<Value> {
    let input = json!({ "MonitoringScheduleName": schedule_name });
    session.sagemaker("DescribeMonitoringSchedule", schedule_name, &input).await
}

impl Monitor {
    /// # Errors
    /// This value stands for a schedule already, in Python's words.
    pub(crate) async fn check_unused(&mut self) -> Result<()> {
        self.settle().await?;
        if self.monitoring_schedule_name.is_none() && self.job_definition_name.is_none() {
            return Ok(());
        }
        Err(Error::argument(
            "monitor_schedule_name",
            "It seems that this object was already used to create an Amazon Model Monitoring Schedule. To create another, \
             first delete the existing one using my_monitor.delete_monitoring_schedule().",
        ))
    }

    /// Finds out what became of a call that was given up, or got no answer, between the making of a job definition and the
    /// schedule's use of it. This value then stands for the schedule as it is; a definition that came to nothing is deleted.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        let Some(UnsettledDefinition { kind, definition_name, schedule_name }) = self.unsettled.clone() else {
            return Ok(());
        };
        let is_used = match describe(&self.session, &schedule_name).await {
            Ok(schedule) => {
                schedule["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"] == definition_name.as_str()
            }
            Err(error) if is_gone(&error) => false,
            Err(error) => return Err(error),
        };
        if is_used {
            self.monitoring_schedule_name = Some(schedule_name);
            self.job_definition_name = Some(definition_name);
        } else {
            self.delete_job_definition(kind, &definition_name).await?;
        }
        self.unsettled = None;
        Ok(())
    }

    /// Makes a job definition for a schedule. Until [`Self::use_settled`] or [`Self::take_back`] it is one that
    /// [`Self::settle`] looks after.
    async fn create_definition_for(
        &mut self,
        schedule_name: &str,
        definition: JobDefinition,
        definition_name: &str,
    ) -> Result<()> {
        self.unsettled = Some(UnsettledDefinition {
            kind: definition.kind,
            definition_name: definition_name.to_owned(),
            schedule_name: schedule_name.to_owned(),
        });
        let created = self.create_job_definition(definition, definition_name).await;
        if let Err(error) = &created
            && is_answered(error)
        {
            self.unsettled = None;
        }
        created
    }

    /// The schedule uses the definition that was made for it.
    fn use_settled(&mut self, definition_name: String) {
        self.unsettled = None;
        self.job_definition_name = Some(definition_name);
    }

    /// Deletes a definition that the schedule did not take. What cannot be deleted now, or may be in use after all as there was
    /// no answer, is left to [`Self::settle`]: the caller has an error to report that matters more.
    async fn take_back(&mut self, kind: &MonitorKind, definition_name: &str, refusal: &Error) {
        if is_answered(refusal) && self.delete_job_definition(kind, definition_name).await.is_ok() {
            self.unsettled = None;
        }
    }

    /// Makes a job definition, and a schedule of it; when there is no schedule, there is no definition either. Nothing is
    /// waited for.
    pub(crate) async fn create_schedule(
        &mut self,
        definition: JobDefinition,
        definition_name: String,
        schedule_name: String,
        timing: &ScheduleTiming,
    ) -> Result<()> {
        let kind = definition.kind;
        self.create_definition_for(&schedule_name, definition, &definition_name).await?;
        let config = config_of_definition(kind, &definition_name, timing);
        let tags = self.settings.tags.clone().unwrap_or_default();
        let input = json!({
            "MonitoringScheduleName": schedule_name,
            "MonitoringScheduleConfig": config,
            "Tags": tags,
        });
        if let Err(error) = self.create_schedule_once(&schedule_name, &input).await {
            self.take_back(kind, &definition_name, &error).await;
            return Err(error);
        }
        self.is_deletion_accepted = false;
        self.use_settled(definition_name);
        self.monitoring_schedule_name = Some(schedule_name);
        Ok(())
    }

    /// `CreateMonitoringSchedule`.
    pub(super) async fn create_schedule_once(&self, schedule_name: &str, input: &Value) -> Result<()> {
        let describe = json!({ "MonitoringScheduleName": schedule_name });
        let describe = ("DescribeMonitoringSchedule", &describe);
        self.session.create("CreateMonitoringSchedule", schedule_name, input, describe).await?;
        Ok(())
    }

    /// Changes when the schedule runs, and nothing else; nothing at all when the call does not say it.
    pub(crate) async fn update_timing(&self, kind: &MonitorKind, timing: &ScheduleTiming) -> Result<()> {
        if timing.is_empty() {
            return Ok(());
        }
        timing.check()?;
        let definition_name = self.definition_name()?;
        self.use_job_definition(kind, definition_name, timing).await?;
        self.wait_for_schedule_changes_to_apply().await
    }

    /// Makes a new job definition, and has the schedule use it; the old one stays. When the schedule does not take it, it is
    /// deleted again, and this value is as it was; else it has the settings that were changed, even when waiting for the
    /// schedule then fails or is given up.
    pub(crate) async fn update_schedule(
        &mut self,
        definition: JobDefinition,
        definition_name: String,
        timing: &ScheduleTiming,
        changes: SettingsChanges,
    ) -> Result<()> {
        let kind = definition.kind;
        let schedule_name = self.schedule_name()?.to_owned();
        self.create_definition_for(&schedule_name, definition, &definition_name).await?;
        if let Err(error) = self.use_job_definition(kind, &definition_name, timing).await {
            self.take_back(kind, &definition_name, &error).await;
            return Err(error);
        }
        self.use_settled(definition_name);
        changes.apply_to(&mut self.settings);
        self.wait_for_schedule_changes_to_apply().await
    }

    async fn use_job_definition(
        &self,
        kind: &MonitorKind,
        definition_name: &str,
        timing: &ScheduleTiming,
    ) -> Result<()> {
        let schedule_name = self.schedule_name()?;
        let input = json!({
            "MonitoringScheduleName": schedule_name,
            "MonitoringScheduleConfig": config_of_definition(kind, definition_name, timing),
        });
        // A definition that the schedule has come to use must not be taken back.
        let describe = json!({ "MonitoringScheduleName": schedule_name });
        let describe = ("DescribeMonitoringSchedule", &describe);
        self.session.update("UpdateMonitoringSchedule", schedule_name, &input, describe).await?;
        Ok(())
    }

    /// `StartMonitoringSchedule`, and waits.
    pub(crate) async fn start_schedule(&self) -> Result<()> {
        self.change_schedule("StartMonitoringSchedule").await
    }

    /// `StopMonitoringSchedule`, and waits. A schedule that is stopped already stays so.
    pub(crate) async fn stop_schedule(&self) -> Result<()> {
        self.change_schedule("StopMonitoringSchedule").await
    }

    async fn change_schedule(&self, operation: &'static str) -> Result<()> {
        let name = self.schedule_name()?;
        self.session.sagemaker(operation, name, &json!({ "MonitoringScheduleName": name })).await?;
        self.wait_for_schedule_changes_to_apply().await
    }

    /// Deletes the schedule, waits until it is gone when its jobs have a definition (which is locked until then), and deletes
    /// the definition. May be called again after it failed or was given up: it goes on from where it was. What is gone already
    /// is deleted.
    pub(crate) async fn delete_schedule(&mut self) -> Result<()> {
        self.settle().await?;
        if self.monitoring_schedule_name.is_none() && self.job_definition_name.is_none() {
            self.schedule_name()?;
        }
        if let Some(name) = self.monitoring_schedule_name.as_deref() {
            if !self.is_deletion_accepted {
                let input = json!({ "MonitoringScheduleName": name });
                unless_gone(self.session.sagemaker("DeleteMonitoringSchedule", name, &input).await.map(drop))?;
                self.is_deletion_accepted = true;
            }
            if self.job_definition_name.is_some() {
                let waited = unless_gone(self.wait_for_schedule_changes_to_apply().await);
                // A deletion that failed is ordered anew when this is called again.
                self.is_deletion_accepted = !matches!(waited, Err(Error::UnexpectedStatus { .. }));
                waited?;
            }
            self.monitoring_schedule_name = None;
            self.is_deletion_accepted = false;
        }
        if let (Some(kind), Some(name)) = (self.kind, self.job_definition_name.as_deref()) {
            self.delete_job_definition(kind, name).await?;
            self.job_definition_name = None;
        }
        Ok(())
    }

    /// `DescribeMonitoringSchedule`, typed.
    pub(crate) async fn describe_schedule(&self) -> Result<MonitoringScheduleDescription> {
        let name = self.schedule_name()?;
        let description = describe(&self.session, name).await?;
        typed("DescribeMonitoringSchedule", name, description)
    }

    /// Waits until the schedule is not `Pending` any more.
    ///
    /// # Errors
    /// It still is after three minutes; it is `Failed`, as the change could not be made; or it cannot be described: [`is_gone`]
    /// says whether because it was deleted.
    pub(crate) async fn wait_for_schedule_changes_to_apply(&self) -> Result<()> {
        let name = self.schedule_name()?;
        let resource = format!("monitoring schedule {name}");
        let started = Instant::now();
        for _ in 0..LOOKS {
            let description = describe(&self.session, name).await?;
            let status = description["MonitoringScheduleStatus"].as_str().unwrap_or_default();
            self.session.tell(Progress::Status { resource: &resource, status });
            match status {
                "Pending" => {}
                "Failed" => {
                    return Err(Error::UnexpectedStatus {
                        resource,
                        allowed_statuses: vec!["Scheduled", "Stopped"],
                        actual_status: status.to_owned(),
                        failure_reason: description["FailureReason"].as_str().map(ToOwned::to_owned),
                    });
                }
                _ => return Ok(()),
            }
            self.session.pause(SECONDS_BETWEEN_LOOKS).await;
        }
        Err(Error::StillWaiting { resource, status: "Pending".to_owned(), after: started.elapsed() })
    }
}

/// Whether an error says that what was asked about does not exist.
pub(super) fn is_gone(error: &Error) -> bool {
    error.code() == Some("ResourceNotFound")
}

/// Success, when what was to be deleted does not exist.
pub(super) fn unless_gone(deleted: Result<()>) -> Result<()> {
    match deleted {
        Err(error) if is_gone(&error) => Ok(()),
        deleted => deleted,
    }
}

/// Whether the service said no, so that nothing was done. Without an answer that is not known.
fn is_answered(error: &Error) -> bool {
    !matches!(error, Error::Connection { .. } | Error::Answer { .. })
}

/// The `MonitoringScheduleConfig` of a schedule whose jobs have a definition.
fn config_of_definition(kind: &MonitorKind, definition_name: &str, timing: &ScheduleTiming) -> Value {
    let mut config = json!({
        "MonitoringJobDefinitionName": definition_name,
        "MonitoringType": kind.monitoring_type,
    });
    if let Some(schedule_config) = timing.schedule_config() {
        config["ScheduleConfig"] = schedule_config;
    }
    config
}
