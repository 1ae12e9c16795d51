//! Monitoring alerts: one a schedule, from its creation.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use watchkeeper_aws::generated::sagemaker::{
    ExecutionStatus, ModelDashboardIndicatorAction, MonitoringAlertActions, MonitoringAlertHistorySummary,
    MonitoringAlertStatus, MonitoringAlertSummary,
};
use watchkeeper_aws::{Error, Time};
use watchkeeper_store::metadata::{Columns, Kind};

use super::milliseconds;
use super::schedule::MonitoringSchedule;
use crate::resources::Resource;

/// The longest name of an alert.
const LONGEST_NAME: usize = 63;

/// The alert of a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Its name.
    pub name: String,
    /// Name of its schedule.
    pub schedule_name: String,
    /// When it was created.
    pub created: Time,
    /// When anything about it changed last.
    pub modified: Time,
    /// Whether it is raised.
    pub status: MonitoringAlertStatus,
    /// How many bad executions raise it.
    pub datapoints_to_alert: i32,
    /// Among how many of the last ones.
    pub evaluation_period: i32,
}

/// A change of an alert's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertChange {
    /// Its key: schedule, alert and moment.
    pub key: String,
    /// Name of the alert.
    pub alert_name: String,
    /// Name of its schedule.
    pub schedule_name: String,
    /// When it changed.
    pub created: Time,
    /// What it changed to.
    pub status: MonitoringAlertStatus,
}

impl Alert {
    /// The alert that a schedule has from its creation: one bad execution of one raises it.
    pub fn of_schedule(schedule: &MonitoringSchedule) -> Self {
        let mut name = format!("{}-alert", schedule.name);
        name.truncate(LONGEST_NAME);
        Self {
            name: name.trim_end_matches('-').to_owned(),
            schedule_name: schedule.name.clone(),
            created: schedule.created,
            modified: schedule.created,
            status: MonitoringAlertStatus::Ok,
            datapoints_to_alert: 1,
            evaluation_period: 1,
        }
    }

    /// The alert with another rule.
    pub fn update(&self, datapoints_to_alert: i32, evaluation_period: i32, now: Time) -> Result<Self, Error> {
        if datapoints_to_alert > evaluation_period {
            return Err(Error::validation(format!(
                "DatapointsToAlert {datapoints_to_alert} must be less than or equal to EvaluationPeriod {evaluation_period}"
            )));
        }
        Ok(Self { datapoints_to_alert, evaluation_period, modified: now, ..self.clone() })
    }

    /// The alert as lists show it.
    pub fn summary(self) -> MonitoringAlertSummary {
        let indicator = ModelDashboardIndicatorAction { enabled: Some(true) };
        MonitoringAlertSummary {
            monitoring_alert_name: self.name,
            creation_time: self.created,
            last_modified_time: self.modified,
            alert_status: self.status,
            datapoints_to_alert: self.datapoints_to_alert,
            evaluation_period: self.evaluation_period,
            actions: MonitoringAlertActions { model_dashboard_indicator: Some(indicator) },
        }
    }

    /// The key of an alert.
    pub fn key_of(schedule: &str, name: &str) -> String {
        format!("{}/{}", schedule.to_lowercase(), name.to_lowercase())
    }
}

impl AlertChange {
    /// The change as the history shows it.
    pub fn summary(self) -> MonitoringAlertHistorySummary {
        MonitoringAlertHistorySummary {
            monitoring_schedule_name: self.schedule_name,
            monitoring_alert_name: self.alert_name,
            creation_time: self.created,
            alert_status: self.status,
        }
    }
}

/// The error for an alert that a schedule does not have.
pub fn not_found(schedule: &str, alert: &str) -> Error {
    Error::resource_not_found(format!("Monitoring Alert {alert} of Monitoring Schedule {schedule} not found"))
}

impl Alert {
    /// The alert after an execution ended, with the change when there is one. `newest_first` are the states of the last
    /// executions that have ended, at least as many as the evaluation period where there are so many; those that failed or
    /// had violations count. It may be raised before there are as many as the period.
    pub fn evaluated(&self, newest_first: &[ExecutionStatus], now: Timestamp) -> Option<(Self, AlertChange)> {
        let period = usize::try_from(self.evaluation_period).unwrap_or(1).max(1);
        let is_bad = |status: &&ExecutionStatus| {
            matches!(status, ExecutionStatus::Failed | ExecutionStatus::CompletedWithViolations)
        };
        let bad = newest_first.iter().take(period).filter(is_bad).count();
        let needed = usize::try_from(self.datapoints_to_alert).unwrap_or(1).max(1);
        let status = if bad >= needed { MonitoringAlertStatus::InAlert } else { MonitoringAlertStatus::Ok };
        if status == self.status {
            return None;
        }
        let modified = milliseconds(now);
        let change = AlertChange {
            key: format!("{}/{:014}", self.key(), modified.0.as_millisecond()),
            alert_name: self.name.clone(),
            schedule_name: self.schedule_name.clone(),
            created: modified,
            status,
        };
        Some((Self { modified, status, ..self.clone() }, change))
    }
}

impl Resource for Alert {
    const KIND: Kind = Kind::Alert;

    fn key(&self) -> String {
        Self::key_of(&self.schedule_name, &self.name)
    }

    fn columns(&self) -> Columns {
        Columns {
            name: self.name.clone(),
            status: self.status.as_str().to_owned(),
            schedule: self.schedule_name.clone(),
            created: self.created.0.as_millisecond(),
            modified: self.modified.0.as_millisecond(),
            ..Columns::default()
        }
    }
}

impl Resource for AlertChange {
    const KIND: Kind = Kind::AlertChange;

    fn key(&self) -> String {
        self.key.clone()
    }

    fn columns(&self) -> Columns {
        Columns {
            name: self.alert_name.clone(),
            status: self.status.as_str().to_owned(),
            schedule: self.schedule_name.clone(),
            created: self.created.0.as_millisecond(),
            modified: self.created.0.as_millisecond(),
            ..Columns::default()
        }
    }
}
