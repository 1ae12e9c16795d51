//! Whether predictions stay as fair as they were: [`ModelBiasMonitor`], and the requests that its calls return.

use watchkeeper_aws::types::S3Uri;

use crate::clarify::analysis_config::{self, Methods, Predictions};
use crate::clarify::{BiasConfig, DataConfig, ModelConfig, ModelPredictedLabelConfig};
use crate::processing::{ProcessingJob, Wait};
use crate::request::{awaitable, setters};
use crate::{Result, Session};

use super::clarify_monitor::clarify_methods;
use super::definition_parts::{DefinitionParts, definition_setters, input_setters};
use super::monitor::{Monitor, schedule_methods, settings_setters};
use super::monitoring_type::MODEL_BIAS;
use super::schedule::{ScheduleTiming, timing_setters};
use super::settings_changes::{SettingsChanges, settings_change_setters};
use super::{AnalysisConfig, BiasAnalysisConfig, ClarifyBaseliningConfig, MonitoredInput, MonitoringType};

/// Watches how much better or worse some groups fare in a model's predictions than others, with SageMaker Clarify. It needs the
/// truth about predictions, which is merged with what was captured.
///
/// ```no_run
/// use watchkeeper::clarify::{BiasConfig, DataConfig, ModelConfig, ModelPredictedLabelConfig};
/// use watchkeeper::model_monitor::{CronExpressionGenerator, EndpointInput, ModelBiasMonitor};
/// use watchkeeper::processing::Wait;
/// use watchkeeper::{S3Uri, Session};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let session = Session::from_env().await?;
/// let mut monitor = ModelBiasMonitor::new(&session, "monitoring-role").max_runtime_in_seconds(1800);
/// let dataset: S3Uri = "s3://bucket/validation.csv".parse()?;
/// let data = DataConfig::new(dataset, "s3://bucket/bias".parse()?)
///     .label("Churn")
///     .headers(["Churn", "Account Length", "Day Mins"]);
/// let bias = BiasConfig::new([1], "Account Length").facet_values_or_threshold([100]);
/// let model = ModelConfig::new("churn-model", 1, "ml.m5.xlarge").content_type("text/csv").accept_type("text/csv");
/// let label = ModelPredictedLabelConfig::new().probability_threshold(0.8);
/// monitor.suggest_baseline(&data, &bias, &model).model_predicted_label_config(&label).wait(Wait::Quietly).await?;
/// let constraints = monitor.suggested_constraints().await?;
/// let endpoint = EndpointInput::new("churn", "/opt/ml/processing/input/endpoint");
/// let ground_truth: S3Uri = "s3://bucket/ground-truth".parse()?;
/// monitor
///     .create_monitoring_schedule(endpoint, ground_truth)
///     .constraints(&constraints)
///     .schedule_cron_expression(CronExpressionGenerator::hourly())
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ModelBiasMonitor {
    pub(super) monitor: Monitor,
    latest_baselining_job_config: Option<ClarifyBaseliningConfig<BiasAnalysisConfig>>,
}

impl ModelBiasMonitor {
    /// What names of its job definitions begin with, unless the monitor has a base name.
    pub const JOB_DEFINITION_BASE_NAME: &str = MODEL_BIAS.job_definition_base_name;

    /// A monitor without a schedule, whose jobs take this role (name or ARN). Sends nothing.
    pub fn new(session: &Session, role: impl Into<String>) -> Self {
        Self { monitor: Monitor::new(session, &MODEL_BIAS, role), latest_baselining_job_config: None }
    }

    /// The monitor of a schedule that exists.
    ///
    /// # Errors
    /// The schedule is none of bias, or the service refuses.
    pub async fn attach(session: &Session, monitor_schedule_name: impl Into<String> + Send) -> Result<Self> {
        let monitor = Monitor::attach(session, &MODEL_BIAS, &monitor_schedule_name.into()).await?;
        Ok(Self { monitor, latest_baselining_job_config: None })
    }

    /// What it watches: [`MonitoringType::ModelBias`].
    pub fn monitoring_type() -> MonitoringType {
        MonitoringType::ModelBias
    }

    settings_setters! {}

    /// The image that jobs run: that of Clarify in the region.
    ///
    /// # Errors
    /// There is none in the region.
    pub fn image_uri(&self) -> Result<String> {
        self.monitor.image_uri()
    }

    schedule_methods! {}
    clarify_methods! { BiasAnalysisConfig }

    /// Starts a job that analyses a dataset, whose result later executions are compared with. The model may be left out
    /// (`None`) when the dataset has predictions.
    pub fn suggest_baseline<'a>(
        &'a mut self,
        data_config: &'a DataConfig,
        bias_config: &'a BiasConfig,
        model_config: impl Into<Option<&'a ModelConfig>>,
    ) -> SuggestBaseline<'a> {
        SuggestBaseline {
            monitor: self,
            data_config,
            bias_config,
            model_config: model_config.into(),
            model_predicted_label_config: None,
            wait: Wait::No,
            job_name: None,
            kms_key: None,
        }
    }

    /// Makes a schedule that compares what is captured with constraints: those given, or those of the newest baselining job of
    /// this value. Nothing is waited for. When the schedule cannot be made, its job definition is deleted again.
    pub fn create_monitoring_schedule(
        &mut self,
        monitored_input: impl Into<MonitoredInput>,
        ground_truth_input: impl Into<S3Uri>,
    ) -> CreateMonitoringSchedule<'_> {
        CreateMonitoringSchedule {
            monitor: self,
            parts: DefinitionParts {
                endpoint_input: Some(monitored_input.into()),
                ground_truth_input: Some(ground_truth_input.into()),
                ..DefinitionParts::default()
            },
            analysis_config: None,
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
            monitor: self,
            parts: DefinitionParts::default(),
            analysis_config: None,
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
}

/// [`ModelBiasMonitor::suggest_baseline`], sent when awaited: the job.
#[must_use = "requests are sent when they are awaited"]
#[derive(Debug)]
pub struct SuggestBaseline<'a> {
    monitor: &'a mut ModelBiasMonitor,
    data_config: &'a DataConfig,
    bias_config: &'a BiasConfig,
    model_config: Option<&'a ModelConfig>,
    model_predicted_label_config: Option<&'a ModelPredictedLabelConfig>,
    wait: Wait,
    job_name: Option<String>,
    kms_key: Option<String>,
}

impl<'a> SuggestBaseline<'a> {
    /// Where predictions are in what the model answers.
    pub fn model_predicted_label_config(mut self, config: &'a ModelPredictedLabelConfig) -> Self {
        self.model_predicted_label_config = Some(config);
        self
    }

    /// Whether the call is done when the job is started, which it is unless set, or when it has ended.
    pub fn wait(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }

    setters! {
        /// The name of the job; made of the base name and the time when not set.
        job_name: String,
        /// The key that encrypts the configuration that is uploaded.
        kms_key: String,
    }

    async fn send(self) -> Result<ProcessingJob> {
        let predictions = Predictions { model: self.model_config, predicted_label: self.model_predicted_label_config };
        let config = analysis_config::bias(self.data_config, self.bias_config, predictions, Methods::all_of_bias())?;
        let remembered = self.baselining_config();
        let monitor = &mut self.monitor.monitor;
        let job = monitor.start_clarify_baseline(self.job_name, self.kms_key, self.data_config, &config).await?;
        self.monitor.latest_baselining_job_config = Some(remembered);
        job.wait_as(self.wait).await?;
        Ok(job)
    }

    /// What the schedule that is made after the job takes from it.
    fn baselining_config(&self) -> ClarifyBaseliningConfig<BiasAnalysisConfig> {
        let mut analysis_config = BiasAnalysisConfig::new(self.bias_config);
        analysis_config.headers.clone_from(&self.data_config.headers);
        analysis_config.label.clone_from(&self.data_config.label);
        let predicted_label = self.model_predicted_label_config;
        ClarifyBaseliningConfig {
            analysis_config,
            features_attribute: self.data_config.features.clone(),
            inference_attribute: predicted_label.and_then(|config| config.label.as_ref()).map(ToString::to_string),
            probability_attribute: predicted_label
                .and_then(|config| config.probability.as_ref())
                .map(ToString::to_string),
            probability_threshold_attribute: predicted_label.and_then(|config| config.probability_threshold),
        }
    }
}

awaitable!(SuggestBaseline => ProcessingJob);

/// [`ModelBiasMonitor::create_monitoring_schedule`], sent when awaited.
#[must_use = "requests are sent when they are awaited"]
#[derive(Debug)]
pub struct CreateMonitoringSchedule<'a> {
    monitor: &'a mut ModelBiasMonitor,
    parts: DefinitionParts,
    analysis_config: Option<AnalysisConfig<BiasAnalysisConfig>>,
    monitor_schedule_name: Option<String>,
    timing: ScheduleTiming,
}

impl CreateMonitoringSchedule<'_> {
    setters! {
        /// What is analysed: a configuration, which is uploaded, or the address of a file of one.
        analysis_config: AnalysisConfig<BiasAnalysisConfig>,
        /// The name of the schedule; made of the base name and the time when not set.
        monitor_schedule_name: String,
    }

    definition_setters! {}
    timing_setters! {}

    async fn send(self) -> Result<()> {
        let Self { monitor, parts, analysis_config, monitor_schedule_name, timing } = self;
        let ModelBiasMonitor { monitor, latest_baselining_job_config } = monitor;
        let baseline = latest_baselining_job_config.as_ref();
        monitor
            .create_clarify_schedule(&MODEL_BIAS, parts, analysis_config, baseline, monitor_schedule_name, &timing)
            .await
    }
}

awaitable!(CreateMonitoringSchedule => ());

/// [`ModelBiasMonitor::update_monitoring_schedule`], sent when awaited.
#[must_use = "requests are sent when they are awaited"]
#[derive(Debug)]
pub struct UpdateMonitoringSchedule<'a> {
    monitor: &'a mut ModelBiasMonitor,
    parts: DefinitionParts,
    analysis_config: Option<AnalysisConfig<BiasAnalysisConfig>>,
    timing: ScheduleTiming,
    changes: SettingsChanges,
}

impl UpdateMonitoringSchedule<'_> {
    setters! {
        /// What is analysed: a configuration, which is uploaded, or the address of a file of one.
        analysis_config: AnalysisConfig<BiasAnalysisConfig>,
    }

    input_setters! {}

    /// Where the truth about predictions is.
    pub fn ground_truth_input(mut self, ground_truth_input: impl Into<S3Uri>) -> Self {
        self.parts.ground_truth_input = Some(ground_truth_input.into());
        self
    }

    definition_setters! {}
    timing_setters! {}
    settings_change_setters! {}

    async fn send(self) -> Result<()> {
        let Self { monitor, parts, analysis_config, timing, changes } = self;
        monitor.monitor.update_clarify_schedule(&MODEL_BIAS, parts, analysis_config, &timing, changes).await
    }
}

awaitable!(UpdateMonitoringSchedule => ());
