//! What a schedule runs, whether its definition has a name or is embedded, in one form.

use std::collections::BTreeMap;

use watchkeeper_aws::generated::sagemaker::{
    BatchTransformInput, EndpointInput, MonitoringConstraintsResource, MonitoringDatasetFormat,
    MonitoringJobDefinition, MonitoringNetworkConfig, MonitoringOutputConfig, MonitoringProblemType,
    MonitoringResources, MonitoringS3Output, MonitoringStatisticsResource, MonitoringStoppingCondition, MonitoringType,
    NetworkConfig, ProcessingS3DataDistributionType, ProcessingS3InputMode,
};

use crate::control::job_definition::Specification;

/// What AWS takes where a definition says nothing.
const DEFAULT_MAX_RUNTIME_IN_SECONDS: i32 = 3600;

/// What a schedule runs.
#[derive(Clone, Debug)]
pub struct Definition {
    /// The monitor.
    pub monitoring_type: MonitoringType,
    /// Whether the definition is part of the schedule.
    pub is_embedded: bool,
    /// The image.
    pub image_uri: String,
    /// In place of the image's own.
    pub entrypoint: Option<Vec<String>>,
    /// In place of the image's own.
    pub arguments: Option<Vec<String>>,
    /// The variables as they were sent.
    pub environment: BTreeMap<String, String>,
    /// A script for captured records.
    pub record_preprocessor: Option<String>,
    /// A script for after the analysis.
    pub post_analytics_processor: Option<String>,
    /// Configuration of the Clarify monitors.
    pub analysis_config: Option<String>,
    /// What is predicted, for model quality.
    pub problem_type: Option<MonitoringProblemType>,
    /// The data that is watched.
    pub input: MonitoredInput,
    /// Where ground truth is, for model quality and bias.
    pub ground_truth: Option<String>,
    /// What it is compared with.
    pub baseline: BaselineReference,
    /// Where results go.
    pub output: MonitoringOutputConfig,
    /// Machines.
    pub resources: MonitoringResources,
    /// Networks.
    pub network: Option<NetworkConfig>,
    /// The role.
    pub role_arn: String,
    /// How long a job may run.
    pub max_runtime_in_seconds: i32,
}

/// The data that is watched.
#[derive(Clone, Debug)]
pub struct MonitoredInput {
    /// What it comes from.
    pub source: Source,
    /// The folder in the job.
    pub local_path: String,
    /// How it gets there.
    pub mode: Option<ProcessingS3InputMode>,
    /// How several machines share it.
    pub distribution: Option<ProcessingS3DataDistributionType>,
    /// From the tick to the start of the window.
    pub start_offset: Option<String>,
    /// From the tick to the end of the window.
    pub end_offset: Option<String>,
    /// Where features are in a record.
    pub features_attribute: Option<String>,
    /// Where the inference is in a record.
    pub inference_attribute: Option<String>,
    /// Where the probability is in a record.
    pub probability_attribute: Option<String>,
    /// The probability from which on a record is positive.
    pub probability_threshold_attribute: Option<f64>,
    /// Columns that do not count.
    pub exclude_features_attribute: Option<String>,
}

/// What watched data comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// What an endpoint captured.
    Endpoint {
        /// Its name.
        name: String,
    },
    /// What batch transform jobs captured.
    BatchTransform {
        /// Where their captures are.
        destination: String,
        /// What their data is.
        format: MonitoringDatasetFormat,
    },
}

/// Where a baseline is said to be.
#[derive(Clone, Debug, Default)]
pub struct BaselineReference {
    /// The job that made it.
    pub job_name: Option<String>,
    /// The constraints.
    pub constraints: Option<String>,
    /// The statistics.
    pub statistics: Option<String>,
}

impl Definition {
    /// A definition with a name. None where it watches nothing.
    pub fn named(specification: &Specification) -> Option<Self> {
        let monitoring_type = specification.monitoring_type();
        match specification {
            Specification::DataQuality(request) => {
                let application = &request.data_quality_app_specification;
                let input = &request.data_quality_job_input;
                let baseline = request.data_quality_baseline_config.as_ref();
                Some(Self {
                    entrypoint: application.container_entrypoint.clone(),
                    arguments: application.container_arguments.clone(),
                    record_preprocessor: application.record_preprocessor_source_uri.clone(),
                    post_analytics_processor: application.post_analytics_processor_source_uri.clone(),
                    baseline: baseline.map_or_else(BaselineReference::default, |baseline| BaselineReference {
                        job_name: baseline.baselining_job_name.clone(),
                        constraints: constraints(baseline.constraints_resource.as_ref()),
                        statistics: statistics(baseline.statistics_resource.as_ref()),
                    }),
                    network: network(request.network_config.as_ref()),
                    max_runtime_in_seconds: max_runtime(request.stopping_condition.as_ref()),
                    ..Self::of(
                        monitoring_type,
                        (&application.image_uri, application.environment.as_ref()),
                        MonitoredInput::of(input.endpoint_input.as_ref(), input.batch_transform_input.as_ref())?,
                        (&request.data_quality_job_output_config, &request.job_resources, &request.role_arn),
                    )
                })
            }
            Specification::ModelQuality(request) => {
                let application = &request.model_quality_app_specification;
                let input = &request.model_quality_job_input;
                let baseline = request.model_quality_baseline_config.as_ref();
                Some(Self {
                    entrypoint: application.container_entrypoint.clone(),
                    arguments: application.container_arguments.clone(),
                    record_preprocessor: application.record_preprocessor_source_uri.clone(),
                    post_analytics_processor: application.post_analytics_processor_source_uri.clone(),
                    problem_type: application.problem_type,
                    ground_truth: input.ground_truth_s3_input.s3_uri.clone(),
                    baseline: baseline.map_or_else(BaselineReference::default, |baseline| {
                        BaselineReference::of(
                            baseline.baselining_job_name.as_ref(),
                            baseline.constraints_resource.as_ref(),
                        )
                    }),
                    network: network(request.network_config.as_ref()),
                    max_runtime_in_seconds: max_runtime(request.stopping_condition.as_ref()),
                    ..Self::of(
                        monitoring_type,
                        (&application.image_uri, application.environment.as_ref()),
                        MonitoredInput::of(input.endpoint_input.as_ref(), input.batch_transform_input.as_ref())?,
                        (&request.model_quality_job_output_config, &request.job_resources, &request.role_arn),
                    )
                })
            }
            Specification::ModelBias(request) => {
                let application = &request.model_bias_app_specification;
                let input = &request.model_bias_job_input;
                let baseline = request.model_bias_baseline_config.as_ref();
                Some(Self {
                    analysis_config: Some(application.config_uri.clone()),
                    ground_truth: input.ground_truth_s3_input.s3_uri.clone(),
                    baseline: baseline.map_or_else(BaselineReference::default, |baseline| {
                        BaselineReference::of(
                            baseline.baselining_job_name.as_ref(),
                            baseline.constraints_resource.as_ref(),
                        )
                    }),
                    network: network(request.network_config.as_ref()),
                    max_runtime_in_seconds: max_runtime(request.stopping_condition.as_ref()),
                    ..Self::of(
                        monitoring_type,
                        (&application.image_uri, application.environment.as_ref()),
                        MonitoredInput::of(input.endpoint_input.as_ref(), input.batch_transform_input.as_ref())?,
                        (&request.model_bias_job_output_config, &request.job_resources, &request.role_arn),
                    )
                })
            }
            Specification::ModelExplainability(request) => {
                let application = &request.model_explainability_app_specification;
                let input = &request.model_explainability_job_input;
                let baseline = request.model_explainability_baseline_config.as_ref();
                Some(Self {
                    analysis_config: Some(application.config_uri.clone()),
                    baseline: baseline.map_or_else(BaselineReference::default, |baseline| {
                        BaselineReference::of(
                            baseline.baselining_job_name.as_ref(),
                            baseline.constraints_resource.as_ref(),
                        )
                    }),
                    network: network(request.network_config.as_ref()),
                    max_runtime_in_seconds: max_runtime(request.stopping_condition.as_ref()),
                    ..Self::of(
                        monitoring_type,
                        (&application.image_uri, application.environment.as_ref()),
                        MonitoredInput::of(input.endpoint_input.as_ref(), input.batch_transform_input.as_ref())?,
                        (&request.model_explainability_job_output_config, &request.job_resources, &request.role_arn),
                    )
                })
            }
        }
    }

    /// A definition that is part of its schedule. None where it watches nothing.
    pub fn embedded(monitoring_type: MonitoringType, definition: &MonitoringJobDefinition) -> Option<Self> {
        let application = &definition.monitoring_app_specification;
        let input = definition.monitoring_inputs.first()?;
        let baseline = definition.baseline_config.as_ref();
        Some(Self {
            is_embedded: true,
            entrypoint: application.container_entrypoint.clone(),
            arguments: application.container_arguments.clone(),
            record_preprocessor: application.record_preprocessor_source_uri.clone(),
            post_analytics_processor: application.post_analytics_processor_source_uri.clone(),
            baseline: baseline.map_or_else(BaselineReference::default, |baseline| BaselineReference {
                job_name: baseline.baselining_job_name.clone(),
                constraints: constraints(baseline.constraints_resource.as_ref()),
                statistics: statistics(baseline.statistics_resource.as_ref()),
            }),
            network: definition.network_config.clone(),
            max_runtime_in_seconds: max_runtime(definition.stopping_condition.as_ref()),
            ..Self::of(
                monitoring_type,
                (&application.image_uri, definition.environment.as_ref()),
                MonitoredInput::of(input.endpoint_input.as_ref(), input.batch_transform_input.as_ref())?,
                (&definition.monitoring_output_config, &definition.monitoring_resources, &definition.role_arn),
            )
        })
    }

    /// What every definition has.
    fn of(
        monitoring_type: MonitoringType,
        (image_uri, environment): (&str, Option<&BTreeMap<String, String>>),
        input: MonitoredInput,
        (output, resources, role_arn): (&MonitoringOutputConfig, &MonitoringResources, &str),
    ) -> Self {
        Self {
            monitoring_type,
            is_embedded: false,
            image_uri: image_uri.to_owned(),
            entrypoint: None,
            arguments: None,
            environment: environment.cloned().unwrap_or_default(),
            record_preprocessor: None,
            post_analytics_processor: None,
            analysis_config: None,
            problem_type: None,
            input,
            ground_truth: None,
            baseline: BaselineReference::default(),
            output: output.clone(),
            resources: resources.clone(),
            network: None,
            role_arn: role_arn.to_owned(),
            max_runtime_in_seconds: DEFAULT_MAX_RUNTIME_IN_SECONDS,
        }
    }

    /// Whether captures have to be merged with ground truth before they are analysed.
    pub fn needs_merge(&self) -> bool {
        !self.is_embedded && matches!(self.monitoring_type, MonitoringType::ModelQuality | MonitoringType::ModelBias)
    }

    /// Whether ground truth may have been collected after the window, up to the tick; what is said otherwise is an error in
    /// words.
    ///
    /// # Errors
    /// The variable says neither of the two things that it can.
    pub fn takes_later_ground_truth(&self) -> Result<bool, String> {
        const VARIABLE: &str = "watchkeeper_ground_truth_hours";
        match self.environment.get(VARIABLE).map(String::as_str) {
            None | Some("until_now") => Ok(true),
            Some("window") => Ok(false),
            Some(other) => Err(format!(
                "Environment of the definition: {VARIABLE} is `{other}`, write `until_now` (labels of all hours up to the \
                 tick) or `window` (labels of the window's own hours)"
            )),
        }
    }

    /// Where results go: the model allows one place.
    pub(super) fn output_destination(&self) -> &MonitoringS3Output {
        let output = self.output.monitoring_outputs.first().expect("the model demands one output");
        &output.s3_output
    }
}

impl MonitoredInput {
    /// Whether the window stands apart from the tick by what the definition says.
    pub fn has_offsets(&self) -> bool {
        self.start_offset.is_some() || self.end_offset.is_some()
    }

    fn of(endpoint: Option<&EndpointInput>, batch: Option<&BatchTransformInput>) -> Option<Self> {
        /// Both shapes have these members.
        macro_rules! input {
            ($input:expr, $source:expr) => {
                Self {
                    source: $source,
                    local_path: $input.local_path.clone(),
                    mode: $input.s3_input_mode,
                    distribution: $input.s3_data_distribution_type,
                    start_offset: $input.start_time_offset.clone(),
                    end_offset: $input.end_time_offset.clone(),
                    features_attribute: $input.features_attribute.clone(),
                    inference_attribute: $input.inference_attribute.clone(),
                    probability_attribute: $input.probability_attribute.clone(),
                    probability_threshold_attribute: $input.probability_threshold_attribute,
                    exclude_features_attribute: $input.exclude_features_attribute.clone(),
                }
            };
        }
        if let Some(input) = endpoint {
            return Some(input!(input, Source::Endpoint { name: input.endpoint_name.clone() }));
        }
        let input = batch?;
        let destination = input.data_captured_destination_s3_uri.clone();
        Some(input!(input, Source::BatchTransform { destination, format: input.dataset_format.clone() }))
    }
}

impl BaselineReference {
    fn of(job_name: Option<&String>, resource: Option<&MonitoringConstraintsResource>) -> Self {
        Self { job_name: job_name.cloned(), constraints: constraints(resource), statistics: None }
    }
}

fn constraints(resource: Option<&MonitoringConstraintsResource>) -> Option<String> {
    resource.and_then(|resource| resource.s3_uri.clone())
}

fn statistics(resource: Option<&MonitoringStatisticsResource>) -> Option<String> {
    resource.and_then(|resource| resource.s3_uri.clone())
}

fn network(config: Option<&MonitoringNetworkConfig>) -> Option<NetworkConfig> {
    config.map(|config| NetworkConfig {
        enable_inter_container_traffic_encryption: config.enable_inter_container_traffic_encryption,
        enable_network_isolation: config.enable_network_isolation,
        vpc_config: config.vpc_config.clone(),
    })
}

fn max_runtime(condition: Option<&MonitoringStoppingCondition>) -> i32 {
    condition.map_or(DEFAULT_MAX_RUNTIME_IN_SECONDS, |condition| condition.max_runtime_in_seconds)
}
