//! The files of a monitor's newest jobs: what the newest baseline suggested, and what the newest execution found.

use crate::Result;
use crate::request::{awaitable, setters};

use super::baselining_job::read_suggested;
use super::monitor::Monitor;
use super::monitoring_execution::read_found;
use super::{ConstraintViolations, Constraints, MonitoringExecution, Statistics};

/// Reads the statistics of the newest baselining job when awaited.
#[must_use = "requests are sent when they are awaited"]
#[derive(Clone, Debug)]
pub struct BaselineStatistics<'a> {
    monitor: &'a Monitor,
    file_name: Option<String>,
}

/// Reads the constraints that the newest baselining job suggests when awaited.
#[must_use = "requests are sent when they are awaited"]
#[derive(Clone, Debug)]
pub struct SuggestedConstraints<'a> {
    monitor: &'a Monitor,
    file_name: Option<String>,
}

/// Reads the statistics of the newest execution when awaited; none when there is none.
#[must_use = "requests are sent when they are awaited"]
#[derive(Clone, Debug)]
pub struct LatestMonitoringStatistics<'a> {
    monitor: &'a Monitor,
    file_name: Option<String>,
}

/// Reads what the newest execution found against the constraints when awaited; none when there is no such file.
#[must_use = "requests are sent when they are awaited"]
#[derive(Clone, Debug)]
pub struct LatestMonitoringConstraintViolations<'a> {
    monitor: &'a Monitor,
    file_name: Option<String>,
}

impl<'a> BaselineStatistics<'a> {
    pub(crate) fn new(monitor: &'a Monitor) -> Self {
        Self { monitor, file_name: None }
    }

    setters! {
        /// The name of the file; `statistics.json` when not set.
        file_name: String,
    }

    async fn send(self) -> Result<Statistics> {
        let kms_key = self.monitor.settings.output_kms_key.clone();
        read_suggested(self.monitor.last_baselining_job()?, self.file_name.as_deref(), kms_key).await
    }
}

impl<'a> SuggestedConstraints<'a> {
    pub(crate) fn new(monitor: &'a Monitor) -> Self {
        Self { monitor, file_name: None }
    }

    setters! {
        /// The name of the file; `constraints.json` when not set.
        file_name: String,
    }

    async fn send(self) -> Result<Constraints> {
        let kms_key = self.monitor.settings.output_kms_key.clone();
        read_suggested(self.monitor.last_baselining_job()?, self.file_name.as_deref(), kms_key).await
    }
}

impl<'a> LatestMonitoringStatistics<'a> {
    pub(crate) fn new(monitor: &'a Monitor) -> Self {
        Self { monitor, file_name: None }
    }

    setters! {
        /// The name of the file; `statistics.json` when not set.
        file_name: String,
    }

    async fn send(self) -> Result<Option<Statistics>> {
        let executions: Vec<MonitoringExecution> = self.monitor.list_executions().await?;
        let Some(newest) = executions.last() else { return Ok(None) };
        read_found(newest, self.file_name.as_deref(), None).await
    }
}

impl<'a> LatestMonitoringConstraintViolations<'a> {
    pub(crate) fn new(monitor: &'a Monitor) -> Self {
        Self { monitor, file_name: None }
    }

    setters! {
        /// The name of the file; `constraint_violations.json` when not set.
        file_name: String,
    }

    async fn send(self) -> Result<Option<ConstraintViolations>> {
        let executions: Vec<MonitoringExecution> = self.monitor.list_executions().await?;
        let Some(newest) = executions.last() else { return Ok(None) };
        read_found(newest, self.file_name.as_deref(), None).await
    }
}

awaitable!(BaselineStatistics => Statistics);
awaitable!(SuggestedConstraints => Constraints);
awaitable!(LatestMonitoringStatistics => Option<Statistics>);
awaitable!(LatestMonitoringConstraintViolations => Option<ConstraintViolations>);

/// The calls about baselines and executions of the monitors that write statistics, for a struct with a field
/// `monitor: Monitor`. Clarify's do not write any, and their files are others.
macro_rules! statistics_methods {
    () => {
        /// The newest baselining job of this value.
        pub fn latest_baselining_job(&self) -> Option<$crate::model_monitor::BaseliningJob> {
            self.monitor.baselining_jobs.last().cloned().map($crate::model_monitor::BaseliningJob::from_processing_job)
        }

        /// The baselining jobs of this value, oldest first.
        pub fn baselining_jobs(&self) -> Vec<$crate::model_monitor::BaseliningJob> {
            let jobs = self.monitor.baselining_jobs.iter().cloned();
            jobs.map($crate::model_monitor::BaseliningJob::from_processing_job).collect()
        }

        /// Reads the statistics that the newest baselining job wrote.
        pub fn baseline_statistics(&self) -> $crate::model_monitor::latest_files::BaselineStatistics<'_> {
            $crate::model_monitor::latest_files::BaselineStatistics::new(&self.monitor)
        }

        /// Reads the constraints that the newest baselining job suggests.
        pub fn suggested_constraints(&self) -> $crate::model_monitor::latest_files::SuggestedConstraints<'_> {
            $crate::model_monitor::latest_files::SuggestedConstraints::new(&self.monitor)
        }

        /// The newest hundred executions of the schedule, oldest first: the newest is the **last**. Executions whose job could
        /// not be started are left out.
        ///
        /// # Errors
        /// There is no schedule, or the service refuses.
        pub async fn list_executions(&self) -> $crate::Result<Vec<$crate::model_monitor::MonitoringExecution>> {
            self.monitor.list_executions().await
        }

        /// Reads the statistics of the newest execution; none before the first.
        pub fn latest_monitoring_statistics(
            &self,
        ) -> $crate::model_monitor::latest_files::LatestMonitoringStatistics<'_> {
            $crate::model_monitor::latest_files::LatestMonitoringStatistics::new(&self.monitor)
        }

        /// Reads what the newest execution found against the constraints; none before the first, and none when it completed
        /// without anything to report.
        pub fn latest_monitoring_constraint_violations(
            &self,
        ) -> $crate::model_monitor::latest_files::LatestMonitoringConstraintViolations<'_> {
            $crate::model_monitor::latest_files::LatestMonitoringConstraintViolations::new(&self.monitor)
        }
    };
}

pub(crate) use statistics_methods;
