//! The monitor of model quality, and its requests.

use watchkeeper_aws::types::S3Uri;
use watchkeeper_formats::{ProblemType, python_json};

use crate::processing::{ProcessingJob, Run, Wait};
use crate::request::{awaitable, setters};
use crate::{Result, Session, Source};

use super::baselining::{DATASET_INPUT_NAME, POST_ANALYTICS_PROCESSOR_INPUT_NAME};
use super::definition_parts::{DefinitionParts, definition_setters, input_setters, script_setters};
use super::environment::Environment;
use super::latest_files::statistics_methods;
use super::monitor::{CONTAINER_OUTPUT_PATH, Monitor, schedule_methods, settings_setters};
use super::monitoring_type::MODEL_QUALITY;
use super::schedule::{ScheduleTiming, timing_setters};
use super::settings_changes::{SettingsChanges, settings_change_setters};
use super::{DatasetFormat, MonitoredInput, MonitoringType};

/// Watches the quality of a model: its predictions, which an endpoint or batch transform jobs captured, against the truth, which
/// becomes known later.
///
/// ```no_run
/// # async fn run(session: watchkeeper::Session) -> Result<(), Box<dyn std::error::Error>> {
/// use watchkeeper::S3Uri;
/// use watchkeeper::model_monitor::{
///     CronExpressionGenerator, DatasetFormat, EndpointInput, ModelQualityMonitor, ProblemType,
/// };
///
/// let mut monitor = ModelQualityMonitor::new(&session, "monitoring-role");
/// let job = monitor
///     .suggest_baseline(std::path::Path::new("test.csv"), DatasetFormat::csv(true), ProblemType::BinaryClassification)
///     .inference_attribute("prediction")
///     .probability_attribute("probability")
///     .ground_truth_attribute("label")
///     .await?;
/// job.wait().logs(false).await?;
/// let constraints = monitor.suggested_constraints().await?;
/// let endpoint = EndpointInput::new("churn", "/opt/ml/processing/input/endpoint")
///     .probability_attribute("0")
///     .probability_threshold_attribute(0.8);
/// let ground_truth: S3Uri = "s3://bucket/ground-truth".parse()?;
/// monitor
///     .create_monitoring_schedule(endpoint, ground_truth, ProblemType::BinaryClassification)
///     .constraints(constraints)
///     .schedule_cron_expression(CronExpressionGenerator::hourly())
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ModelQualityMonitor {
    pub(crate) monitor: Monitor,
}

impl ModelQualityMonitor {
    /// What names of job definitions begin with, unless there is a [`base_job_name`](Self::base_job_name).
    pub const JOB_DEFINITION_BASE_NAME: &'static str = MODEL_QUALITY.job_definition_base_name;

    /// A monitor whose jobs take `role`, a name or an ARN. Sends nothing.
    pub fn new(session: &Session, role: impl Into<String>) -> Self {
        Self { monitor: Monitor::new(session, &MODEL_QUALITY, role) }
    }

    /// The monitor of a schedule that exists, with what its jobs run with.
    ///
    /// # Errors
    /// There is no such schedule, or it watches something else.
    pub async fn attach(session: &Session, monitor_schedule_name: impl Into<String> + Send) -> Result<Self> {
        let monitor = Monitor::attach(session, &MODEL_QUALITY, &monitor_schedule_name.into()).await?;
        Ok(Self { monitor })
    }

    /// What it watches: [`MonitoringType::ModelQuality`].
    pub fn monitoring_type() -> MonitoringType {
        MonitoringType::ModelQuality
    }

    settings_setters! {}

    /// The image that jobs run: the analyzer of the region.
    ///
    /// # Errors
    /// There is none in the region.
    pub fn image_uri(&self) -> Result<String> {
        self.monitor.image_uri()
    }

    /// Runs a job that suggests constraints for a model, of a dataset with predictions and the truth: a file or folder of this
    /// machine or of S3. It is not waited for its end, unless [`SuggestBaseline::wait`] says so.
    pub fn suggest_baseline(
        &mut self,
        baseline_dataset: impl Into<Source>,
        dataset_format: DatasetFormat,
        problem_type: ProblemType,
    ) -> SuggestBaseline<'_> {
        SuggestBaseline {
            monitor: &mut self.monitor,
            baseline_dataset: baseline_dataset.into(),
            dataset_format,
            problem_type,
            inference_attribute: None,
            probability_attribute: None,
            ground_truth_attribute: None,
            probability_threshold_attribute: None,
            post_analytics_processor_script: None,
            output_s3_uri: None,
            wait: Wait::No,
            job_name: None,
        }
    }

    /// Makes a schedule, of a job definition of its own; `ground_truth_input` is where the truth is put, by the hour. It is not
    /// waited until the schedule leaves the state `Pending`.
    ///
    /// Unless [`constraints`](CreateMonitoringSchedule::constraints) are set, they are those of the newest baselining job of
    /// this value.
    pub fn create_monitoring_schedule(
        &mut self,
        monitored_input: impl Into<MonitoredInput>,
        ground_truth_input: impl Into<S3Uri>,
        problem_type: ProblemType,
    ) -> CreateMonitoringSchedule<'_> {
        CreateMonitoringSchedule {
            monitor: &mut self.monitor,
            parts: DefinitionParts {
                endpoint_input: Some(monitored_input.into()),
                ground_truth_input: Some(ground_truth_input.into()),
                problem_type: Some(problem_type),
                ..DefinitionParts::default()
            },
            monitor_schedule_name: None,
            timing: ScheduleTiming::default(),
        }
    }

    /// Changes the schedule, and waits until that has come into effect. What is not said stays as it is, the expression apart:
    /// when anything else changes and no expression is said, the service is told none. When nothing is said, nothing is sent.
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
    problem_type: ProblemType,
    inference_attribute: Option<String>,
    probability_attribute: Option<String>,
    ground_truth_attribute: Option<String>,
    probability_threshold_attribute: Option<String>,
    post_analytics_processor_script: Option<Source>,
    output_s3_uri: Option<S3Uri>,
    wait: Wait,
    job_name: Option<String>,
}

impl SuggestBaseline<'_> {
    setters! {
        /// Index, header or `JSONPath` of the predicted label.
        inference_attribute: String,
        /// Index, header or `JSONPath` of the probabilities.
        probability_attribute: String,
        /// Index, header or `JSONPath` of the true label.
        ground_truth_attribute: String,
        /// A script in Python that is called after the analysis.
        post_analytics_processor_script: Source,
        /// Where the results go; `s3://<default bucket>/model-monitor/baselining/<job>/results` when not set.
        output_s3_uri: S3Uri,
        /// The name of the job; generated when not set.
        job_name: String,
    }

    /// From which probability on a prediction counts as positive.
    pub fn probability_threshold_attribute(mut self, probability_threshold_attribute: f64) -> Self {
        self.probability_threshold_attribute = Some(python_json::dumps(&probability_threshold_attribute));
        self
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
        let script = self.post_analytics_processor_script;
        let script = monitor.baseline_script(&job_name, script, POST_ANALYTICS_PROCESSOR_INPUT_NAME).await?;
        let output = monitor.baseline_output(&job_name, self.output_s3_uri).await?;
        let variables = Environment::new(monitor.settings.env.as_ref())
            .set("output_path", Some(CONTAINER_OUTPUT_PATH))
            .publish_cloudwatch_metrics(Some(false))
            .set("dataset_format", Some(python_json::dumps(&self.dataset_format)))
            .set("post_analytics_processor_script", script.as_ref().map(|script| script.container_path.as_str()))
            .set("dataset_source", dataset.destination())
            .set("analysis_type", Some("MODEL_QUALITY"))
            .set("problem_type", Some(self.problem_type.as_str()))
            .set("inference_attribute", self.inference_attribute)
            .set("probability_attribute", self.probability_attribute)
            .set("ground_truth_attribute", self.ground_truth_attribute)
            .set("probability_threshold_attribute", self.probability_threshold_attribute)
            .into_variables();
        let run = Run {
            inputs: std::iter::once(dataset).chain(script.map(|script| script.input)).collect(),
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

    setters! {
        /// The name of the schedule; generated when not set.
        monitor_schedule_name: String,
    }

    timing_setters! {}

    async fn send(self) -> Result<()> {
        let Self { monitor, parts, monitor_schedule_name, timing } = self;
        monitor.create_schedule_of_parts(&MODEL_QUALITY, parts, monitor_schedule_name, &timing).await
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

    /// Where the truth is put from now on.
    pub fn ground_truth_input(mut self, ground_truth_input: impl Into<S3Uri>) -> Self {
        self.parts.ground_truth_input = Some(ground_truth_input.into());
        self
    }

    /// What the model predicts.
    pub fn problem_type(mut self, problem_type: ProblemType) -> Self {
        self.parts.problem_type = Some(problem_type);
        self
    }

    timing_setters! {}
    settings_change_setters! {}

    async fn send(self) -> Result<()> {
        let Self { monitor, parts, timing, changes } = self;
        parts.monitored_input()?;
        monitor.settle().await?;
        if parts.is_empty() && changes.is_empty() && timing.has_no_times() {
            return monitor.update_timing(&MODEL_QUALITY, &timing).await;
        }
        timing.check()?;
        monitor.update_schedule_of_parts(&MODEL_QUALITY, parts, &timing, changes).await
    }
}

awaitable!(UpdateMonitoringSchedule => ());
