//! What all monitors have in common: what their jobs run with, which schedule they stand for, and the calls that are the same
//! whatever is monitored.
//!
//! Python has a base class here. The monitors of this crate each hold a [`Monitor`] and get its calls as methods of their own
//! from [`settings_setters!`] and [`schedule_methods!`], so that each monitor's page shows everything it can do and nothing
//! that it cannot.

use std::collections::BTreeMap;

use crate::network::NetworkConfig;
use crate::processing::{ProcessingJob, Tag};
use crate::session::name_from_base;
use crate::{Error, Result, Session, image_uris};

use super::monitoring_type::MonitorKind;

const SUGGESTION_JOB_BASE_NAME: &str = "baseline-suggestion-job";
const MONITORING_SCHEDULE_BASE_NAME: &str = "monitoring-schedule";
/// The folder of a job's container that what it finds is uploaded from.
pub(crate) const CONTAINER_OUTPUT_PATH: &str = "/opt/ml/processing/output";
/// The folder of a job's container that its inputs are in.
pub(crate) const CONTAINER_INPUT_PATH: &str = "/opt/ml/processing/input";

/// What the jobs of a monitor run with.
///
/// Monitors have a setter for each; this is what they hold, and what [`attach`](super::DefaultModelMonitor::attach) read from
/// the service.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MonitorSettings {
    /// Name or ARN of the role that jobs take.
    pub role: String,
    /// How many instances a job runs on; 1 when not set.
    pub instance_count: u32,
    /// What instances; `ml.m5.xlarge` when not set.
    pub instance_type: String,
    /// How much disk an instance has, in gigabytes; 30 when not set.
    pub volume_size_in_gb: u32,
    /// The key that this disk is encrypted with.
    pub volume_kms_key: Option<String>,
    /// The key that what jobs find is encrypted with.
    pub output_kms_key: Option<String>,
    /// After how many seconds a job is stopped; the service's own 3600 when not set.
    pub max_runtime_in_seconds: Option<u32>,
    /// What generated names begin with.
    pub base_job_name: Option<String>,
    /// Environment variables of the container.
    pub env: Option<BTreeMap<String, String>>,
    /// Tags of what is made.
    pub tags: Option<Vec<Tag>>,
    /// How jobs are connected.
    pub network_config: Option<NetworkConfig>,
}

impl MonitorSettings {
    fn new(role: String) -> Self {
        Self {
            role,
            instance_count: 1,
            instance_type: "ml.m5.xlarge".to_owned(),
            volume_size_in_gb: 30,
            volume_kms_key: None,
            output_kms_key: None,
            max_runtime_in_seconds: None,
            base_job_name: None,
            env: None,
            tags: None,
            network_config: None,
        }
    }
}

/// What all monitors have in common.
///
/// A schedule that this stands for is `monitoring_schedule_name`; unless its jobs are described in the schedule itself (old
/// schedules, and those of [`ModelMonitor`](super::ModelMonitor)), `job_definition_name` is the job definition that it uses.
#[derive(Clone, Debug)]
pub(crate) struct Monitor {
    pub(crate) session: Session,
    /// None for a monitor with an image of its own, whose jobs are described in the schedule itself.
    pub(crate) kind: Option<&'static MonitorKind>,
    pub(crate) settings: MonitorSettings,
    /// None when it is the kind's own image, which [`Self::image_uri`] looks up.
    pub(crate) image_uri: Option<String>,
    pub(crate) entrypoint: Option<Vec<String>>,
    pub(crate) arguments: Option<Vec<String>>,
    /// The job that a schedule made next takes its baseline from.
    pub(crate) latest_baselining_job_name: Option<String>,
    /// Oldest first.
    pub(crate) baselining_jobs: Vec<ProcessingJob>,
    pub(crate) monitoring_schedule_name: Option<String>,
    pub(crate) job_definition_name: Option<String>,
    /// Whether the service already took the order to delete the schedule, so that a deletion that was given up half-way can
    /// be called again.
    pub(super) is_deletion_accepted: bool,
    /// What a call left behind that was given up or got no answer half-way.
    pub(super) unsettled: Option<UnsettledDefinition>,
}

/// A job definition that was, or may have been, made for a schedule of which it is not known whether it uses it.
#[derive(Clone, Debug)]
pub(super) struct UnsettledDefinition {
    pub(super) kind: &'static MonitorKind,
    pub(super) definition_name: String,
    pub(super) schedule_name: String,
}

impl Monitor {
    /// A monitor of one of the four kinds, without a schedule. Sends nothing.
    pub(crate) fn new(session: &Session, kind: &'static MonitorKind, role: impl Into<String>) -> Self {
        Self::bare(session, Some(kind), None, role.into())
    }

    /// A monitor with an image of its own.
    pub(crate) fn with_image(session: &Session, role: impl Into<String>, image_uri: impl Into<String>) -> Self {
        Self::bare(session, None, Some(image_uri.into()), role.into())
    }

    fn bare(session: &Session, kind: Option<&'static MonitorKind>, image_uri: Option<String>, role: String) -> Self {
        Self {
            session: session.clone(),
            kind,
            settings: MonitorSettings::new(role),
            image_uri,
            entrypoint: None,
            arguments: None,
            latest_baselining_job_name: None,
            baselining_jobs: Vec::new(),
            monitoring_schedule_name: None,
            job_definition_name: None,
            is_deletion_accepted: false,
            unsettled: None,
        }
    }

    /// The image of its jobs; looked up without asking a service.
    ///
    /// # Errors
    /// There is no image of this kind in the region.
    pub(crate) fn image_uri(&self) -> Result<String> {
        match (&self.image_uri, self.kind) {
            (Some(image), _) => Ok(image.clone()),
            (None, Some(kind)) => image_uris::retrieve(kind.image_framework, self.session.region()),
            (None, None) => Err(Error::argument("image_uri", "a monitor without a kind needs an image")),
        }
    }

    /// The ARN of the role of its jobs.
    pub(crate) async fn role_arn(&self, role: &str) -> Result<String> {
        if role.is_empty() {
            return Err(Error::argument("role", "An AWS IAM role is required to create a Monitoring Schedule."));
        }
        self.session.expand_role(role).await
    }

    /// The given name, or a new one for a baselining job.
    pub(crate) fn generate_baselining_job_name(&self, job_name: Option<String>) -> String {
        job_name.unwrap_or_else(|| self.generate_name(SUGGESTION_JOB_BASE_NAME))
    }

    /// The given name, or a new one for a schedule.
    pub(crate) fn generate_monitoring_schedule_name(&self, schedule_name: Option<String>) -> String {
        schedule_name.unwrap_or_else(|| self.generate_name(MONITORING_SCHEDULE_BASE_NAME))
    }

    /// A new name for a job definition of this kind.
    pub(crate) fn generate_job_definition_name(&self, kind: &MonitorKind) -> String {
        self.generate_name(kind.job_definition_base_name)
    }

    fn generate_name(&self, otherwise: &str) -> String {
        // An empty base name counts as none, as in Python.
        let base = self.settings.base_job_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(otherwise);
        name_from_base(base)
    }

    /// The schedule that this stands for.
    ///
    /// # Errors
    /// There is none yet; `otherwise` says what to do.
    pub(crate) fn schedule_name(&self) -> Result<&str> {
        self.monitoring_schedule_name.as_deref().ok_or_else(|| {
            Error::argument("monitoring_schedule_name", "there is no schedule, please create a schedule first")
        })
    }

    /// The job definition that the schedule uses.
    ///
    /// # Errors
    /// There is none, in Python's words.
    pub(crate) fn definition_name(&self) -> Result<&str> {
        self.job_definition_name
            .as_deref()
            .ok_or_else(|| Error::argument("job_definition_name", "Nothing to update, please create a schedule first."))
    }

    /// Keeps a baselining job that was started: the newest is the one that schedules take their baseline from.
    pub(crate) fn keep_baselining_job(&mut self, job: ProcessingJob) {
        self.latest_baselining_job_name = Some(job.job_name().to_owned());
        self.baselining_jobs.push(job);
    }

    /// The newest baselining job.
    ///
    /// # Errors
    /// There is none, in Python's words.
    pub(crate) fn last_baselining_job(&self) -> Result<&ProcessingJob> {
        self.baselining_jobs
            .last()
            .ok_or_else(|| Error::argument("latest_baselining_job", "No suggestion jobs were kicked off."))
    }
}

/// The setters that every monitor has, for a struct with a field `monitor: Monitor`.
macro_rules! settings_setters {
    () => {
        /// How many instances a job runs on; 1 when not set.
        #[must_use]
        pub fn instance_count(mut self, instance_count: u32) -> Self {
            self.monitor.settings.instance_count = instance_count;
            self
        }

        /// What instances jobs run on; `ml.m5.xlarge` when not set.
        #[must_use]
        pub fn instance_type(mut self, instance_type: impl Into<String>) -> Self {
            self.monitor.settings.instance_type = instance_type.into();
            self
        }

        /// How much disk an instance has, in gigabytes; 30 when not set.
        #[must_use]
        pub fn volume_size_in_gb(mut self, volume_size_in_gb: u32) -> Self {
            self.monitor.settings.volume_size_in_gb = volume_size_in_gb;
            self
        }

        /// The key that the disk of an instance is encrypted with.
        #[must_use]
        pub fn volume_kms_key(mut self, volume_kms_key: impl Into<String>) -> Self {
            self.monitor.settings.volume_kms_key = Some(volume_kms_key.into());
            self
        }

        /// The key that what jobs find is encrypted with.
        #[must_use]
        pub fn output_kms_key(mut self, output_kms_key: impl Into<String>) -> Self {
            self.monitor.settings.output_kms_key = Some(output_kms_key.into());
            self
        }

        /// After how many seconds a job is stopped; the service's own 3600 when not set.
        #[must_use]
        pub fn max_runtime_in_seconds(mut self, max_runtime_in_seconds: u32) -> Self {
            self.monitor.settings.max_runtime_in_seconds = Some(max_runtime_in_seconds);
            self
        }

        /// What generated names of jobs, schedules and job definitions begin with.
        #[must_use]
        pub fn base_job_name(mut self, base_job_name: impl Into<String>) -> Self {
            self.monitor.settings.base_job_name = Some(base_job_name.into());
            self
        }

        /// Environment variables of the container.
        #[must_use]
        pub fn env<N: Into<String>, V: Into<String>>(mut self, env: impl IntoIterator<Item = (N, V)>) -> Self {
            self.monitor.settings.env =
                Some(env.into_iter().map(|(name, value)| (name.into(), value.into())).collect());
            self
        }

        /// Tags of what is made: names and values.
        #[must_use]
        pub fn tags<N: Into<String>, V: Into<String>>(mut self, tags: impl IntoIterator<Item = (N, V)>) -> Self {
            let tag = |(key, value): (N, V)| $crate::processing::Tag { key: key.into(), value: value.into() };
            self.monitor.settings.tags = Some(tags.into_iter().map(tag).collect());
            self
        }

        /// How jobs are connected.
        #[must_use]
        pub fn network_config(mut self, network_config: $crate::network::NetworkConfig) -> Self {
            self.monitor.settings.network_config = Some(network_config);
            self
        }

        /// What jobs run with, as it stands.
        pub fn settings(&self) -> &$crate::model_monitor::MonitorSettings {
            &self.monitor.settings
        }
    };
}

/// The calls that are the same for every monitor, for a struct with a field `monitor: Monitor`. The calls about executions and
/// baselines, whose types differ, are in [`statistics_methods!`](super::latest_files::statistics_methods).
macro_rules! schedule_methods {
    () => {
        /// The schedule that this stands for, once one is made or attached to.
        pub fn monitoring_schedule_name(&self) -> Option<&str> {
            self.monitor.monitoring_schedule_name.as_deref()
        }

        /// The job definition that the schedule uses.
        pub fn job_definition_name(&self) -> Option<&str> {
            self.monitor.job_definition_name.as_deref()
        }

        /// Starts the schedule, and waits until that has come into effect.
        ///
        /// # Errors
        /// There is no schedule, the service refuses, or the schedule is `Failed` or still `Pending` after that.
        pub async fn start_monitoring_schedule(&self) -> $crate::Result<()> {
            self.monitor.start_schedule().await
        }

        /// Stops the schedule, and waits until that has come into effect. Executions that run are not ended.
        ///
        /// # Errors
        /// There is no schedule, the service refuses, or the schedule is `Failed` or still `Pending` after that.
        pub async fn stop_monitoring_schedule(&self) -> $crate::Result<()> {
            self.monitor.stop_schedule().await
        }

        /// What the service says about the schedule.
        ///
        /// # Errors
        /// There is no schedule, or the service refuses.
        pub async fn describe_schedule(&self) -> $crate::Result<$crate::model_monitor::MonitoringScheduleDescription> {
            self.monitor.describe_schedule().await
        }

        /// What the service says about the newest baselining job of this value.
        ///
        /// # Errors
        /// None was started, or the service refuses.
        pub async fn describe_latest_baselining_job(
            &self,
        ) -> $crate::Result<$crate::processing::ProcessingJobDescription> {
            self.monitor.last_baselining_job()?.describe().await
        }

        /// Shows the log of the newest execution to the session's listener; until it ends, when the request says
        /// [`wait`](crate::model_monitor::executions::GetLatestExecutionLogs::wait).
        pub fn get_latest_execution_logs(&self) -> $crate::model_monitor::executions::GetLatestExecutionLogs<'_> {
            $crate::model_monitor::executions::GetLatestExecutionLogs::new(&self.monitor)
        }

        /// Says how many of the last `evaluation_period` executions must have had violations for an alert to be raised.
        ///
        /// # Errors
        /// There is no schedule, both numbers are 0, or the service refuses.
        pub async fn update_monitoring_alert(
            &self,
            monitoring_alert_name: impl Into<String> + Send,
            data_points_to_alert: u32,
            evaluation_period: u32,
        ) -> $crate::Result<()> {
            self.monitor
                .update_monitoring_alert(&monitoring_alert_name.into(), data_points_to_alert, evaluation_period)
                .await
        }

        /// The alerts of the schedule, a page at a time, with the token of the next page; none without a schedule.
        pub fn list_monitoring_alerts(&self) -> $crate::model_monitor::alerts::ListMonitoringAlerts<'_> {
            $crate::model_monitor::alerts::ListMonitoringAlerts::new(&self.monitor)
        }

        /// When alerts of the schedule were raised and when not, a page at a time, with the token of the next page; nothing
        /// without a schedule.
        pub fn list_monitoring_alert_history(&self) -> $crate::model_monitor::alerts::ListMonitoringAlertHistory<'_> {
            $crate::model_monitor::alerts::ListMonitoringAlertHistory::new(&self.monitor)
        }
    };
}

pub(crate) use {schedule_methods, settings_setters};
