//! A Clarify job, typed: a processing job, or an execution of the bias or the explainability monitor.

use std::path::PathBuf;

use jiff::Timestamp;

use super::variables::{
    ANALYSIS_TYPE, BASELINE_CONSTRAINTS, DATASET_SOURCE, END_TIME, ENDPOINT_NAME, INFERENCE_ATTRIBUTE, METRIC_TIME,
    MONITORING_SCHEDULE_NAME, OUTPUT_PATH, PROBABILITY_ATTRIBUTE, PROBABILITY_THRESHOLD_ATTRIBUTE, START_TIME,
};
use super::{JobContract, MonitoringInputType};
use crate::dataset_format::DatasetFormat;
use crate::error::Error;

/// Where a job finds its configuration, its dataset and the place of its results, unless it is told otherwise.
const ANALYSIS_CONFIG: &str = "/opt/ml/processing/input/config/analysis_config.json";
const DATASET: &str = "/opt/ml/processing/input/data";
const OUTPUT: &str = "/opt/ml/processing/output";

const PREDICTOR_URL: &str = "watchkeeper_predictor_url";
const BIAS_INTERVAL: &str = "watchkeeper_bias_interval";
const NDCG_THRESHOLD: &str = "watchkeeper_ndcg_threshold";
const FEATURES_ATTRIBUTE: &str = "features_attribute";

/// What a Clarify job is.
#[derive(Clone, Debug, PartialEq)]
pub enum ClarifyKind {
    /// A processing job: everything is in its configuration.
    Processing,
    /// An execution of the bias monitor, on merged records.
    BiasMonitor(MonitoredTraffic),
    /// An execution of the explainability monitor, on captured records.
    ExplainabilityMonitor(MonitoredTraffic),
}

/// What a monitor's execution is told of the traffic it looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct MonitoredTraffic {
    /// `dataset_format`.
    pub dataset_format: DatasetFormat,
    /// `dataset_source`.
    pub dataset_source: PathBuf,
    /// `features_attribute`. The text `None`, which the SDK sends for nothing, is absent here and in the next two.
    pub features_attribute: Option<String>,
    /// `inference_attribute`.
    pub inference_attribute: Option<String>,
    /// `probability_attribute`.
    pub probability_attribute: Option<String>,
    /// `probability_threshold_attribute`.
    pub probability_threshold: Option<f64>,
    /// `exclude_features_attribute`: names or indices.
    pub exclude_features: Vec<String>,
    /// `start_time` and `end_time`: a half-open window.
    pub window: Option<(Timestamp, Timestamp)>,
    /// `metric_time`.
    pub metric_time: Option<Timestamp>,
    /// `publish_cloudwatch_metrics`.
    pub publish_cloudwatch_metrics: bool,
    /// `sagemaker_endpoint_name`.
    pub endpoint_name: Option<String>,
    /// `sagemaker_monitoring_schedule_name`.
    pub monitoring_schedule_name: Option<String>,
    /// `monitoring_input_type`.
    pub monitoring_input_type: Option<MonitoringInputType>,
}

/// A Clarify job.
#[derive(Clone, Debug, PartialEq)]
pub struct ClarifyJob {
    /// What it is.
    pub kind: ClarifyKind,
    /// The file `analysis_config.json`.
    pub analysis_config: PathBuf,
    /// Where the dataset of a processing job is, unless its configuration says otherwise: `/opt/ml/processing/input/data`.
    pub dataset: PathBuf,
    /// `output_path`, `/opt/ml/processing/output` when not set.
    pub output_path: PathBuf,
    /// `baseline_constraints`: the `analysis.json` of a baseline.
    pub baseline_constraints: Option<PathBuf>,
    /// `watchkeeper_predictor_url`: where the model is asked in place of an endpoint.
    pub predictor_url: Option<String>,
    /// `watchkeeper_bias_interval`: the level of the interval that a bias metric must leave; None: the value itself is compared.
    pub bias_interval: Option<f64>,
    /// `watchkeeper_ndcg_threshold`, 0.9 when not set.
    pub ndcg_threshold: f64,
    /// The service to ask for endpoints, where the job's environment names one.
    pub service: Option<ServiceAccess>,
    /// `PROCESSING_JOB_NAME`, where the job is one of a service.
    pub job_name: Option<String>,
    /// `output_message_file`.
    pub output_message_file: PathBuf,
    /// `cloudwatch_metrics_directory`.
    pub cloudwatch_metrics_directory: PathBuf,
    /// The contract itself: its root stands for `/opt/ml` in the paths of a configuration.
    pub contract: JobContract,
}

/// How a job reaches the service's interface: `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
/// `AWS_SESSION_TOKEN`.
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ServiceAccess {
    pub endpoint_url: String,
    pub region: String,
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
}

impl std::fmt::Debug for ServiceAccess {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ServiceAccess").field("endpoint_url", &self.endpoint_url).finish_non_exhaustive()
    }
}

impl ClarifyJob {
    /// Below this an order of features has drifted, where nothing else is said.
    pub const DEFAULT_NDCG_THRESHOLD: f64 = 0.9;

    /// The typed reading of the variables.
    ///
    /// # Errors
    /// Names the variable, its value and what is expected.
    pub fn from_contract(contract: &JobContract) -> Result<Self, Error> {
        Ok(Self {
            kind: kind(contract)?,
            analysis_config: contract.path(ANALYSIS_CONFIG),
            dataset: contract.path(DATASET),
            output_path: contract.optional_path(OUTPUT_PATH).unwrap_or_else(|| contract.path(OUTPUT)),
            baseline_constraints: contract.optional_path(BASELINE_CONSTRAINTS),
            predictor_url: contract.text(PREDICTOR_URL),
            bias_interval: contract.read(BIAS_INTERVAL, "a level between 0 and 1 such as 0.95", |text| {
                text.parse().ok().filter(|level: &f64| *level > 0.0 && *level < 1.0)
            })?,
            ndcg_threshold: contract
                .read(NDCG_THRESHOLD, "a number such as 0.9", |text| {
                    text.parse().ok().filter(|threshold: &f64| threshold.is_finite())
                })?
                .unwrap_or(Self::DEFAULT_NDCG_THRESHOLD),
            service: service(contract),
            job_name: contract.text("PROCESSING_JOB_NAME"),
            output_message_file: contract.output_message_file(),
            cloudwatch_metrics_directory: contract.cloudwatch_metrics_directory(),
            contract: contract.clone(),
        })
    }
}

/// `analysis_type` says which monitor it is; a processing job has none.
fn kind(contract: &JobContract) -> Result<ClarifyKind, Error> {
    let expected = "MODEL_BIAS, MODEL_EXPLAINABILITY or nothing for a processing job, this is the analysis of these";
    let analysis = contract.read(ANALYSIS_TYPE, expected, |word| match word.to_ascii_uppercase().as_str() {
        "MODEL_BIAS" => Some(ClarifyKind::BiasMonitor as fn(MonitoredTraffic) -> ClarifyKind),
        "MODEL_EXPLAINABILITY" => Some(ClarifyKind::ExplainabilityMonitor),
        _ => None,
    })?;
    analysis.map_or(Ok(ClarifyKind::Processing), |kind| traffic(contract).map(kind))
}

fn traffic(contract: &JobContract) -> Result<MonitoredTraffic, Error> {
    let window = match (contract.time(START_TIME)?, contract.time(END_TIME)?) {
        (None, None) => None,
        (start, end) => Some((start.unwrap_or(Timestamp::MIN), end.unwrap_or(Timestamp::MAX))),
    };
    Ok(MonitoredTraffic {
        dataset_format: contract.dataset_format()?,
        dataset_source: contract.required_path(DATASET_SOURCE, "the path of the dataset")?,
        features_attribute: attribute(contract, FEATURES_ATTRIBUTE),
        inference_attribute: attribute(contract, INFERENCE_ATTRIBUTE),
        probability_attribute: attribute(contract, PROBABILITY_ATTRIBUTE),
        probability_threshold: match attribute(contract, PROBABILITY_THRESHOLD_ATTRIBUTE) {
            Some(_) => contract.probability_threshold()?,
            None => None,
        },
        exclude_features: contract.exclude_features(),
        window,
        metric_time: contract.time(METRIC_TIME)?,
        publish_cloudwatch_metrics: contract.publishes_metrics()?,
        endpoint_name: contract.text(ENDPOINT_NAME),
        monitoring_schedule_name: contract.text(MONITORING_SCHEDULE_NAME),
        monitoring_input_type: contract.input_type()?,
    })
}

/// A place in a record. The SDK makes the text `None` of an attribute that its user did not give.
fn attribute(contract: &JobContract, name: &str) -> Option<String> {
    contract.text(name).filter(|place| place != "None")
}

fn service(contract: &JobContract) -> Option<ServiceAccess> {
    Some(ServiceAccess {
        endpoint_url: contract.text("AWS_ENDPOINT_URL")?,
        region: contract.text("AWS_REGION").or_else(|| contract.text("AWS_DEFAULT_REGION"))?,
        access_key_id: contract.text("AWS_ACCESS_KEY_ID")?,
        secret_access_key: contract.text("AWS_SECRET_ACCESS_KEY")?,
        session_token: contract.text("AWS_SESSION_TOKEN"),
    })
}
