//! Endpoints: what they run, and their life.
//!
//! Creating becomes `InService` or Failed; Updating becomes `InService`, with what it was updated to or, where that did not
//! start, with what it ran before and a reason. Deleting ends the document. What an endpoint runs is in its document whole,
//! so that configuration and models may be deleted while it lives, and the service can be started again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use watchkeeper_aws::generated::sagemaker::{
    CaptureStatus, CreateEndpointConfigInput, CreateEndpointInput, CreateModelInput, DataCaptureConfig,
    DataCaptureConfigSummary, DescribeEndpointOutput, DesiredWeightAndCapacity, EndpointStatus, EndpointSummary,
    ProductionVariant, ProductionVariantSummary, Tag, UpdateEndpointInput,
};
use watchkeeper_aws::{Error, Time};
use watchkeeper_store::metadata::{Columns, Kind};

use super::model::images;
use super::names::Named;
use super::{Stamp, milliseconds, tags};
use crate::resources::Resource;

/// The weight of a variant whose configuration has none.
const USUAL_WEIGHT: f64 = 1.0;
/// The longest `FailureReason` that AWS's model takes.
const LONGEST_REASON: usize = 1024;
/// What the reason of an endpoint begins with that was in service before the service was restarted.
const NOT_RESTARTED: &str = "its models have not started again since the service was restarted, and are tried further";

/// What an endpoint runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// The configuration, with the weights and numbers of instances as they were changed last.
    pub config: CreateEndpointConfigInput,
    /// Copies of the models that it names.
    pub models: Vec<CreateModelInput>,
}

/// An endpoint.
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
    /// Copies of the models that its configuration names.
    #[serde(default)]
    pub models: Vec<CreateModelInput>,
    /// What it is being updated to, while something else is in service.
    #[serde(default)]
    pub update: Option<Revision>,
    /// How it was deployed, as it was sent last.
    #[serde(default)]
    pub deployment_config: Option<Value>,
    /// Where it stands.
    pub status: EndpointStatus,
    /// Why it is Failed, or why its last update is not in service.
    pub failure_reason: Option<String>,
    /// When it was created.
    pub created: Time,
    /// When anything about it changed last.
    pub modified: Time,
    /// The mark of the job or model whose credentials it was created with; none: a client's.
    #[serde(default)]
    pub made_by: Option<String>,
}

impl Endpoint {
    /// A new endpoint, Creating until [`Endpoint::started`] or [`Endpoint::failed`].
    pub fn create(request: CreateEndpointInput, revision: Revision, stamp: &Stamp) -> Result<Self, Error> {
        Ok(Self {
            arn: Named::Endpoint.arn(stamp, &request.endpoint_name),
            name: request.endpoint_name,
            tags: tags::of_request(request.tags)?,
            config: revision.config,
            models: revision.models,
            update: None,
            deployment_config: request.deployment_config,
            status: EndpointStatus::Creating,
            failure_reason: None,
            created: stamp.time(),
            modified: stamp.time(),
            made_by: None,
        })
    }

    /// The endpoint on its way to another configuration.
    pub fn update(&self, request: UpdateEndpointInput, mut revision: Revision, now: Timestamp) -> Result<Self, Error> {
        self.refuse_in_progress()?;
        if request.retain_all_variant_properties == Some(true) {
            let excluded = request.exclude_retained_variant_properties.unwrap_or_default();
            let is_retained = |property: &str| {
                !excluded.iter().any(|excluded| excluded["VariantPropertyType"].as_str() == Some(property))
            };
            for variant in &mut revision.config.production_variants {
                let Some(before) = variant_of(&self.config, &variant.variant_name) else { continue };
                if is_retained("DesiredInstanceCount") {
                    variant.initial_instance_count = before.initial_instance_count;
                }
                if is_retained("DesiredWeight") {
                    variant.initial_variant_weight = before.initial_variant_weight;
                }
            }
            if is_retained("DataCaptureConfig") {
                revision.config.data_capture_config.clone_from(&self.config.data_capture_config);
            }
        }
        let mut updated = self.clone().updating(revision, now);
        if request.retain_deployment_config != Some(true) {
            updated.deployment_config = request.deployment_config;
        }
        Ok(updated)
    }

    /// The endpoint on its way to other weights and numbers of instances.
    pub fn update_weights(&self, desired: Vec<DesiredWeightAndCapacity>, now: Timestamp) -> Result<Self, Error> {
        self.refuse_in_progress()?;
        if self.status != EndpointStatus::InService {
            return Err(Error::validation(format!(
                "Cannot update weights and capacities of endpoint \"{}\": its status is {}, not InService.",
                self.arn,
                self.status.as_str()
            )));
        }
        let mut revision = self.current();
        for desired in desired {
            let mut variants = revision.config.production_variants.iter_mut();
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
        Ok(self.clone().updating(revision, now))
    }

    /// The endpoint on its way out. One that is on it already stays as it is.
    #[must_use]
    pub fn delete(&self, now: Timestamp) -> Self {
        if self.status == EndpointStatus::Deleting {
            return self.clone();
        }
        Self { status: EndpointStatus::Deleting, modified: milliseconds(now), ..self.clone() }
    }

    /// What it runs, or is to run first.
    pub fn current(&self) -> Revision {
        Revision { config: self.config.clone(), models: self.models.clone() }
    }

    /// Whether this is what it runs.
    pub fn runs(&self, revision: &Revision) -> bool {
        self.config == revision.config && self.models == revision.models
    }

    /// What it is to run once nothing is under way.
    pub fn target(&self) -> Revision {
        self.update.clone().unwrap_or_else(|| self.current())
    }

    /// The endpoint once what it is to run answers; None where it was given up or did so before.
    pub fn started(&self, now: Timestamp) -> Option<Self> {
        self.is_starting().then(|| {
            let Revision { config, models } = self.target();
            Self { config, models, ..self.clone() }.in_service(now)
        })
    }

    /// The endpoint once what was in service answers again after the service was restarted; None where nobody was told
    /// that it did not, or where an update has been asked for since, which is not what answers.
    pub fn restarted(&self, now: Timestamp) -> Option<Self> {
        let was_away = self.status == EndpointStatus::InService
            && self.failure_reason.as_ref().is_some_and(|reason| reason.starts_with(NOT_RESTARTED));
        was_away.then(|| self.clone().in_service(now))
    }

    /// The endpoint whose models do not start: back to what is in service, where there is something; None where it was given
    /// up.
    pub fn failed(&self, reason: &str, now: Timestamp) -> Option<Self> {
        if !self.is_starting() {
            return None;
        }
        let (status, reason) = match &self.update {
            Some(update) => (
                EndpointStatus::InService,
                format!(
                    "the update to endpoint configuration {} failed, and {} goes on serving: {reason}",
                    update.config.endpoint_config_name, self.config.endpoint_config_name
                ),
            ),
            None => (EndpointStatus::Failed, reason.to_owned()),
        };
        Some(self.clone().with_reason(&reason, status, now))
    }

    /// An endpoint in service whose models do not start again after the service did; None where that is known.
    pub fn not_restarted(&self, reason: &str, now: Timestamp) -> Option<Self> {
        let reason = format!("{NOT_RESTARTED}: {reason}");
        let is_news =
            self.status == EndpointStatus::InService && self.failure_reason.as_ref() != Some(&shortened(&reason));
        is_news.then(|| self.clone().with_reason(&reason, EndpointStatus::InService, now))
    }

    fn in_service(self, now: Timestamp) -> Self {
        let status = EndpointStatus::InService;
        Self { status, update: None, failure_reason: None, modified: milliseconds(now), ..self }
    }

    fn with_reason(self, reason: &str, status: EndpointStatus, now: Timestamp) -> Self {
        Self { status, update: None, failure_reason: Some(shortened(reason)), modified: milliseconds(now), ..self }
    }

    fn updating(self, revision: Revision, now: Timestamp) -> Self {
        let updating = Self {
            status: EndpointStatus::Updating,
            failure_reason: None,
            modified: milliseconds(now),
            ..self.clone()
        };
        if self.status == EndpointStatus::InService {
            Self { update: Some(revision), ..updating }
        } else {
            // There is nothing that could go on serving.
            Self { config: revision.config, models: revision.models, ..updating }
        }
    }

    fn is_starting(&self) -> bool {
        matches!(self.status, EndpointStatus::Creating | EndpointStatus::Updating)
    }

    /// Refuses what cannot be changed because a change is under way.
    pub fn refuse_in_progress(&self) -> Result<(), Error> {
        if self.is_starting() || self.status == EndpointStatus::Deleting {
            return Err(Error::validation(format!("Cannot update in-progress endpoint \"{}\".", self.arn)));
        }
        Ok(())
    }

    /// The endpoint as `DescribeEndpoint` shows it.
    pub fn describe(self) -> DescribeEndpointOutput {
        let is_serving = match self.status {
            EndpointStatus::InService => true,
            EndpointStatus::Updating => self.update.is_some(),
            _ => false,
        };
        let pending = self.update.as_ref().map(|update| pending_summary(update, self.modified));
        let desired = self.update.as_ref().map(|update| &update.config);
        let variants = |variants: Vec<ProductionVariant>| {
            variants.into_iter().map(|variant| variant_summary(variant, &self.models, desired)).collect()
        };
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
            pending_deployment_summary: pending,
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

impl Revision {
    /// The copy of a model by its name.
    pub fn model(&self, name: &str) -> Option<&CreateModelInput> {
        model_of(&self.models, name)
    }
}

/// The weight of a variant: its share of requests is this among the weights of all.
pub fn weight(variant: &ProductionVariant) -> f64 {
    variant.initial_variant_weight.unwrap_or(USUAL_WEIGHT)
}

fn model_of<'a>(models: &'a [CreateModelInput], name: &str) -> Option<&'a CreateModelInput> {
    models.iter().find(|model| model.model_name.eq_ignore_ascii_case(name))
}

fn variant_of<'a>(config: &'a CreateEndpointConfigInput, name: &str) -> Option<&'a ProductionVariant> {
    config.production_variants.iter().find(|variant| variant.variant_name == name)
}

fn shortened(reason: &str) -> String {
    reason.chars().take(LONGEST_REASON).collect()
}

/// A variant as it is, on its way to the configuration `desired`.
fn variant_summary(
    variant: ProductionVariant,
    models: &[CreateModelInput],
    desired: Option<&CreateEndpointConfigInput>,
) -> ProductionVariantSummary {
    let desired = desired.and_then(|config| variant_of(config, &variant.variant_name)).unwrap_or(&variant);
    let model = variant.model_name.as_deref().and_then(|name| model_of(models, name));
    let deployed_images =
        model.map(|model| images(model).map(|image| json!({ "SpecifiedImage": image })).collect::<Vec<_>>());
    ProductionVariantSummary {
        deployed_images: deployed_images.filter(|images| !images.is_empty()),
        current_weight: Some(weight(&variant)),
        desired_weight: Some(weight(desired)),
        current_instance_count: variant.initial_instance_count,
        desired_instance_count: desired.initial_instance_count,
        instance_pools: None,
        variant_status: None,
        desired_serverless_config: desired.serverless_config.clone(),
        current_serverless_config: variant.serverless_config,
        managed_instance_scaling: variant.managed_instance_scaling,
        routing_config: variant.routing_config,
        capacity_reservation_config: None,
        accelerator_partition_layouts: None,
        variant_name: variant.variant_name,
    }
}

fn pending_summary(update: &Revision, since: Time) -> Value {
    let variants = update.config.production_variants.iter();
    json!({
        "EndpointConfigName": update.config.endpoint_config_name,
        "ProductionVariants":
            variants.map(|variant| variant_summary(variant.clone(), &update.models, None)).collect::<Vec<_>>(),
        "StartTime": since,
    })
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
