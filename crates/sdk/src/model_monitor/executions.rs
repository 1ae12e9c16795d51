//! Executions of a schedule: which there were, and the log of the newest.

use serde_json::{Value, json};

use crate::request::awaitable;
use crate::{Error, Result};

use super::monitor::Monitor;
use super::monitoring_execution::{Execution, execution_job};

/// How many executions are asked for, as by Python.
const NEWEST: u32 = 100;

impl Monitor {
    /// `ListMonitoringExecutions`: summaries of the newest executions, newest first.
    async fn execution_summaries(&self) -> Result<Vec<Value>> {
        let schedule = self.schedule_name()?;
        let input = json!({
            "MonitoringScheduleName": schedule,
            "SortBy": "ScheduledTime",
            "SortOrder": "Descending",
            "MaxResults": NEWEST,
        });
        let mut answer = self.session.sagemaker("ListMonitoringExecutions", schedule, &input).await?;
        match answer.get_mut("MonitoringExecutionSummaries").map(Value::take) {
            Some(Value::Array(summaries)) => Ok(summaries),
            _ => Err(Error::Answer {
                operation: "ListMonitoringExecutions",
                resource: schedule.to_owned(),
                reason: "it has no list MonitoringExecutionSummaries".to_owned(),
            }),
        }
    }

    /// The newest hundred executions, the newest **last**; those whose job could not be started are left out.
    pub(super) async fn list_executions<E: Execution>(&self) -> Result<Vec<E>> {
        let summaries = self.execution_summaries().await?;
        let mut executions = Vec::new();
        for arn in summaries.iter().filter_map(|summary| summary["ProcessingJobArn"].as_str()) {
            executions.push(E::of_job(execution_job(&self.session, arn).await?));
        }
        executions.reverse();
        Ok(executions)
    }
}

/// Shows the log of the newest execution's job when awaited.
#[must_use = "requests are sent when they are awaited"]
#[derive(Clone, Debug)]
pub struct GetLatestExecutionLogs<'a> {
    monitor: &'a Monitor,
    wait: bool,
}

impl<'a> GetLatestExecutionLogs<'a> {
    pub(crate) fn new(monitor: &'a Monitor) -> Self {
        Self { monitor, wait: false }
    }

    /// Whether to go on until the job ends; not when not set.
    pub fn wait(mut self, wait: bool) -> Self {
        self.wait = wait;
        self
    }

    async fn send(self) -> Result<()> {
        let summaries = self.monitor.execution_summaries().await?;
        let newest = summaries
            .first()
            .ok_or_else(|| Error::argument("monitoring_schedule_name", "No execution jobs were kicked off."))?;
        let arn = newest["ProcessingJobArn"].as_str().ok_or_else(|| {
            Error::argument("monitoring_schedule_name", "Processing Job did not run for the last execution")
        })?;
        let job_name = arn.rsplit('/').next().unwrap_or(arn);
        self.monitor.session.logs_for_processing_job(job_name, self.wait).await
    }
}

awaitable!(GetLatestExecutionLogs => ());
