//! The monitor of data quality, and its requests.

use watchkeeper_aws::types::S3Uri;
use watchkeeper_formats::python_json;

use crate::processing::{ProcessingJob, Run, Wait};
use crate::request::{awaitable, setters};
use crate::{Result, Session, Source};

use super::baselining::{DATASET_INPUT_NAME, POST_ANALYTICS_PROCESSOR_INPUT_NAME, RECORD_PREPROCESSOR_INPUT_NAME};
use super::definition_parts::{BaselineFiles, DefinitionParts, definition_setters, input_setters, script_setters};
use super::embedded_definition::EmbeddedChanges;
use super::environment::Environment;
use super::latest_files::statistics_methods;
use super::monitor::{CONTAINER_OUTPUT_PATH, Monitor, schedule_methods, settings_setters};
use super::monitoring_type::DATA_QUALITY;
use super::schedule::{ScheduleTiming, describe, timing_setters};
use super::settings_changes::{SettingsChanges, settings_change_setters};
use super::{
    DataQualityMonitoringConfig, DatasetFormat, MonitoredInput, MonitoringOutput, MonitoringType, StatisticsSource,
};

/// Watches the quality of data: what a baseline says about each column, against what an endpoint or batch transform jobs
/// captured.
///
/// ```no_run
/// # async fn run(session: watchkeeper::Session) -> watchkeeper::Result<()> {
/// use watchkeeper::model_monitor::{CronExpressionGenerator, DatasetFormat, DefaultModelMonitor};
///
/// let mut monitor = DefaultModelMonitor::new(&session, "monitoring-role").instance_type("ml.m5.large");
/// monitor.suggest_baseline(std::path::Path::new("train.csv"), DatasetFormat::csv(true)).await?;
/// let (statistics, constraints) = (monitor.baseline_statistics().await?, monitor.suggested_constraints().await?);
/// monitor
///     .create_monitoring_schedule("churn")
///     .statistics(statistics)
///     .constraints(constraints)
///     .schedule_cron_expression(CronExpressionGenerator::hourly())
///     .await?;
/// if let Some(violations) = monitor.latest_monitoring_constraint_violations().await? {
///     println!("{}", violations.body_dict());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DefaultModelMonitor {
    pub(crate) monitor: Monitor,
}

impl DefaultModelMonitor {
    /// What names of job definitions begin with, unless there is a [`base_job_name`](Self::base_job_name).
    pub const JOB_DEFINITION_BASE_NAME: &'static str = DATA_QUALITY.job_definition_base_name;

    /// A monitor whose jobs take `role`, a name or an ARN. Sends nothing.
    pub fn new(session: &Session, role: impl Into<String>) -> Self {
        Self { monitor: Monitor::new(session, &DATA_QUALITY, role) }
    }

    /// The monitor of a schedule that exists, with what its jobs run with.
    ///
    /// # Errors
    /// There is no such schedule, or it watches something else.
    pub async fn attach(session: &Session, monitor_schedule_name: impl Into<String> + Send) -> Result<Self> {
        let name = monitor_schedule_name.into();
        let schedule = describe(session, &name).await?;
        let config = &schedule["MonitoringScheduleConfig"];
        let monitor = if config["MonitoringJobDefinitionName"].is_string() {
            Monitor::attach_to_definition(session, &DATA_QUALITY, &name, &schedule).await?
        } else {
            Monitor::new(session, &DATA_QUALITY, String::new()).attach_to_embedded(&name, &schedule).await?
        };
        Ok(Self { monitor })
    }

    /// What it watches: [`MonitoringType::DataQuality`].
    pub fn monitoring_type() -> MonitoringType {
        MonitoringType::DataQuality
    }

    settings_setters! {}

    /// The image that jobs run: the analyzer of the region.
    ///
    /// # Errors
    /// There is none in the region.
    pub fn image_uri(&self) -> Result<String> {
        self.monitor.image_uri()
    }

    /// Runs a job that suggests statistics and constraints for a dataset, a file or folder of this machine or of S3. Unless
    /// [`SuggestBaseline::wait`] says otherwise, its end is waited for, and its log shown.
    pub fn suggest_baseline(
        &mut self,
        baseline_dataset: impl Into<Source>,
        dataset_format: DatasetFormat,
    ) -> SuggestBaseline<'_> {
        SuggestBaseline {
            monitor: &mut self.monitor,
            baseline_dataset: baseline_dataset.into(),
            dataset_format,
            record_preprocessor_script: None,
            post_analytics_processor_script: None,
            output_s3_uri: None,
            wait: Wait::WithLogs,
            job_name: None,
            monitoring_config_override: None,
        }
    }

    /// Makes a schedule, of a job definition of its own. It is not waited until it leaves the state `Pending`.
    ///
    /// Unless [`statistics`](CreateMonitoringSchedule::statistics) and [`constraints`](CreateMonitoringSchedule::constraints)
    /// are set, they are those of the newest baselining job of this value.
    pub fn create_monitoring_schedule(
        &mut self,
        monitored_input: impl Into<MonitoredInput>,
    ) -> CreateMonitoringSchedule<'_> {
        CreateMonitoringSchedule {
            monitor: &mut self.monitor,
            parts: DefinitionParts { endpoint_input: Some(monitored_input.into()), ..DefinitionParts::default() },
            monitor_schedule_name: None,
            timing: ScheduleTiming::default(),
        }
    }

    /// Changes the schedule, and waits until that has come into effect. What is not said stays as it is; when nothing is said,
    /// nothing is sent.
    ///
    /// The jobs of the schedule get a new definition, unless only its expression changes; the old one stays.
    pub fn update_monitoring_schedule(&mut self) -> UpdateMonitoringSchedule<'_> {
        UpdateMonitoringSchedule {
            monitor: &mut self.monitor,
            parts: DefinitionParts::default(),
            timing: ScheduleTiming::default(),
            changes: SettingsChanges::default(),
        }
    }

    /// Deletes the schedule, waits until it is gone, and deletes its job definition. What is gone already is no
    /// error.
    ///
    /// # Errors
    /// There is no schedule, or the service refuses. It may then be called again, and goes on from there.
    pub async fn delete_monitoring_schedule(&mut self) -> Result<()> {
        self.monitor.delete_schedule().await
    }

    schedule_methods! {}
    statistics_methods! {}
}

/// Runs a job that suggests a baseline when awaited; gives the job.
#[must_use = "requests are sent when they are awaited"]
#[derive(Debug)]
pub struct SuggestBaseline<'a> {
    monitor: &'a mut Monitor,
    baseline_dataset: Source,
    dataset_format: DatasetFormat,
    record_preprocessor_script: Option<Source>,
    post_analytics_processor_script: Option<Source>,
    output_s3_uri: Option<S3Uri>,
    wait: Wait,
    job_name: Option<String>,
    monitoring_config_override: Option<DataQualityMonitoringConfig>,
}

impl SuggestBaseline<'_> {
    setters! {
        /// A script in Python that is called for every record.
        record_preprocessor_script: Source,
        /// A script in Python that is called after the analysis.
        post_analytics_processor_script: Source,
        /// Where the results go; `s3://<default bucket>/model-monitor/baselining/<job>/results` when not set.
        output_s3_uri: S3Uri,
        /// The name of the job; generated when not set.
        job_name: String,
        /// What replaces settings of the suggested constraints.
        monitoring_config_override: DataQualityMonitoringConfig,
    }

    /// Whether to wait for the job's end, and whether to show its log.
    pub fn wait(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }

    async fn send(self) -> Result<ProcessingJob> {
        let monitor = self.monitor;
        let job_name = monitor.generate_baselining_job_name(self.job_name);
        let dataset = monitor.baseline_input(&job_name, self.baseline_dataset, DATASET_INPUT_NAME).await?;
        let preprocessor = self.record_preprocessor_script;
        let preprocessor = monitor.baseline_script(&job_name, preprocessor, RECORD_PREPROCESSOR_INPUT_NAME).await?;
        let processor = self.post_analytics_processor_script;
        let processor = monitor.baseline_script(&job_name, processor, POST_ANALYTICS_PROCESSOR_INPUT_NAME).await?;
        let output = monitor.baseline_output(&job_name, self.output_s3_uri).await?;
        let drift_method = self
            .monitoring_config_override
            .and_then(|config| config.distribution_constraints)
            .and_then(|constraints| constraints.categorical_drift_method);
        let variables = Environment::new(monitor.settings.env.as_ref())
            .set("output_path", Some(CONTAINER_OUTPUT_PATH))
            .publish_cloudwatch_metrics(Some(false))
            .set("dataset_format", Some(python_json::dumps(&self.dataset_format)))
            .set("record_preprocessor_script", preprocessor.as_ref().map(|script| script.container_path.as_str()))
            .set("post_analytics_processor_script", processor.as_ref().map(|script| script.container_path.as_str()))
            .set("dataset_source", dataset.destination())
            .set("categorical_drift_method", drift_method.map(|method| method.to_string()))
            .into_variables();
        let scripts = [preprocessor, processor].into_iter().flatten().map(|script| script.input);
        let run = Run {
            inputs: std::iter::once(dataset).chain(scripts).collect(),
            outputs: vec![output],
            arguments: monitor.arguments.clone(),
            job_name: Some(job_name),
            ..Run::default()
        };
        monitor.run_baseline(&monitor.processor(Some(variables))?, run, self.wait).await
    }
}

awaitable!(SuggestBaseline => ProcessingJob);

/// Makes a schedule when awaited.
#[must_use = "requests are sent when they are awaited"]
#[derive(Debug)]
pub struct CreateMonitoringSchedule<'a> {
    monitor: &'a mut Monitor,
    parts: DefinitionParts,
    monitor_schedule_name: Option<String>,
    timing: ScheduleTiming,
}

impl CreateMonitoringSchedule<'_> {
    script_setters! {}
    definition_setters! {}

    /// The statistics to check against; a file given by its address is read before anything is made.
    pub fn statistics(mut self, statistics: impl Into<StatisticsSource>) -> Self {
        self.parts.statistics = Some(statistics.into());
        self
    }

    setters! {
        /// The name of the schedule; generated when not set.
        monitor_schedule_name: String,
    }

    timing_setters! {}

    async fn send(self) -> Result<()> {
        let Self { monitor, parts, monitor_schedule_name, timing } = self;
        monitor.create_schedule_of_parts(&DATA_QUALITY, parts, monitor_schedule_name, &timing).await
    }
}

awaitable!(CreateMonitoringSchedule => ());

/// Changes a schedule when awaited.
#[must_use = "requests are sent when they are awaited"]
#[derive(Debug)]
pub struct UpdateMonitoringSchedule<'a> {
    monitor: &'a mut Monitor,
    parts: DefinitionParts,
    timing: ScheduleTiming,
    changes: SettingsChanges,
}

impl UpdateMonitoringSchedule<'_> {
    input_setters! {}
    script_setters! {}
    definition_setters! {}

    /// The statistics to check against; a file given by its address is read before anything is changed.
    pub fn statistics(mut self, statistics: impl Into<StatisticsSource>) -> Self {
        self.parts.statistics = Some(statistics.into());
        self
    }

    timing_setters! {}
    settings_change_setters! {}

    async fn send(self) -> Result<()> {
        let Self { monitor, parts, mut timing, changes } = self;
        parts.monitored_input()?;
        monitor.settle().await?;
        let schedule_name = monitor.schedule_name()?;
        if monitor.job_definition_name.is_none() {
            return update_embedded(monitor, parts, &timing, changes).await;
        }
        if parts.is_empty() && changes.is_empty() && timing.has_no_times() {
            return monitor.update_timing(&DATA_QUALITY, &timing).await;
        }
        timing.check()?;
        timing.keep_expression_of(&describe(&monitor.session, schedule_name).await?);
        timing.check()?;
        monitor.update_schedule_of_parts(&DATA_QUALITY, parts, &timing, changes).await
    }
}

awaitable!(UpdateMonitoringSchedule => ());

/// Changes a schedule that says itself what its jobs are.
async fn update_embedded(
    monitor: &mut Monitor,
    parts: DefinitionParts,
    timing: &ScheduleTiming,
    changes: SettingsChanges,
) -> Result<()> {
    let input = parts.monitored_input()?;
    let scripts = parts.scripts(monitor).await?;
    let baseline = BaselineFiles::checked(monitor, parts.statistics.as_ref(), parts.constraints.as_ref()).await?;
    let environment = Environment::new(changes.env.as_ref())
        .set("output_path", parts.output_s3_uri.as_ref().map(|_| CONTAINER_OUTPUT_PATH))
        .publish_cloudwatch_metrics(parts.enable_cloudwatch_metrics)
        .into_variables();
    let output = parts.output_s3_uri.map(|uri| MonitoringOutput::new(CONTAINER_OUTPUT_PATH).destination(uri));
    let changes = EmbeddedChanges {
        input,
        output,
        statistics: baseline.statistics,
        constraints: baseline.constraints,
        record_preprocessor_script: scripts.record_preprocessor,
        post_analytics_processor_script: scripts.post_analytics_processor,
        environment: Some(environment).filter(|environment| !environment.is_empty()),
        settings: changes,
        ..EmbeddedChanges::default()
    };
    monitor.update_embedded_schedule(changes, timing).await
}
