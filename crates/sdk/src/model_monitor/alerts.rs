//! Alerts of a schedule: what they are, when they were raised, and from how many bad executions on.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::request::{awaitable, setters};
use crate::session::typed;
use crate::{Error, Result, Time};

use super::monitor::Monitor;
use super::{MonitoringAlertHistorySummary, MonitoringAlertStatus, MonitoringAlertSummary};

/// What a page has at most, as Python asks for it.
const PAGE: u32 = 10;

impl Monitor {
    /// `UpdateMonitoringAlert`.
    pub(crate) async fn update_monitoring_alert(
        &self,
        alert_name: &str,
        data_points_to_alert: u32,
        evaluation_period: u32,
    ) -> Result<()> {
        let schedule = self.monitoring_schedule_name.as_deref().ok_or_else(|| {
            Error::argument("monitoring_schedule_name", "Nothing to update, please create a schedule first.")
        })?;
        if data_points_to_alert == 0 && evaluation_period == 0 {
            return Err(Error::argument("data_points_to_alert", "Got no alert property to update."));
        }
        let input = json!({
            "MonitoringScheduleName": schedule,
            "MonitoringAlertName": alert_name,
            "DatapointsToAlert": data_points_to_alert,
            "EvaluationPeriod": evaluation_period,
        });
        self.session.sagemaker("UpdateMonitoringAlert", alert_name, &input).await?;
        Ok(())
    }
}

crate::word::word! {
    /// What a list of changes of alerts is sorted by.
    pub enum AlertHistorySortKey {
        /// The time of the change.
        CreationTime = "CreationTime",
        /// The state that the alert came into.
        Status = "Status",
    }
}

crate::word::word! {
    /// Which end of a list comes first.
    pub enum SortOrder {
        /// The smallest, the oldest.
        Ascending = "Ascending",
        /// The largest, the newest.
        Descending = "Descending",
    }
}

/// `ListMonitoringAlerts`, sent when awaited: a page of alerts, and the token of the next page.
#[must_use = "requests are sent when they are awaited"]
#[derive(Clone, Debug)]
pub struct ListMonitoringAlerts<'a> {
    monitor: &'a Monitor,
    next_token: Option<String>,
    max_results: u32,
}

impl<'a> ListMonitoringAlerts<'a> {
    pub(crate) fn new(monitor: &'a Monitor) -> Self {
        Self { monitor, next_token: None, max_results: PAGE }
    }

    setters! {
        /// The page to give, as the answer before this one named it.
        next_token: String,
    }

    /// How many alerts a page has at most; 10 when not set.
    pub fn max_results(mut self, max_results: u32) -> Self {
        self.max_results = max_results;
        self
    }

    async fn send(self) -> Result<(Vec<MonitoringAlertSummary>, Option<String>)> {
        let Some(schedule) = self.monitor.monitoring_schedule_name.as_deref() else { return Ok((Vec::new(), None)) };
        let mut input = Map::new();
        input.insert("MonitoringScheduleName".to_owned(), schedule.into());
        input.insert("MaxResults".to_owned(), self.max_results.into());
        if let Some(token) = self.next_token.filter(|token| !token.is_empty()) {
            input.insert("NextToken".to_owned(), token.into());
        }
        let answer = self.monitor.session.sagemaker("ListMonitoringAlerts", schedule, &input).await?;
        page("ListMonitoringAlerts", schedule, "MonitoringAlertSummaries", answer)
    }
}

awaitable!(ListMonitoringAlerts => (Vec<MonitoringAlertSummary>, Option<String>));

/// `ListMonitoringAlertHistory`, sent when awaited: a page of changes, and the token of the next page.
#[must_use = "requests are sent when they are awaited"]
#[derive(Clone, Debug)]
pub struct ListMonitoringAlertHistory<'a> {
    monitor: &'a Monitor,
    monitoring_alert_name: Option<String>,
    sort_by: Option<AlertHistorySortKey>,
    sort_order: Option<SortOrder>,
    next_token: Option<String>,
    max_results: u32,
    creation_time_before: Option<Time>,
    creation_time_after: Option<Time>,
    status_equals: Option<MonitoringAlertStatus>,
}

impl<'a> ListMonitoringAlertHistory<'a> {
    pub(crate) fn new(monitor: &'a Monitor) -> Self {
        Self {
            monitor,
            monitoring_alert_name: None,
            sort_by: None,
            sort_order: None,
            next_token: None,
            max_results: PAGE,
            creation_time_before: None,
            creation_time_after: None,
            status_equals: None,
        }
    }

    setters! {
        /// The alert; all of the schedule when not set.
        monitoring_alert_name: String,
        /// What the list is sorted by; the time when not set.
        sort_by: AlertHistorySortKey,
        /// Which end comes first; the newest when not set.
        sort_order: SortOrder,
        /// The page to give, as the answer before this one named it.
        next_token: String,
        /// Only what happened before this.
        creation_time_before: Time,
        /// Only what happened after this.
        creation_time_after: Time,
        /// Only changes into this state.
        status_equals: MonitoringAlertStatus,
    }

    /// How many changes a page has at most; 10 when not set.
    pub fn max_results(mut self, max_results: u32) -> Self {
        self.max_results = max_results;
        self
    }

    async fn send(self) -> Result<(Vec<MonitoringAlertHistorySummary>, Option<String>)> {
        let Some(schedule) = self.monitor.monitoring_schedule_name.as_deref() else { return Ok((Vec::new(), None)) };
        let sort_by = self.sort_by.unwrap_or(AlertHistorySortKey::CreationTime);
        let sort_order = self.sort_order.unwrap_or(SortOrder::Descending);
        let mut input = Map::new();
        let mut set = |name: &str, value: Value| input.insert(name.to_owned(), value);
        set("MonitoringScheduleName", schedule.into());
        set("SortBy", sort_by.as_str().into());
        set("SortOrder", sort_order.as_str().into());
        set("MaxResults", self.max_results.into());
        if let Some(name) = self.monitoring_alert_name.filter(|name| !name.is_empty()) {
            set("MonitoringAlertName", name.into());
        }
        if let Some(time) = self.creation_time_before {
            set("CreationTimeBefore", epoch_seconds(time));
        }
        if let Some(time) = self.creation_time_after {
            set("CreationTimeAfter", epoch_seconds(time));
        }
        if let Some(status) = self.status_equals {
            set("StatusEquals", status.as_str().into());
        }
        if let Some(token) = self.next_token.filter(|token| !token.is_empty()) {
            set("NextToken", token.into());
        }
        let answer = self.monitor.session.sagemaker("ListMonitoringAlertHistory", schedule, &input).await?;
        page("ListMonitoringAlertHistory", schedule, "MonitoringAlertHistory", answer)
    }
}

awaitable!(ListMonitoringAlertHistory => (Vec<MonitoringAlertHistorySummary>, Option<String>));

/// Seconds since 1970 as the JSON services take them, with a fraction only where there is one.
fn epoch_seconds(Time(time): Time) -> Value {
    let microseconds = time.as_microsecond();
    if microseconds % 1_000_000 == 0 { time.as_second().into() } else { (microseconds as f64 / 1e6).into() }
}

/// The elements of a list's answer, and the token of the next page.
fn page<T: DeserializeOwned>(
    operation: &'static str,
    resource: &str,
    member: &str,
    mut answer: Value,
) -> Result<(Vec<T>, Option<String>)> {
    let next_token = answer.get("NextToken").and_then(Value::as_str).filter(|token| !token.is_empty());
    let next_token = next_token.map(ToOwned::to_owned);
    let elements = answer.get_mut(member).map_or_else(|| json!([]), Value::take);
    Ok((typed(operation, resource, elements)?, next_token))
}
