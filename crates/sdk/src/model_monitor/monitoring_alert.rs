//! Alerts of schedules.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Time;

crate::word::word! {
    /// Whether an alert is raised.
    pub enum MonitoringAlertStatus {
        /// It is raised.
        InAlert = "InAlert",
        /// It is not.
        Ok = "OK",
    }
}

/// An alert of a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct MonitoringAlertSummary {
    /// Its name.
    #[serde(rename = "MonitoringAlertName")]
    pub alert_name: String,
    /// When it was made.
    pub creation_time: Time,
    /// When it was last changed.
    pub last_modified_time: Time,
    /// Whether it is raised.
    pub alert_status: MonitoringAlertStatus,
    /// How many of the last executions must have had violations.
    #[serde(rename = "DatapointsToAlert")]
    pub data_points_to_alert: u32,
    /// How many executions are looked at.
    pub evaluation_period: u32,
    /// What happens when it is raised.
    pub actions: MonitoringAlertActions,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What happens when an alert is raised.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct MonitoringAlertActions {
    /// The mark in the model dashboard.
    #[serde(default)]
    pub model_dashboard_indicator: ModelDashboardIndicatorAction,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The mark in the model dashboard.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct ModelDashboardIndicatorAction {
    /// Whether it is set.
    #[serde(default)]
    pub enabled: bool,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A change of an alert's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct MonitoringAlertHistorySummary {
    /// The alert.
    #[serde(rename = "MonitoringAlertName")]
    pub alert_name: String,
    /// When it changed.
    pub creation_time: Time,
    /// Whether it was raised then.
    pub alert_status: MonitoringAlertStatus,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}
