//! SageMaker Clarify: Python's `sagemaker.clarify`, the same names. What an analysis is asked for ([`DataConfig`], [`BiasConfig`],
//! [`ModelConfig`], [`SHAPConfig`] and their kind), and the jobs that are asked: [`SageMakerClarifyProcessor`].
//!
//! Together the configurations make one `analysis_config.json`, member for member and in the same order as Python's. They are
//! plain values: nothing is checked while they are put together, and a contradiction is the error of the call that uses them,
//! which has sent nothing then. The monitors of [`model_monitor`](crate::model_monitor) take the same values.
//!
//! ```no_run
//! use watchkeeper::clarify::{BiasConfig, DataConfig, ModelConfig, SageMakerClarifyProcessor};
//! use watchkeeper::{S3Uri, Session};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let session = Session::from_env().await?;
//! let processor = SageMakerClarifyProcessor::new(&session, "monitoring-role", 1, "ml.m5.xlarge");
//! let dataset: S3Uri = "s3://bucket/train.csv".parse()?;
//! let data = DataConfig::new(dataset, "s3://bucket/bias".parse()?)
//!     .label("Approved")
//!     .headers(["Approved", "Age", "Income"]);
//! let bias = BiasConfig::new([1], "Age").facet_values_or_threshold([40]);
//! let model = ModelConfig::new("credit-model", 1, "ml.c5.xlarge").accept_type("text/csv");
//! processor.run_bias(&data, &bias).model_config(&model).await?;
//! # Ok(())
//! # }
//! ```

pub(crate) mod analysis_config;
mod bias_config;
mod data_config;
mod explainability_config;
mod methods;
mod modality_config;
mod model_config;
mod processor;
mod time_series;
mod value;

pub use bias_config::BiasConfig;
pub use data_config::{DataConfig, DatasetType, SegmentationConfig};
pub use explainability_config::{
    AggregationMethod, ExplainabilityConfig, ExplainabilityConfigs, PDPConfig, SHAPConfig, ShapBaseline,
};
pub use methods::{BiasMethods, PostTrainingMethod, PreTrainingMethod};
pub use modality_config::{ImageConfig, ImageModelType, TextConfig, TextGranularity};
pub use model_config::{AcceptType, ContentType, ModelConfig, ModelPredictedLabelConfig};
pub(crate) use processor::StartAnalysis;
pub use processor::{
    RunBias, RunBiasAndExplainability, RunExplainability, RunPostTrainingBias, RunPreTrainingBias,
    SageMakerClarifyProcessor,
};
pub use time_series::{
    AsymmetricShapleyBaseline, AsymmetricShapleyValueConfig, ExplanationDirection, ExplanationGranularity,
    TemporalBaseline, TimeSeriesBaseline, TimeSeriesDataConfig, TimeSeriesJSONDatasetFormat, TimeSeriesModelConfig,
};
pub use value::{ModelScores, NameOrIndex, Scalar};
