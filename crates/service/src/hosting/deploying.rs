//! From what an endpoint is to run to a deployment of it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use futures::future::try_join_all;
use uuid::Uuid;
use watchkeeper_aws::generated::sagemaker::{CreateModelInput, ProductionVariant};
use watchkeeper_aws::types::Arn;

use super::capture::{CapturePlan, CaptureStream};
use super::model::{ModelServer, ModelSpecification, StartError};
use super::{Deployment, Found, Hosting, Origin, Variant};
use crate::control::endpoint::{Endpoint, Revision, weight};
use crate::telemetry::program_log::{ENDPOINTS, ProgramLog};

/// How long a model may take to answer its first `/ping` where its variant does not say: AWS's eight minutes.
const USUAL_STARTUP: Duration = Duration::from_mins(8);
/// How long its archive may take to be fetched where its variant does not say.
const USUAL_DOWNLOAD: Duration = Duration::from_mins(20);
/// Hexadecimal digits of the id of an instance.
const INSTANCE_DIGITS: usize = 17;

/// What a variant is made for.
struct Making<'a> {
    endpoint: &'a Endpoint,
    region: &'a str,
    revision: &'a Revision,
    /// What is in service: models and captures that stay the same are taken from it.
    old: Option<&'a Deployment>,
}

impl Hosting {
    /// Starts what an endpoint is to run, all its variants at the same time. The error is the `FailureReason`; what had been
    /// started before it is ended then.
    pub(super) async fn deploy(
        &self,
        endpoint: &Endpoint,
        revision: Revision,
        old: Option<&Deployment>,
    ) -> Result<Found, String> {
        if revision.config.explainer_config.is_some() {
            return Err(
                "ExplainerConfig is not supported: predictions without explanations would mislead. Deploy with \
                        a configuration without it"
                    .to_owned(),
            );
        }
        let region = endpoint.arn.parse::<Arn>().map_or_else(|_| String::new(), |arn| arn.region);
        let making = Making { endpoint, region: &region, revision: &revision, old };
        let config = &revision.config;
        let variants = config.production_variants.iter().chain(config.shadow_production_variants.iter().flatten());
        let made = try_join_all(variants.map(|variant| self.make(&making, variant))).await?;
        if made.iter().all(Option::is_none) {
            return Ok(Found::External(Arc::new(Origin { created: endpoint.created, revision })));
        }
        let mut variants: Vec<Variant> = made.into_iter().collect::<Option<_>>().ok_or(
            "some variants have the image watchkeeper-external, whose models are served elsewhere, and others have not: \
             use it for all variants or for none",
        )?;
        let shadows = variants.split_off(config.production_variants.len());
        Ok(Found::Serving(Arc::new(Deployment {
            name: endpoint.name.clone(),
            arn: endpoint.arn.clone(),
            variants,
            shadows,
            async_config: config.async_inference_config.clone(),
            capture_config: config.data_capture_config.clone(),
            region,
            origin: Origin { created: endpoint.created, revision },
            spread: AtomicU64::new(0),
        })))
    }

    /// One variant; None where its model is served elsewhere.
    async fn make(&self, making: &Making<'_>, variant: &ProductionVariant) -> Result<Option<Variant>, String> {
        let name = &variant.variant_name;
        let Some(model_name) = &variant.model_name else {
            return Err(format!("variant {name} has no ModelName: inference components are not supported"));
        };
        let Some(model) = making.revision.model(model_name) else {
            return Err(format!(
                "the endpoint was created by an earlier version, which kept no copy of model {model_name}: delete it and \
                 create it again"
            ));
        };
        let model = match making.running(variant, model) {
            Some(running) => Some(running),
            None => match self.start_model(making, variant, model).await {
                Ok(started) => Some(started),
                Err(StartError::External) => return Ok(None),
                Err(StartError::Unmapped(_)) if self.context.configuration.hosting.accept_unmapped_images => None,
                Err(StartError::Unmapped(reason) | StartError::Failed(reason)) => {
                    return Err(format!("model {model_name} of variant {name}: {reason}"));
                }
            },
        };
        Ok(Some(Variant {
            name: name.clone(),
            weight: weight(variant),
            model,
            capture: self.captures(making, name),
            traffic: self.invocations.traffic(&making.endpoint.name, name),
        }))
    }

    /// Starts the model of a variant as if on an instance of its own.
    async fn start_model(
        &self,
        making: &Making<'_>,
        variant: &ProductionVariant,
        model: &CreateModelInput,
    ) -> Result<Arc<ModelServer>, StartError> {
        let name = &variant.variant_name;
        let instance = instance();
        let log_group = format!("{ENDPOINTS}{}", making.endpoint.name);
        let log_stream = format!("{name}/{instance}");
        let (logs, clock) = (Arc::clone(&self.context.logs), Arc::clone(&self.context.clock));
        let log = ProgramLog::open(logs, clock, &log_group, log_stream.clone()).await;
        let seconds = |seconds: Option<i32>, usual| {
            seconds.and_then(|seconds| u64::try_from(seconds).ok()).map_or(usual, Duration::from_secs)
        };
        let specification = ModelSpecification {
            model: model.clone(),
            region: making.region.to_owned(),
            instance_type: variant.instance_type.clone(),
            log_group,
            log_stream,
            label: format!("{}-{name}-{instance}", making.endpoint.name),
            startup_timeout: seconds(variant.container_startup_health_check_timeout_in_seconds, USUAL_STARTUP),
            download_timeout: seconds(variant.model_data_download_timeout_in_seconds, USUAL_DOWNLOAD),
            batch: None,
        };
        let started = ModelServer::start(&self.context, &self.launcher, specification).await;
        let model = &model.model_name;
        match &started {
            Ok(started) => {
                self.remember(started);
                log.say(&format!("model {model} is ready")).await;
            }
            Err(StartError::External) => {
                log.say(&format!("model {model} is served elsewhere, and captures are taken from there")).await;
            }
            Err(StartError::Unmapped(reason) | StartError::Failed(reason)) => {
                log.say(&format!("model {model} does not start: {reason}")).await;
            }
        }
        started
    }

    /// Where a variant's requests and answers are captured: as before, where nothing about it changes.
    fn captures(&self, making: &Making<'_>, variant: &str) -> Option<Arc<CaptureStream>> {
        let endpoint = &making.endpoint.name;
        let plan = CapturePlan::of(making.revision.config.data_capture_config.as_ref()?, endpoint, variant)?;
        let before = making.old.and_then(|old| {
            let before = CapturePlan::of(old.capture_config.as_ref()?, endpoint, variant)?;
            let mut variants = old.variants.iter().chain(&old.shadows);
            let variant = variants.find(|variant| variant.name == before.variant)?;
            (before == plan).then(|| variant.capture.clone())?
        });
        Some(before.unwrap_or_else(|| self.capture.stream(plan)))
    }
}

impl Making<'_> {
    /// What answers for a variant already, by the same model on the same instances.
    fn running(&self, variant: &ProductionVariant, model: &CreateModelInput) -> Option<Arc<ModelServer>> {
        let old = self.old?;
        let before_it = &old.origin.revision;
        let config = &before_it.config;
        let mut variants = config.production_variants.iter().chain(config.shadow_production_variants.iter().flatten());
        let before = variants.find(|before| before.variant_name == variant.variant_name)?;
        let is_same = before.instance_type == variant.instance_type
            && before.model_name.as_ref().and_then(|name| before_it.model(name)) == Some(model);
        let mut running = old.variants.iter().chain(&old.shadows);
        let running = running.find(|running| running.name == variant.variant_name)?;
        running.model.clone().filter(|_| is_same)
    }
}

/// The id of an instance, in the form that AWS gives them.
fn instance() -> String {
    let digits = Uuid::new_v4().simple().to_string();
    format!("i-{}", &digits[..INSTANCE_DIGITS])
}
