//! The shadow endpoint: hosts a model for the time of a job, apart from the traffic that the model otherwise gets.
//!
//! It is gone when the job has ended, whatever happened: what is made is noted before it is asked for, and dropping the endpoint removes
//! all of it. Only a job that is killed leaves one behind, which the service removes with the job.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use watchkeeper_aws::client::ClientError;
use watchkeeper_formats::clarify::PredictorConfig;

use super::transport::Service;
use super::{PredictorError, is_stopped_within};
use crate::{Level, Observer};

/// Says to people which job has made it.
const JOB_TAG: &str = "watchkeeper:processing-job";

/// What stands before the names, where the configuration says nothing.
const PREFIX: &str = "sm-clarify";

/// The longest name of an endpoint and of a configuration.
const LONGEST_NAME: usize = 63;

/// How often it is looked whether the endpoint has come up.
const POLL: Duration = Duration::from_millis(500);

/// What a call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How often the removal of something is tried, and the pause between.
const REMOVALS: u32 = 10;

/// What there is of a shadow endpoint.
pub(super) struct ShadowEndpoint {
    service: Service,
    name: String,
    config_name: String,
    /// What may be there and is to be removed.
    has_endpoint: bool,
    has_config: bool,
}

impl ShadowEndpoint {
    /// Names an endpoint for this model; nothing is made yet.
    pub(super) fn new(service: Service, config: &PredictorConfig, model: &str) -> Self {
        let prefix = config.endpoint_name_prefix.as_deref().unwrap_or(PREFIX);
        let epoch = Timestamp::now().as_second();
        let hex = format!("{:08x}", RandomState::new().build_hasher().finish() as u32);
        let room = LONGEST_NAME.saturating_sub(prefix.len() + epoch.to_string().len() + hex.len() + "---".len());
        let model: String = model.chars().take(room).collect();
        Self {
            service,
            name: format!("{prefix}-{}-{epoch}-{hex}", model.trim_end_matches('-')),
            config_name: format!("{prefix}-config-{epoch}-{hex}"),
            has_endpoint: false,
            has_config: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Makes the endpoint and waits until it answers.
    pub(super) async fn start(
        &mut self,
        config: &PredictorConfig,
        model: &str,
        job_name: Option<&str>,
        observer: &dyn Observer,
    ) -> Result<(), PredictorError> {
        let tags: Vec<Value> = job_name.map(|name| json!({"Key": JOB_TAG, "Value": name})).into_iter().collect();
        let mut variant = json!({
            "VariantName": "AllTraffic",
            "ModelName": model,
            "InitialInstanceCount": config.initial_instance_count.unwrap_or(1),
            "InstanceType": config.instance_type.as_deref().unwrap_or("ml.m5.large"),
            "InitialVariantWeight": 1.0,
        });
        if let Some(accelerator) = &config.accelerator_type {
            variant["AcceleratorType"] = json!(accelerator);
        }
        observer.log(Level::Info, &format!("Creating endpoint {} for model {model}", self.name));
        let input = json!({"EndpointConfigName": self.config_name, "ProductionVariants": [variant], "Tags": tags});
        self.has_config = true;
        let failed = |what: &str, error: &ClientError| {
            PredictorError::Unavailable(format!("{what} of model {model} could not be created: {error}"))
        };
        let call = self.service.call("CreateEndpointConfig", &input, CALL_TIMEOUT).await;
        call.map_err(|error| failed("an endpoint configuration", &error))?;
        let input = json!({"EndpointName": self.name, "EndpointConfigName": self.config_name, "Tags": tags});
        self.has_endpoint = true;
        let call = self.service.call("CreateEndpoint", &input, CALL_TIMEOUT).await;
        call.map_err(|error| failed("an endpoint", &error))?;
        await_in_service(&self.service, &self.name, observer).await?;
        observer.log(Level::Info, &format!("Endpoint {} is in service", self.name));
        Ok(())
    }

    /// Removes what was made. The error says what may still be there.
    pub(super) async fn remove(&mut self) -> Result<(), String> {
        let mut left = Vec::new();
        if self.has_endpoint {
            let input = json!({"EndpointName": self.name});
            match self.delete("DeleteEndpoint", &input).await {
                Ok(()) => self.has_endpoint = false,
                Err(error) => left.push(format!("endpoint {} ({error})", self.name)),
            }
        }
        if self.has_config {
            let input = json!({"EndpointConfigName": self.config_name});
            match self.delete("DeleteEndpointConfig", &input).await {
                Ok(()) => self.has_config = false,
                Err(error) => left.push(format!("endpoint configuration {} ({error})", self.config_name)),
            }
        }
        if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
    }

    /// Deletes one thing; what is not there is deleted.
    async fn delete(&self, operation: &str, input: &Value) -> Result<(), ClientError> {
        let mut attempt = 1;
        loop {
            match self.service.call(operation, input, CALL_TIMEOUT).await {
                Ok(_) => return Ok(()),
                Err(ClientError::Service { message, .. }) if message.contains("Could not find") => return Ok(()),
                Err(error) if attempt == REMOVALS => return Err(error),
                Err(ClientError::Connection { .. } | ClientError::Service { .. } | ClientError::Timeout { .. }) => {
                    tokio::time::sleep(POLL).await;
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Waits until an endpoint answers.
pub(super) async fn await_in_service(
    service: &Service,
    name: &str,
    observer: &dyn Observer,
) -> Result<(), PredictorError> {
    let mut failures = 0;
    loop {
        match service.endpoint_status(name, CALL_TIMEOUT).await {
            Ok((status, reason)) => match status.as_str() {
                // An endpoint that is being updated answers with what it was.
                "InService" | "Updating" | "SystemUpdating" | "RollingBack" => return Ok(()),
                "Creating" => {}
                status => {
                    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
                    return Err(PredictorError::Unavailable(format!("endpoint {name} is {status}{reason}")));
                }
            },
            Err(error @ ClientError::Service { .. }) => {
                return Err(PredictorError::Unavailable(format!("endpoint {name} cannot be asked: {error}")));
            }
            Err(error) => {
                failures += 1;
                if failures == REMOVALS {
                    return Err(PredictorError::Unavailable(format!(
                        "the service cannot be asked for endpoint {name}: {error}"
                    )));
                }
            }
        }
        if is_stopped_within(POLL, observer).await {
            return Err(PredictorError::Stopped);
        }
    }
}
