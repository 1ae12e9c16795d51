//! The jobs that analyse.

use std::collections::BTreeMap;

use watchkeeper_formats::python_json;

use super::analysis_config::{self, Config, Methods, Predictions};
use super::{
    BiasConfig, BiasMethods, DataConfig, DatasetType, ExplainabilityConfigs, ModelConfig, ModelPredictedLabelConfig,
    ModelScores, PostTrainingMethod, PreTrainingMethod,
};
use crate::network::NetworkConfig;
use crate::processing::{
    self, ExperimentConfig, ProcessingInput, ProcessingJob, ProcessingOutput, Processor, Run, S3UploadMode, Tag, Wait,
};
use crate::request::{awaitable, setters};
use crate::session::name_from_base;
use crate::{Result, S3Uri, Session, image_uris};

const DATA_INPUT: &str = "/opt/ml/processing/input/data";
const CONFIG_INPUT: &str = "/opt/ml/processing/input/config";
const OUTPUT: &str = "/opt/ml/processing/output";

/// Runs analyses: of bias in labels and predictions, and of what features add to predictions. The monitors' `suggest_baseline`
/// are such jobs.
///
/// Each method gives a request that starts a job when it is awaited, waits for the job's end unless told otherwise
/// ([`Wait`]), and gives the job. Nothing is sent when the configurations contradict each other.
#[derive(Clone, Debug)]
pub struct SageMakerClarifyProcessor {
    session: Session,
    role: String,
    instance_count: u32,
    instance_type: String,
    volume_size_in_gb: u32,
    volume_kms_key: Option<String>,
    output_kms_key: Option<String>,
    max_runtime_in_seconds: Option<u32>,
    env: Option<BTreeMap<String, String>>,
    tags: Option<Vec<Tag>>,
    network_config: Option<NetworkConfig>,
    job_name_prefix: Option<String>,
}

impl SageMakerClarifyProcessor {
    /// The role (name or ARN) and the instances of the jobs. Sends nothing.
    pub fn new(
        session: &Session,
        role: impl Into<String>,
        instance_count: u32,
        instance_type: impl Into<String>,
    ) -> Self {
        Self {
            session: session.clone(),
            role: role.into(),
            instance_count,
            instance_type: instance_type.into(),
            volume_size_in_gb: 30,
            volume_kms_key: None,
            output_kms_key: None,
            max_runtime_in_seconds: None,
            env: None,
            tags: None,
            network_config: None,
            job_name_prefix: None,
        }
    }

    setters! {
        /// The key that encrypts the volumes.
        volume_kms_key: String,
        /// The key that encrypts the results.
        output_kms_key: String,
        /// After how many seconds a job is stopped.
        max_runtime_in_seconds = u32,
        /// Who the containers talk to.
        network_config: NetworkConfig,
        /// What generated names of jobs begin with, in place of `Clarify-Bias` and its kind.
        job_name_prefix: String,
    }

    /// The size of the volumes; 30 unless set.
    #[must_use]
    pub fn volume_size_in_gb(mut self, volume_size_in_gb: u32) -> Self {
        self.volume_size_in_gb = volume_size_in_gb;
        self
    }

    /// Environment variables of the containers.
    #[must_use]
    pub fn env(mut self, env: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Self {
        self.env = Some(env.into_iter().map(|(name, value)| (name.into(), value.into())).collect());
        self
    }

    /// Tags of the jobs.
    #[must_use]
    pub fn tags(mut self, tags: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Self {
        self.tags = Some(tags.into_iter().map(|(key, value)| Tag { key: key.into(), value: value.into() }).collect());
        self
    }

    /// Metrics of bias of the labels alone; no model is asked.
    pub fn run_pre_training_bias<'a>(
        &'a self,
        data_config: &'a DataConfig,
        data_bias_config: &'a BiasConfig,
    ) -> RunPreTrainingBias<'a> {
        RunPreTrainingBias { analysis: Analysis::new(self, data_config), data_bias_config, methods: BiasMethods::All }
    }

    /// Metrics of bias of labels and predictions. Without a model, the dataset must have the predictions.
    pub fn run_post_training_bias<'a>(
        &'a self,
        data_config: &'a DataConfig,
        data_bias_config: &'a BiasConfig,
    ) -> RunPostTrainingBias<'a> {
        RunPostTrainingBias {
            analysis: Analysis::new(self, data_config),
            data_bias_config,
            methods: BiasMethods::All,
            predictions: Predictions::default(),
        }
    }

    /// Metrics of bias of both kinds. Without a model, the dataset must have the predictions.
    pub fn run_bias<'a>(&'a self, data_config: &'a DataConfig, bias_config: &'a BiasConfig) -> RunBias<'a> {
        RunBias {
            analysis: Analysis::new(self, data_config),
            bias_config,
            pre_training_methods: BiasMethods::All,
            post_training_methods: BiasMethods::All,
            predictions: Predictions::default(),
        }
    }

    /// What features add to the predictions of a model.
    pub fn run_explainability<'a>(
        &'a self,
        data_config: &'a DataConfig,
        model_config: &'a ModelConfig,
        explainability_config: impl Into<ExplainabilityConfigs>,
    ) -> RunExplainability<'a> {
        RunExplainability {
            analysis: Analysis::new(self, data_config),
            model_config,
            explainability_config: explainability_config.into(),
            model_scores: None,
        }
    }

    /// Metrics of bias of both kinds, and what features add to predictions, in one job.
    pub fn run_bias_and_explainability<'a>(
        &'a self,
        data_config: &'a DataConfig,
        model_config: &'a ModelConfig,
        explainability_config: impl Into<ExplainabilityConfigs>,
        bias_config: &'a BiasConfig,
    ) -> RunBiasAndExplainability<'a> {
        RunBiasAndExplainability {
            analysis: Analysis::new(self, data_config),
            explainability_config: explainability_config.into(),
            bias_config,
            pre_training_methods: BiasMethods::All,
            post_training_methods: BiasMethods::All,
            predictions: Predictions { model: Some(model_config), predicted_label: None },
        }
    }

    /// What every job has.
    fn processor(&self) -> Result<Processor> {
        Ok(Processor {
            role: self.role.clone(),
            image_uri: image_uris::retrieve("clarify", self.session.region())?,
            instance_count: self.instance_count,
            instance_type: self.instance_type.clone(),
            entrypoint: None,
            volume_size_in_gb: self.volume_size_in_gb,
            volume_kms_key: self.volume_kms_key.clone(),
            output_kms_key: self.output_kms_key.clone(),
            max_runtime_in_seconds: self.max_runtime_in_seconds,
            base_job_name: None,
            env: self.env.clone(),
            tags: self.tags.clone(),
            network_config: self.network_config.clone(),
        })
    }
}

/// What requests of all analyses have in common.
#[derive(Clone, Debug)]
struct Analysis<'a> {
    processor: &'a SageMakerClarifyProcessor,
    data_config: &'a DataConfig,
    wait: Wait,
    job_name: Option<String>,
    kms_key: Option<String>,
    experiment_config: Option<ExperimentConfig>,
}

impl<'a> Analysis<'a> {
    fn new(processor: &'a SageMakerClarifyProcessor, data_config: &'a DataConfig) -> Self {
        Self { processor, data_config, wait: Wait::default(), job_name: None, kms_key: None, experiment_config: None }
    }

    async fn run(self, config: Config, name_prefix: &str) -> Result<ProcessingJob> {
        let name_prefix =
            self.processor.job_name_prefix.as_deref().filter(|prefix| !prefix.is_empty()).unwrap_or(name_prefix);
        let job_name = self.job_name.filter(|name| !name.is_empty()).unwrap_or_else(|| name_from_base(name_prefix));
        let start = StartAnalysis { job_name, kms_key: self.kms_key, experiment_config: self.experiment_config };
        let job = start.start(&self.processor.session, &self.processor.processor()?, self.data_config, &config).await?;
        job.wait_as(self.wait).await?;
        Ok(job)
    }
}

/// One analysis to be started.
#[derive(Debug)]
pub(crate) struct StartAnalysis {
    pub(crate) job_name: String,
    pub(crate) kms_key: Option<String>,
    pub(crate) experiment_config: Option<ExperimentConfig>,
}

impl StartAnalysis {
    /// Uploads the configuration, and starts the job.
    pub(crate) async fn start(
        self,
        session: &Session,
        processor: &Processor,
        data: &DataConfig,
        config: &Config,
    ) -> Result<ProcessingJob> {
        let folder = data.s3_analysis_config_output_path.as_ref().unwrap_or(&data.s3_output_path);
        // As Python joins: a folder that ends in a slash gives two.
        let file = S3Uri { bucket: folder.bucket.clone(), key: format!("{}/analysis_config.json", folder.key) };
        let body = python_json::dumps(config);
        let file = session.upload_string_as_file_body(body, &file, self.kms_key.as_deref()).await?;
        let dataset = ProcessingInput::new(data.s3_data_input_path.clone(), DATA_INPUT)
            .input_name("dataset")
            .s3_compression_type(data.s3_compression_type.clone());
        let config_file = ProcessingInput::new(file, CONFIG_INPUT).input_name("analysis_config");
        let upload_mode =
            if data.dataset_type == DatasetType::Image { S3UploadMode::Continuous } else { S3UploadMode::EndOfJob };
        let result = ProcessingOutput::new(OUTPUT)
            .destination(data.s3_output_path.clone())
            .output_name("analysis_result")
            .s3_upload_mode(upload_mode);
        let run = Run {
            inputs: vec![dataset, config_file],
            outputs: vec![result],
            arguments: None,
            job_name: Some(self.job_name),
            experiment_config: self.experiment_config,
            kms_key: self.kms_key,
        };
        processing::start(session, processor, run).await
    }
}

/// Setters of all analyses, and what a request does when it is awaited.
macro_rules! analysis {
    ($request:ident, $name_prefix:literal) => {
        impl<'a> $request<'a> {
            /// Whether the call is done when the job is started, or when it has ended.
            pub fn wait(mut self, wait: Wait) -> Self {
                self.analysis.wait = wait;
                self
            }

            /// The name of the job; made of the prefix and the time unless given.
            pub fn job_name(mut self, job_name: impl Into<String>) -> Self {
                self.analysis.job_name = Some(job_name.into());
                self
            }

            /// The key that encrypts the configuration that is uploaded.
            pub fn kms_key(mut self, kms_key: impl Into<String>) -> Self {
                self.analysis.kms_key = Some(kms_key.into());
                self
            }

            /// The experiment that the job belongs to.
            pub fn experiment_config(mut self, experiment_config: ExperimentConfig) -> Self {
                self.analysis.experiment_config = Some(experiment_config);
                self
            }

            async fn send(self) -> Result<ProcessingJob> {
                let config = self.analysis_config()?;
                self.analysis.run(config, $name_prefix).await
            }
        }

        awaitable!($request => ProcessingJob);
    };
}

/// Setters of who predicts and what predictions mean.
macro_rules! predictions {
    ($request:ident) => {
        impl<'a> $request<'a> {
            /// The model; none is asked when the dataset has the predictions.
            pub fn model_config(mut self, model_config: &'a ModelConfig) -> Self {
                self.predictions.model = Some(model_config);
                self
            }
        }

        predicted_label!($request);
    };
}

macro_rules! predicted_label {
    ($request:ident) => {
        impl<'a> $request<'a> {
            /// Where predictions are in what the model answers.
            pub fn model_predicted_label_config(mut self, config: &'a ModelPredictedLabelConfig) -> Self {
                self.predictions.predicted_label = Some(config);
                self
            }
        }
    };
}

macro_rules! methods_of_both_stages {
    ($request:ident) => {
        impl $request<'_> {
            /// Which metrics of labels; all unless set.
            pub fn pre_training_methods(mut self, methods: impl Into<BiasMethods<PreTrainingMethod>>) -> Self {
                self.pre_training_methods = methods.into();
                self
            }

            /// Which metrics of labels and predictions; all unless set.
            pub fn post_training_methods(mut self, methods: impl Into<BiasMethods<PostTrainingMethod>>) -> Self {
                self.post_training_methods = methods.into();
                self
            }
        }
    };
}

/// [`SageMakerClarifyProcessor::run_pre_training_bias`], sent when awaited.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before it is awaited"]
pub struct RunPreTrainingBias<'a> {
    analysis: Analysis<'a>,
    data_bias_config: &'a BiasConfig,
    methods: BiasMethods<PreTrainingMethod>,
}

impl RunPreTrainingBias<'_> {
    /// Which metrics; all unless set.
    pub fn methods(mut self, methods: impl Into<BiasMethods<PreTrainingMethod>>) -> Self {
        self.methods = methods.into();
        self
    }

    /// What the job will be asked: `analysis_config.json`.
    pub fn analysis_config(&self) -> Result<Config> {
        analysis_config::bias_pre_training(self.analysis.data_config, self.data_bias_config, &self.methods)
    }
}

analysis!(RunPreTrainingBias, "Clarify-Pretraining-Bias");

/// [`SageMakerClarifyProcessor::run_post_training_bias`], sent when awaited.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before it is awaited"]
pub struct RunPostTrainingBias<'a> {
    analysis: Analysis<'a>,
    data_bias_config: &'a BiasConfig,
    methods: BiasMethods<PostTrainingMethod>,
    predictions: Predictions<'a>,
}

impl RunPostTrainingBias<'_> {
    /// Which metrics; all unless set.
    pub fn methods(mut self, methods: impl Into<BiasMethods<PostTrainingMethod>>) -> Self {
        self.methods = methods.into();
        self
    }

    /// What the job will be asked: `analysis_config.json`.
    pub fn analysis_config(&self) -> Result<Config> {
        let methods = Methods { post_training: Some(&self.methods), ..Methods::default() };
        analysis_config::bias(self.analysis.data_config, self.data_bias_config, self.predictions, methods)
    }
}

analysis!(RunPostTrainingBias, "Clarify-Posttraining-Bias");
predictions!(RunPostTrainingBias);

/// [`SageMakerClarifyProcessor::run_bias`], sent when awaited.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before it is awaited"]
pub struct RunBias<'a> {
    analysis: Analysis<'a>,
    bias_config: &'a BiasConfig,
    pre_training_methods: BiasMethods<PreTrainingMethod>,
    post_training_methods: BiasMethods<PostTrainingMethod>,
    predictions: Predictions<'a>,
}

impl RunBias<'_> {
    /// What the job will be asked: `analysis_config.json`.
    pub fn analysis_config(&self) -> Result<Config> {
        let methods = Methods {
            pre_training: Some(&self.pre_training_methods),
            post_training: Some(&self.post_training_methods),
            explainability: None,
        };
        analysis_config::bias(self.analysis.data_config, self.bias_config, self.predictions, methods)
    }
}

analysis!(RunBias, "Clarify-Bias");
predictions!(RunBias);
methods_of_both_stages!(RunBias);

/// [`SageMakerClarifyProcessor::run_explainability`], sent when awaited.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before it is awaited"]
pub struct RunExplainability<'a> {
    analysis: Analysis<'a>,
    model_config: &'a ModelConfig,
    explainability_config: ExplainabilityConfigs,
    model_scores: Option<ModelScores>,
}

impl RunExplainability<'_> {
    setters! {
        /// Where the scores are in what the model answers.
        model_scores: ModelScores,
    }

    /// What the job will be asked: `analysis_config.json`.
    pub fn analysis_config(&self) -> Result<Config> {
        analysis_config::explainability(
            self.analysis.data_config,
            self.model_config,
            self.model_scores.as_ref(),
            &self.explainability_config,
        )
    }
}

analysis!(RunExplainability, "Clarify-Explainability");

/// [`SageMakerClarifyProcessor::run_bias_and_explainability`], sent when awaited.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before it is awaited"]
pub struct RunBiasAndExplainability<'a> {
    analysis: Analysis<'a>,
    explainability_config: ExplainabilityConfigs,
    bias_config: &'a BiasConfig,
    pre_training_methods: BiasMethods<PreTrainingMethod>,
    post_training_methods: BiasMethods<PostTrainingMethod>,
    predictions: Predictions<'a>,
}

impl RunBiasAndExplainability<'_> {
    /// What the job will be asked: `analysis_config.json`.
    pub fn analysis_config(&self) -> Result<Config> {
        let methods = Methods {
            pre_training: Some(&self.pre_training_methods),
            post_training: Some(&self.post_training_methods),
            explainability: Some(&self.explainability_config),
        };
        analysis_config::bias(self.analysis.data_config, self.bias_config, self.predictions, methods)
    }
}

analysis!(RunBiasAndExplainability, "Clarify-Bias-And-Explainability");
predicted_label!(RunBiasAndExplainability);
methods_of_both_stages!(RunBiasAndExplainability);
