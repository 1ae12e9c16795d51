//! Job definitions of the four monitors.

use serde::{Deserialize, Serialize};
use watchkeeper_aws::generated::sagemaker::{
    BatchTransformInput, CreateDataQualityJobDefinitionRequest, CreateModelBiasJobDefinitionRequest,
    CreateModelExplainabilityJobDefinitionRequest, CreateModelQualityJobDefinitionRequest,
    DescribeDataQualityJobDefinitionResponse, DescribeModelBiasJobDefinitionResponse,
    DescribeModelExplainabilityJobDefinitionResponse, DescribeModelQualityJobDefinitionResponse, EndpointInput,
    MonitoringJobDefinitionSummary, MonitoringNetworkConfig, MonitoringOutputConfig, MonitoringStoppingCondition,
    MonitoringType, Tag,
};
use watchkeeper_aws::{Error, Time};
use watchkeeper_store::metadata::{Columns, Kind};

use super::addresses::check_uri;
use super::monitoring_input::{self, Baseline};
use super::names::Named;
use super::processing_job::ProcessingJob;
use super::{Stamp, tags};
use crate::resources::Resource;

/// A job definition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobDefinition {
    /// The request with its defaults filled in, without the tags.
    pub specification: Specification,
    /// Its ARN.
    pub arn: String,
    /// The region it was asked for in.
    pub region: String,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// When it was created.
    pub created: Time,
}

/// What a definition says, by its kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Specification {
    /// Data quality.
    DataQuality(CreateDataQualityJobDefinitionRequest),
    /// Model quality.
    ModelQuality(CreateModelQualityJobDefinitionRequest),
    /// Bias.
    ModelBias(CreateModelBiasJobDefinitionRequest),
    /// Feature attribution.
    ModelExplainability(CreateModelExplainabilityJobDefinitionRequest),
}

impl Specification {
    /// Its kind.
    pub fn monitoring_type(&self) -> MonitoringType {
        match self {
            Self::DataQuality(_) => MonitoringType::DataQuality,
            Self::ModelQuality(_) => MonitoringType::ModelQuality,
            Self::ModelBias(_) => MonitoringType::ModelBias,
            Self::ModelExplainability(_) => MonitoringType::ModelExplainability,
        }
    }

    /// Its name as it was given.
    pub fn name(&self) -> &str {
        match self {
            Self::DataQuality(request) => &request.job_definition_name,
            Self::ModelQuality(request) => &request.job_definition_name,
            Self::ModelBias(request) => &request.job_definition_name,
            Self::ModelExplainability(request) => &request.job_definition_name,
        }
    }

    /// The job whose results are its baseline.
    pub fn baselining_job_name(&self) -> Option<&str> {
        match self {
            Self::DataQuality(request) => request.data_quality_baseline_config.as_ref()?.baselining_job_name.as_deref(),
            Self::ModelQuality(request) => {
                request.model_quality_baseline_config.as_ref()?.baselining_job_name.as_deref()
            }
            Self::ModelBias(request) => request.model_bias_baseline_config.as_ref()?.baselining_job_name.as_deref(),
            Self::ModelExplainability(request) => {
                request.model_explainability_baseline_config.as_ref()?.baselining_job_name.as_deref()
            }
        }
    }

    /// How long one of its jobs may run, in seconds.
    pub fn time_limit(&self) -> i32 {
        let condition = match self {
            Self::DataQuality(request) => &request.stopping_condition,
            Self::ModelQuality(request) => &request.stopping_condition,
            Self::ModelBias(request) => &request.stopping_condition,
            Self::ModelExplainability(request) => &request.stopping_condition,
        };
        condition.as_ref().map_or(monitoring_input::USUAL_TIME_LIMIT, |condition| condition.max_runtime_in_seconds)
    }

    /// The endpoint it watches.
    pub fn endpoint_name(&self) -> Option<&str> {
        let endpoint = match self {
            Self::DataQuality(request) => &request.data_quality_job_input.endpoint_input,
            Self::ModelQuality(request) => &request.model_quality_job_input.endpoint_input,
            Self::ModelBias(request) => &request.model_bias_job_input.endpoint_input,
            Self::ModelExplainability(request) => &request.model_explainability_job_input.endpoint_input,
        };
        endpoint.as_ref().map(|input| input.endpoint_name.as_str())
    }
}

/// What the four kinds of requests have in common, under one set of names.
struct Parts<'a> {
    tags: &'a mut Option<Vec<Tag>>,
    baseline: Option<Baseline<'a>>,
    endpoint_input: Option<&'a mut EndpointInput>,
    batch_transform_input: Option<&'a mut BatchTransformInput>,
    /// Addresses that have to be readable, by the members that hold them.
    addresses: Vec<(&'static str, &'a str)>,
    output: &'a mut MonitoringOutputConfig,
    network: &'a mut Option<MonitoringNetworkConfig>,
    stopping_condition: &'a mut Option<MonitoringStoppingCondition>,
}

impl Parts<'_> {
    fn of(specification: &mut Specification) -> Parts<'_> {
        match specification {
            Specification::DataQuality(request) => Parts {
                tags: &mut request.tags,
                baseline: request.data_quality_baseline_config.as_mut().map(|config| Baseline {
                    job_name: config.baselining_job_name.as_deref(),
                    constraints: &mut config.constraints_resource,
                    statistics: Some(&mut config.statistics_resource),
                }),
                endpoint_input: request.data_quality_job_input.endpoint_input.as_mut(),
                batch_transform_input: request.data_quality_job_input.batch_transform_input.as_mut(),
                addresses: scripts(
                    request.data_quality_app_specification.record_preprocessor_source_uri.as_deref(),
                    request.data_quality_app_specification.post_analytics_processor_source_uri.as_deref(),
                ),
                output: &mut request.data_quality_job_output_config,
                network: &mut request.network_config,
                stopping_condition: &mut request.stopping_condition,
            },
            Specification::ModelQuality(request) => {
                let mut addresses = scripts(
                    request.model_quality_app_specification.record_preprocessor_source_uri.as_deref(),
                    request.model_quality_app_specification.post_analytics_processor_source_uri.as_deref(),
                );
                addresses.extend(ground_truth(request.model_quality_job_input.ground_truth_s3_input.s3_uri.as_deref()));
                Parts {
                    tags: &mut request.tags,
                    baseline: request.model_quality_baseline_config.as_mut().map(|config| Baseline {
                        job_name: config.baselining_job_name.as_deref(),
                        constraints: &mut config.constraints_resource,
                        statistics: None,
                    }),
                    endpoint_input: request.model_quality_job_input.endpoint_input.as_mut(),
                    batch_transform_input: request.model_quality_job_input.batch_transform_input.as_mut(),
                    addresses,
                    output: &mut request.model_quality_job_output_config,
                    network: &mut request.network_config,
                    stopping_condition: &mut request.stopping_condition,
                }
            }
            Specification::ModelBias(request) => {
                let mut addresses = vec![("ConfigUri", request.model_bias_app_specification.config_uri.as_str())];
                addresses.extend(ground_truth(request.model_bias_job_input.ground_truth_s3_input.s3_uri.as_deref()));
                Parts {
                    tags: &mut request.tags,
                    baseline: request.model_bias_baseline_config.as_mut().map(|config| Baseline {
                        job_name: config.baselining_job_name.as_deref(),
                        constraints: &mut config.constraints_resource,
                        statistics: None,
                    }),
                    endpoint_input: request.model_bias_job_input.endpoint_input.as_mut(),
                    batch_transform_input: request.model_bias_job_input.batch_transform_input.as_mut(),
                    addresses,
                    output: &mut request.model_bias_job_output_config,
                    network: &mut request.network_config,
                    stopping_condition: &mut request.stopping_condition,
                }
            }
            Specification::ModelExplainability(request) => Parts {
                tags: &mut request.tags,
                baseline: request.model_explainability_baseline_config.as_mut().map(|config| Baseline {
                    job_name: config.baselining_job_name.as_deref(),
                    constraints: &mut config.constraints_resource,
                    statistics: None,
                }),
                endpoint_input: request.model_explainability_job_input.endpoint_input.as_mut(),
                batch_transform_input: request.model_explainability_job_input.batch_transform_input.as_mut(),
                addresses: vec![("ConfigUri", request.model_explainability_app_specification.config_uri.as_str())],
                output: &mut request.model_explainability_job_output_config,
                network: &mut request.network_config,
                stopping_condition: &mut request.stopping_condition,
            },
        }
    }
}

fn scripts<'a>(before: Option<&'a str>, after: Option<&'a str>) -> Vec<(&'static str, &'a str)> {
    let before = before.map(|uri| ("RecordPreprocessorSourceUri", uri));
    before.into_iter().chain(after.map(|uri| ("PostAnalyticsProcessorSourceUri", uri))).collect()
}

fn ground_truth(uri: Option<&str>) -> Option<(&'static str, &str)> {
    uri.map(|uri| ("GroundTruthS3Input", uri))
}

impl JobDefinition {
    /// A new definition; `baselining_job` is the job that [`Specification::baselining_job_name`] names, if there is one.
    pub fn create(
        mut specification: Specification,
        baselining_job: Option<&ProcessingJob>,
        stamp: &Stamp,
    ) -> Result<Self, Error> {
        let monitoring_type = specification.monitoring_type();
        let parts = Parts::of(&mut specification);
        let tags = tags::of_request(parts.tags.take())?;
        for (member, uri) in parts.addresses {
            check_uri(member, uri)?;
        }
        monitoring_input::fill(parts.endpoint_input, parts.batch_transform_input)?;
        monitoring_input::fill_output(parts.output)?;
        monitoring_input::fill_time_limit(parts.stopping_condition);
        if let Some(network) = parts.network {
            network.enable_network_isolation.get_or_insert(false);
            network.enable_inter_container_traffic_encryption.get_or_insert(false);
        }
        if let Some(baseline) = parts.baseline {
            baseline.resolve(monitoring_type, baselining_job)?;
        }
        let arn = Named::JobDefinition(monitoring_type).arn(stamp, specification.name());
        Ok(Self { specification, arn, region: stamp.region.clone(), tags, created: stamp.time() })
    }

    /// The definition as lists show it.
    pub fn summary(self) -> MonitoringJobDefinitionSummary {
        MonitoringJobDefinitionSummary {
            monitoring_job_definition_name: self.specification.name().to_owned(),
            // The model requires the member; a definition of batch transform jobs has no endpoint.
            endpoint_name: self.specification.endpoint_name().unwrap_or_default().to_owned(),
            monitoring_job_definition_arn: self.arn,
            creation_time: self.created,
        }
    }

    /// The key of a definition: names are unique by kind.
    pub fn key_of(monitoring_type: MonitoringType, name: &str) -> String {
        format!("{}/{}", monitoring_type.as_str(), name.to_lowercase())
    }
}

/// A data quality definition as its Describe shows it; None for a definition of another kind.
pub fn describe_data_quality(definition: JobDefinition) -> Option<DescribeDataQualityJobDefinitionResponse> {
    let Specification::DataQuality(request) = definition.specification else { return None };
    Some(DescribeDataQualityJobDefinitionResponse {
        job_definition_arn: definition.arn,
        job_definition_name: request.job_definition_name,
        creation_time: definition.created,
        data_quality_baseline_config: request.data_quality_baseline_config,
        data_quality_app_specification: request.data_quality_app_specification,
        data_quality_job_input: request.data_quality_job_input,
        data_quality_job_output_config: request.data_quality_job_output_config,
        job_resources: request.job_resources,
        network_config: request.network_config,
        role_arn: request.role_arn,
        stopping_condition: request.stopping_condition,
    })
}

/// A model quality definition as its Describe shows it; None for a definition of another kind.
pub fn describe_model_quality(definition: JobDefinition) -> Option<DescribeModelQualityJobDefinitionResponse> {
    let Specification::ModelQuality(request) = definition.specification else { return None };
    Some(DescribeModelQualityJobDefinitionResponse {
        job_definition_arn: definition.arn,
        job_definition_name: request.job_definition_name,
        creation_time: definition.created,
        model_quality_baseline_config: request.model_quality_baseline_config,
        model_quality_app_specification: request.model_quality_app_specification,
        model_quality_job_input: request.model_quality_job_input,
        model_quality_job_output_config: request.model_quality_job_output_config,
        job_resources: request.job_resources,
        network_config: request.network_config,
        role_arn: request.role_arn,
        stopping_condition: request.stopping_condition,
    })
}

/// A model bias definition as its Describe shows it; None for a definition of another kind.
pub fn describe_model_bias(definition: JobDefinition) -> Option<DescribeModelBiasJobDefinitionResponse> {
    let Specification::ModelBias(request) = definition.specification else { return None };
    Some(DescribeModelBiasJobDefinitionResponse {
        job_definition_arn: definition.arn,
        job_definition_name: request.job_definition_name,
        creation_time: definition.created,
        model_bias_baseline_config: request.model_bias_baseline_config,
        model_bias_app_specification: request.model_bias_app_specification,
        model_bias_job_input: request.model_bias_job_input,
        model_bias_job_output_config: request.model_bias_job_output_config,
        job_resources: request.job_resources,
        network_config: request.network_config,
        role_arn: request.role_arn,
        stopping_condition: request.stopping_condition,
    })
}

/// A model explainability definition as its Describe shows it; None for a definition of another kind.
pub fn describe_model_explainability(
    definition: JobDefinition,
) -> Option<DescribeModelExplainabilityJobDefinitionResponse> {
    let Specification::ModelExplainability(request) = definition.specification else { return None };
    Some(DescribeModelExplainabilityJobDefinitionResponse {
        job_definition_arn: definition.arn,
        job_definition_name: request.job_definition_name,
        creation_time: definition.created,
        model_explainability_baseline_config: request.model_explainability_baseline_config,
        model_explainability_app_specification: request.model_explainability_app_specification,
        model_explainability_job_input: request.model_explainability_job_input,
        model_explainability_job_output_config: request.model_explainability_job_output_config,
        job_resources: request.job_resources,
        network_config: request.network_config,
        role_arn: request.role_arn,
        stopping_condition: request.stopping_condition,
    })
}

/// The error for a definition that there is not.
pub fn not_found(arn: &str) -> Error {
    Error::resource_not_found(format!("Monitoring Job Definition {arn} not found"))
}

/// The error for a name that another definition of the kind has.
pub fn name_taken(arn: &str) -> Error {
    Error::resource_in_use(format!("Monitoring Job Definition {arn} already exists"))
}

/// The error for a definition that a schedule runs by.
pub fn in_use(arn: &str, schedule: &str) -> Error {
    Error::validation(format!(
        "Monitoring Job Definition {arn} cannot be deleted because the Monitoring Schedule {schedule} uses it"
    ))
}

impl Resource for JobDefinition {
    const KIND: Kind = Kind::JobDefinition;

    fn key(&self) -> String {
        Self::key_of(self.specification.monitoring_type(), self.specification.name())
    }

    fn columns(&self) -> Columns {
        Columns {
            name: self.specification.name().to_owned(),
            monitoring_type: self.specification.monitoring_type().as_str().to_owned(),
            endpoint: self.specification.endpoint_name().unwrap_or_default().to_owned(),
            created: self.created.0.as_millisecond(),
            modified: self.created.0.as_millisecond(),
            ..Columns::default()
        }
    }
}
