//! Whether predictions go on depending on the same features: [`ModelExplainabilityMonitor`], and the requests that its calls
//! return.

use crate::clarify::{DataConfig, ExplainabilityConfigs, ModelConfig, ModelScores, NameOrIndex, analysis_config};
use crate::processing::{ProcessingJob, Wait};
use crate::request::{awaitable, setters};
use crate::{Error, Result, Session};

use super::clarify_monitor::clarify_methods;
use super::definition_parts::{DefinitionParts, definition_setters, input_setters};
use super::monitor::{Monitor, schedule_methods, settings_setters};
use super::monitoring_type::MODEL_EXPLAINABILITY;
use super::schedule::{ScheduleTiming, timing_setters};
use super::settings_changes::{SettingsChanges, settings_change_setters};
use super::{AnalysisConfig, ClarifyBaseliningConfig, ExplainabilityAnalysisConfig, MonitoredInput, MonitoringType};

/// Watches whether predictions go on depending on the same features, and as much, with SageMaker Clarify.
///
/// ```no_run
/// use watchkeeper::clarify::{DataConfig, ModelConfig, SHAPConfig};
/// use watchkeeper::model_monitor::{CronExpressionGenerator, ModelExplainabilityMonitor};
/// use watchkeeper::processing::Wait;
/// use watchkeeper::{S3Uri, Session};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let session = Session::from_env().await?;
/// let mut monitor = ModelExplainabilityMonitor::new(&session, "monitoring-role").max_runtime_in_seconds(1800);
/// let dataset: S3Uri = "s3://bucket/validation.csv".parse()?;
/// let data = DataConfig::new(dataset, "s3://bucket/attributions".parse()?)
///     .label("Churn")
///     .headers(["Churn", "Account Length", "Day Mins"]);
/// let model = ModelConfig::new("churn-model", 1, "ml.m5.xlarge").content_type("text/csv").accept_type("text/csv");
/// let shap = SHAPConfig::new().baseline([[99.0, 180.5]]).num_samples(100);
/// monitor.suggest_baseline(&data, shap, &model).wait(Wait::Quietly).await?;
/// monitor.create_monitoring_schedule("churn").schedule_cron_expression(CronExpressionGenerator::hourly()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ModelExplainabilityMonitor {
    pub(super) monitor: Monitor,
    latest_baselining_job_config: Option<ClarifyBaseliningConfig<ExplainabilityAnalysisConfig>>,
}

impl ModelExplainabilityMonitor {
    /// What names of its job definitions begin with, unless the monitor has a base name.
    pub const JOB_DEFINITION_BASE_NAME: &str = MODEL_EXPLAINABILITY.job_definition_base_name;

    /// A monitor without a schedule, whose jobs take this role (name or ARN). Sends nothing.
    pub fn new(session: &Session, role: impl Into<String>) -> Self {
        Self { monitor: Monitor::new(session, &MODEL_EXPLAINABILITY, role), latest_baselining_job_config: None }
    }

    /// The monitor of a schedule that exists.
    ///
    /// # Errors
    /// The schedule is none of explainability, or the service refuses.
    pub async fn attach(session: &Session, monitor_schedule_name: impl Into<String> + Send) -> Result<Self> {
        let monitor = Monitor::attach(session, &MODEL_EXPLAINABILITY, &monitor_schedule_name.into()).await?;
        Ok(Self { monitor, latest_baselining_job_config: None })
    }

    /// What it watches: [`MonitoringType::ModelExplainability`].
    pub fn monitoring_type() -> MonitoringType {
        MonitoringType::ModelExplainability
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
    clarify_methods! { ExplainabilityAnalysisConfig }

    /// Starts a job that explains a model's predictions for a dataset, whose result later executions are compared with.
    pub fn suggest_baseline<'a>(
        &'a mut self,
        data_config: &'a DataConfig,
        explainability_config: impl Into<ExplainabilityConfigs>,
        model_config: &'a ModelConfig,
    ) -> SuggestBaseline<'a> {
        SuggestBaseline {
            monitor: self,
            data_config,
            explainability_config: explainability_config.into(),
            model_config,
            model_scores: None,
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
    ) -> CreateMonitoringSchedule<'_> {
        CreateMonitoringSchedule {
            monitor: self,
            parts: DefinitionParts { endpoint_input: Some(monitored_input.into()), ..DefinitionParts::default() },
            analysis_config: None,
            monitor_schedule_name: None,
            timing: ScheduleTiming::default(),
        }
    }

    /// Changes the schedule, and waits until that has come into effect. What is not said stays as it is, the expression apart:
    /// when anything else changes and no expression is said, the service is told none. Saying nothing is an error.
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

/// [`ModelExplainabilityMonitor::suggest_baseline`], sent when awaited: the job.
#[must_use = "requests are sent when they are awaited"]
#[derive(Debug)]
pub struct SuggestBaseline<'a> {
    monitor: &'a mut ModelExplainabilityMonitor,
    data_config: &'a DataConfig,
    explainability_config: ExplainabilityConfigs,
    model_config: &'a ModelConfig,
    model_scores: Option<ModelScores>,
    wait: Wait,
    job_name: Option<String>,
    kms_key: Option<String>,
}

impl SuggestBaseline<'_> {
    /// Whether the call is done when the job is started, which it is unless set, or when it has ended.
    pub fn wait(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }

    setters! {
        /// Where the scores are in what the model answers.
        model_scores: ModelScores,
        /// The name of the job; made of the base name and the time when not set.
        job_name: String,
        /// The key that encrypts the configuration that is uploaded.
        kms_key: String,
    }

    async fn send(self) -> Result<ProcessingJob> {
        let config = analysis_config::explainability(
            self.data_config,
            self.model_config,
            self.model_scores.as_ref(),
            &self.explainability_config,
        )?;
        let remembered = self.baselining_config();
        let monitor = &mut self.monitor.monitor;
        let job = monitor.start_clarify_baseline(self.job_name, self.kms_key, self.data_config, &config).await?;
        self.monitor.latest_baselining_job_config = Some(remembered);
        job.wait_as(self.wait).await?;
        Ok(job)
    }

    /// What the schedule that is made after the job takes from it.
    fn baselining_config(&self) -> ClarifyBaseliningConfig<ExplainabilityAnalysisConfig> {
        let mut analysis_config =
            ExplainabilityAnalysisConfig::new(self.explainability_config.clone(), self.model_config);
        let mut headers = self.data_config.headers.clone();
        // What is explained has no label.
        if let (Some(headers), Some(NameOrIndex::Name(label))) = (&mut headers, &self.data_config.label)
            && let Some(position) = headers.iter().position(|header| header == label)
        {
            headers.remove(position);
        }
        analysis_config.headers = headers;
        let inference = match &self.model_scores {
            None => None,
            Some(ModelScores::Place(place)) => Some(place),
            Some(ModelScores::PredictedLabel(config)) => {
                analysis_config.label_headers.clone_from(&config.label_headers);
                config.label.as_ref()
            }
        };
        ClarifyBaseliningConfig {
            features_attribute: self.data_config.features.clone(),
            inference_attribute: inference.map(ToString::to_string),
            ..ClarifyBaseliningConfig::new(analysis_config)
        }
    }
}

awaitable!(SuggestBaseline => ProcessingJob);

/// [`ModelExplainabilityMonitor::create_monitoring_schedule`], sent when awaited.
#[must_use = "requests are sent when they are awaited"]
#[derive(Debug)]
pub struct CreateMonitoringSchedule<'a> {
    monitor: &'a mut ModelExplainabilityMonitor,
    parts: DefinitionParts,
    analysis_config: Option<AnalysisConfig<ExplainabilityAnalysisConfig>>,
    monitor_schedule_name: Option<String>,
    timing: ScheduleTiming,
}

impl CreateMonitoringSchedule<'_> {
    setters! {
        /// What is analysed: a configuration, which is uploaded, or the address of a file of one.
        analysis_config: AnalysisConfig<ExplainabilityAnalysisConfig>,
        /// The name of the schedule; made of the base name and the time when not set.
        monitor_schedule_name: String,
    }

    definition_setters! {}
    timing_setters! {}

    async fn send(self) -> Result<()> {
        let Self { monitor, parts, analysis_config, monitor_schedule_name, timing } = self;
        let ModelExplainabilityMonitor { monitor, latest_baselining_job_config } = monitor;
        let baseline = latest_baselining_job_config.as_ref();
        monitor
            .create_clarify_schedule(
                &MODEL_EXPLAINABILITY,
                parts,
                analysis_config,
                baseline,
                monitor_schedule_name,
                &timing,
            )
            .await
    }
}

awaitable!(CreateMonitoringSchedule => ());

/// [`ModelExplainabilityMonitor::update_monitoring_schedule`], sent when awaited.
#[must_use = "requests are sent when they are awaited"]
#[derive(Debug)]
pub struct UpdateMonitoringSchedule<'a> {
    monitor: &'a mut ModelExplainabilityMonitor,
    parts: DefinitionParts,
    analysis_config: Option<AnalysisConfig<ExplainabilityAnalysisConfig>>,
    timing: ScheduleTiming,
    changes: SettingsChanges,
}

impl UpdateMonitoringSchedule<'_> {
    setters! {
        /// What is analysed: a configuration, which is uploaded, or the address of a file of one.
        analysis_config: AnalysisConfig<ExplainabilityAnalysisConfig>,
    }

    input_setters! {}
    definition_setters! {}
    timing_setters! {}
    settings_change_setters! {}

    async fn send(self) -> Result<()> {
        let Self { monitor, parts, analysis_config, timing, changes } = self;
        if parts.is_empty() && analysis_config.is_none() && timing.is_empty() && changes.is_empty() {
            return Err(Error::argument("update_monitoring_schedule", "Nothing to update."));
        }
        monitor.monitor.update_clarify_schedule(&MODEL_EXPLAINABILITY, parts, analysis_config, &timing, changes).await
    }
}

awaitable!(UpdateMonitoringSchedule => ());
