//! Endpoints.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use watchkeeper_aws::generated::sagemaker::{
    CaptureStatus, CreateEndpointConfigInput, CreateEndpointInput, DataCaptureConfig, DataCaptureConfigSummary,
    DescribeEndpointOutput, DesiredWeightAndCapacity, EndpointStatus, EndpointSummary, ProductionVariant,
    ProductionVariantSummary, Tag, UpdateEndpointInput,
};
use watchkeeper_aws::{Error, Time};
use watchkeeper_store::metadata::{Columns, Kind};

use super::endpoint_config::EndpointConfig;
use super::names::Named;
use super::{Stamp, milliseconds, tags};
use crate::resources::Resource;

/// How long an endpoint is Creating or Updating.
const TRANSITION: SignedDuration = SignedDuration::from_millis(200);
/// The weight of a variant whose configuration has none.
const USUAL_WEIGHT: f64 = 1.0;

/// An endpoint. It keeps a copy of the configuration it runs by: that may be deleted while the endpoint lives.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its name as it was given.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// The configuration it runs by.
    pub config: CreateEndpointConfigInput,
    /// How it was deployed, as it was sent last.
    #[serde(default)]
    pub deployment_config: Option<Value>,
    /// Where it stands.
    pub status: EndpointStatus,
    /// Why it is Failed.
    pub failure_reason: Option<String>,
    /// When it was created.
    pub created: Time,
    /// When anything about it changed last.
    pub modified: Time,
}

impl Endpoint {
    /// A new endpoint, Creating until [`Endpoint::settled`] says otherwise.
    pub fn create(request: CreateEndpointInput, config: &EndpointConfig, stamp: &Stamp) -> Result<Self, Error> {
        Ok(Self {
            arn: Named::Endpoint.arn(stamp, &request.endpoint_name),
            name: request.endpoint_name,
            tags: tags::of_request(request.tags)?,
            config: config.request.clone(),
            deployment_config: request.deployment_config,
            status: EndpointStatus::Creating,
            failure_reason: None,
            created: stamp.time(),
            modified: stamp.time(),
        })
    }

    /// What a Creating or Updating endpoint has become by now; None while nothing changes.
    pub fn settled(&self, now: Timestamp) -> Option<Self> {
        // A moment that is still to come was seen by a clock that has been put back.
        let is_too_early = (SignedDuration::ZERO..TRANSITION).contains(&now.duration_since(self.modified.0));
        if !self.is_in_progress() || is_too_early {
            return None;
        }
        let mut settled = self.clone();
        // Whoever looks first finds it so; it has been so since its time came.
        settled.modified = Time(self.modified.0.saturating_add(TRANSITION).unwrap_or(now));
        if self.config.explainer_config.is_some() {
            settled.status = EndpointStatus::Failed;
            settled.failure_reason = Some(
                "ExplainerConfig is not supported: predictions without explanations would mislead. Deploy with a \
                 configuration without it"
                    .to_owned(),
            );
        } else {
            settled.status = EndpointStatus::InService;
            settled.failure_reason = None;
        }
        Some(settled)
    }

    /// The endpoint on its way to another configuration.
    pub fn update(&self, request: UpdateEndpointInput, config: &EndpointConfig, now: Timestamp) -> Result<Self, Error> {
        self.refuse_in_progress()?;
        let mut updated = Self { config: config.request.clone(), ..self.clone() }.updating(now);
        if request.retain_all_variant_properties == Some(true) {
            let excluded = request.exclude_retained_variant_properties.unwrap_or_default();
            let is_retained = |property: &str| {
                !excluded.iter().any(|excluded| excluded["VariantPropertyType"].as_str() == Some(property))
            };
            for variant in &mut updated.config.production_variants {
                let Some(before) = self.variant(&variant.variant_name) else { continue };
                if is_retained("DesiredInstanceCount") {
                    variant.initial_instance_count = before.initial_instance_count;
                }
                if is_retained("DesiredWeight") {
                    variant.initial_variant_weight = before.initial_variant_weight;
                }
            }
            if is_retained("DataCaptureConfig") {
                updated.config.data_capture_config.clone_from(&self.config.data_capture_config);
            }
        }
        if request.retain_deployment_config != Some(true) {
            updated.deployment_config = request.deployment_config;
        }
        Ok(updated)
    }

    /// The endpoint on its way to other weights and numbers of instances.
    pub fn update_weights(&self, desired: Vec<DesiredWeightAndCapacity>, now: Timestamp) -> Result<Self, Error> {
        self.refuse_in_progress()?;
        let mut updated = self.clone().updating(now);
        for desired in desired {
            let mut variants = updated.config.production_variants.iter_mut();
            let Some(variant) = variants.find(|variant| variant.variant_name == desired.variant_name) else {
                let name = desired.variant_name;
                return Err(Error::validation(format!(
                    "Could not find variant \"{name}\" in endpoint \"{}\".",
                    self.arn
                )));
            };
            variant.initial_variant_weight = desired.desired_weight.or(variant.initial_variant_weight);
            variant.initial_instance_count = desired.desired_instance_count.or(variant.initial_instance_count);
        }
        Ok(updated)
    }

    fn updating(mut self, now: Timestamp) -> Self {
        self.status = EndpointStatus::Updating;
        self.failure_reason = None;
        self.modified = milliseconds(now);
        self
    }

    fn variant(&self, name: &str) -> Option<&ProductionVariant> {
        self.config.production_variants.iter().find(|variant| variant.variant_name == name)
    }

    fn is_in_progress(&self) -> bool {
        matches!(self.status, EndpointStatus::Creating | EndpointStatus::Updating)
    }

    fn refuse_in_progress(&self) -> Result<(), Error> {
        if self.is_in_progress() {
            return Err(Error::validation(format!("Cannot update in-progress endpoint \"{}\".", self.arn)));
        }
        Ok(())
    }

    /// The endpoint as `DescribeEndpoint` shows it.
    pub fn describe(self) -> DescribeEndpointOutput {
        let is_serving = matches!(self.status, EndpointStatus::InService | EndpointStatus::Updating);
        let variants = |variants: Vec<ProductionVariant>| variants.into_iter().map(variant_summary).collect();
        let config = self.config;
        DescribeEndpointOutput {
            endpoint_name: self.name,
            endpoint_arn: self.arn,
            endpoint_config_name: Some(config.endpoint_config_name),
            production_variants: Some(variants(config.production_variants)),
            data_capture_config: config.data_capture_config.map(|config| capture_summary(config, is_serving)),
            endpoint_status: self.status,
            failure_reason: self.failure_reason,
            creation_time: self.created,
            last_modified_time: self.modified,
            last_deployment_config: self.deployment_config,
            async_inference_config: config.async_inference_config,
            pending_deployment_summary: None,
            explainer_config: config.explainer_config,
            shadow_production_variants: config.shadow_production_variants.map(variants),
            metrics_config: config.metrics_config,
            cross_region_traffic_config: config.cross_region_traffic_config,
        }
    }

    /// The endpoint as lists show it.
    pub fn summary(self) -> EndpointSummary {
        EndpointSummary {
            endpoint_name: self.name,
            endpoint_arn: self.arn,
            creation_time: self.created,
            last_modified_time: self.modified,
            endpoint_status: self.status,
        }
    }
}

fn variant_summary(variant: ProductionVariant) -> ProductionVariantSummary {
    let weight = variant.initial_variant_weight.unwrap_or(USUAL_WEIGHT);
    ProductionVariantSummary {
        variant_name: variant.variant_name,
        deployed_images: None,
        current_weight: Some(weight),
        desired_weight: Some(weight),
        current_instance_count: variant.initial_instance_count,
        desired_instance_count: variant.initial_instance_count,
        instance_pools: None,
        variant_status: None,
        current_serverless_config: variant.serverless_config.clone(),
        desired_serverless_config: variant.serverless_config,
        managed_instance_scaling: variant.managed_instance_scaling,
        routing_config: variant.routing_config,
        capacity_reservation_config: None,
        accelerator_partition_layouts: None,
    }
}

fn capture_summary(config: DataCaptureConfig, is_serving: bool) -> DataCaptureConfigSummary {
    // Capture is on unless it was switched off.
    let enable_capture = config.enable_capture.unwrap_or(true);
    let is_started = enable_capture && is_serving;
    DataCaptureConfigSummary {
        enable_capture,
        capture_status: if is_started { CaptureStatus::Started } else { CaptureStatus::Stopped },
        current_sampling_percentage: config.initial_sampling_percentage,
        destination_s3_uri: config.destination_s3_uri,
        kms_key_id: config.kms_key_id.unwrap_or_default(),
    }
}

/// The error for an endpoint that there is not.
pub fn not_found(arn: &str) -> Error {
    Error::validation(format!("Could not find endpoint \"{arn}\"."))
}

/// The error for a name that another endpoint has.
pub fn name_taken(arn: &str) -> Error {
    Error::validation(format!("Cannot create already existing endpoint \"{arn}\"."))
}

impl Resource for Endpoint {
    const KIND: Kind = Kind::Endpoint;

    fn key(&self) -> String {
        self.name.to_lowercase()
    }

    fn columns(&self) -> Columns {
        Columns {
            name: self.name.clone(),
            status: self.status.as_str().to_owned(),
            definition: self.config.endpoint_config_name.clone(),
            created: self.created.0.as_millisecond(),
            modified: self.modified.0.as_millisecond(),
            ..Columns::default()
        }
    }
}
