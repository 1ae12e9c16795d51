//! Endpoint configurations.

use serde::{Deserialize, Serialize};
use watchkeeper_aws::generated::sagemaker::{
    CreateEndpointConfigInput, DescribeEndpointConfigOutput, EndpointConfigSummary, Tag,
};
use watchkeeper_aws::{Error, Time};
use watchkeeper_store::metadata::{Columns, Kind};

use super::addresses::check_uri;
use super::names::Named;
use super::{Stamp, tags};
use crate::resources::Resource;

/// An endpoint configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndpointConfig {
    /// The request, without the tags.
    pub request: CreateEndpointConfigInput,
    /// Its ARN.
    pub arn: String,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// When it was created.
    pub created: Time,
    /// The mark of the job or model whose credentials it was created with; none: a client's.
    #[serde(default)]
    pub made_by: Option<String>,
}

impl EndpointConfig {
    /// A new configuration. That its models are there is for the caller to see to.
    pub fn create(mut request: CreateEndpointConfigInput, stamp: &Stamp) -> Result<Self, Error> {
        let tags = tags::of_request(request.tags.take())?;
        let mut names: Vec<&str> = Vec::new();
        for variant in request.production_variants.iter().chain(request.shadow_production_variants.iter().flatten()) {
            if names.contains(&variant.variant_name.as_str()) {
                let name = &variant.variant_name;
                return Err(Error::validation(format!("Variant names must be unique within a configuration: {name}")));
            }
            names.push(&variant.variant_name);
        }
        if let Some(capture) = &request.data_capture_config {
            check_uri("DestinationS3Uri", &capture.destination_s3_uri)?;
        }
        let arn = Named::EndpointConfig.arn(stamp, &request.endpoint_config_name);
        Ok(Self { arn, request, tags, created: stamp.time(), made_by: None })
    }

    /// The configuration as `DescribeEndpointConfig` shows it.
    pub fn describe(self) -> DescribeEndpointConfigOutput {
        let request = self.request;
        DescribeEndpointConfigOutput {
            endpoint_config_name: request.endpoint_config_name,
            endpoint_config_arn: self.arn,
            production_variants: request.production_variants,
            data_capture_config: request.data_capture_config,
            kms_key_id: request.kms_key_id,
            creation_time: self.created,
            async_inference_config: request.async_inference_config,
            explainer_config: request.explainer_config,
            shadow_production_variants: request.shadow_production_variants,
            execution_role_arn: request.execution_role_arn,
            vpc_config: request.vpc_config,
            enable_network_isolation: request.enable_network_isolation,
            metrics_config: request.metrics_config,
            cross_region_traffic_config: request.cross_region_traffic_config,
        }
    }

    /// The configuration as lists show it.
    pub fn summary(self) -> EndpointConfigSummary {
        EndpointConfigSummary {
            endpoint_config_name: self.request.endpoint_config_name,
            endpoint_config_arn: self.arn,
            creation_time: self.created,
        }
    }
}

/// The models that a configuration names.
pub fn model_names(request: &CreateEndpointConfigInput) -> impl Iterator<Item = &str> {
    let shadows = request.shadow_production_variants.iter().flatten();
    request.production_variants.iter().chain(shadows).filter_map(|variant| variant.model_name.as_deref())
}

/// The error for a configuration that there is not.
pub fn not_found(arn: &str) -> Error {
    Error::validation(format!("Could not find endpoint configuration \"{arn}\"."))
}

/// The error for a name that another configuration has.
pub fn name_taken(arn: &str) -> Error {
    Error::validation(format!("Cannot create already existing endpoint configuration \"{arn}\"."))
}

impl Resource for EndpointConfig {
    const KIND: Kind = Kind::EndpointConfig;

    fn key(&self) -> String {
        self.request.endpoint_config_name.to_lowercase()
    }

    fn columns(&self) -> Columns {
        Columns {
            name: self.request.endpoint_config_name.clone(),
            created: self.created.0.as_millisecond(),
            modified: self.created.0.as_millisecond(),
            ..Columns::default()
        }
    }
}
