//! Changing what an endpoint captures: a new configuration like the old one, and the endpoint's update to it.

use serde_json::{Map, Value, json};

use super::Predictor;
use crate::model_monitor::DataCaptureConfig;
use crate::processing::tags_of;
use crate::session::{Progress, name_from_base};
use crate::{Error, Result};

/// Between two looks at an endpoint, in seconds.
const ENDPOINT_POLL: u64 = 30;

/// Parts of a configuration that a new one takes over as they are. Python drops all but the first two.
const KEPT: [&str; 7] = [
    "AsyncInferenceConfig",
    "ExplainerConfig",
    "ShadowProductionVariants",
    "ExecutionRoleArn",
    "VpcConfig",
    "EnableNetworkIsolation",
    "MetricsConfig",
];

impl Predictor {
    /// Captures 20 in 100 calls, request and response, to the default bucket; else [`Self::update_data_capture_config`].
    ///
    /// # Errors
    /// As [`Self::update_data_capture_config`].
    pub async fn enable_data_capture(&mut self) -> Result<()> {
        self.update_data_capture_config(&DataCaptureConfig::new(true)).await
    }

    /// Captures nothing from now on.
    ///
    /// # Errors
    /// As [`Self::update_data_capture_config`].
    pub async fn disable_data_capture(&mut self) -> Result<()> {
        self.update_data_capture_config(&DataCaptureConfig::new(false)).await
    }

    /// Makes a configuration like the endpoint's with this capture, updates the endpoint to it, and waits until it is in
    /// service again. Dropping the future leaves the update as far as it is.
    ///
    /// # Errors
    /// There is no such endpoint, or it is not in service after the update.
    pub async fn update_data_capture_config(&mut self, data_capture_config: &DataCaptureConfig) -> Result<()> {
        let capture = data_capture_config.to_request(&self.session).await?;
        let old_name = self.endpoint_config_name_now().await?;
        let new_name = name_from_base(&self.endpoint_name);
        let config = self.config_like(&old_name, &new_name, capture).await?;
        let description = json!({ "EndpointConfigName": new_name });
        let session = &self.session;
        session.create("CreateEndpointConfig", &new_name, &config, ("DescribeEndpointConfig", &description)).await?;
        self.describe().await?;
        let update = json!({ "EndpointName": self.endpoint_name, "EndpointConfigName": new_name });
        // Not known any more, however the update ends.
        self.endpoint_config_name = None;
        self.model_names = None;
        let endpoint = json!({ "EndpointName": self.endpoint_name });
        session.update("UpdateEndpoint", &self.endpoint_name, &update, ("DescribeEndpoint", &endpoint)).await?;
        self.wait_until_in_service().await
    }

    /// `CreateEndpointConfig` of `new_name` with everything that the configuration `old_name` has, but this capture.
    async fn config_like(&self, old_name: &str, new_name: &str, capture: Value) -> Result<Value> {
        let old = self.describe_config(old_name).await?;
        let mut config = Map::new();
        config.insert("EndpointConfigName".to_owned(), new_name.into());
        config.insert("ProductionVariants".to_owned(), old["ProductionVariants"].clone());
        let tags = tags_of(&self.session, old_name, old["EndpointConfigArn"].as_str().unwrap_or_default()).await?;
        if !tags.is_empty() {
            config.insert("Tags".to_owned(), json!(tags));
        }
        if let Some(key) = old.get("KmsKeyId").filter(|key| !key.is_null()) {
            config.insert("KmsKeyId".to_owned(), key.clone());
        }
        config.insert("DataCaptureConfig".to_owned(), capture);
        for member in KEPT {
            if let Some(part) = old.get(member).filter(|part| !part.is_null()) {
                config.insert(member.to_owned(), part.clone());
            }
        }
        Ok(config.into())
    }

    async fn wait_until_in_service(&self) -> Result<()> {
        let resource = format!("endpoint {}", self.endpoint_name);
        loop {
            self.session.pause(ENDPOINT_POLL).await;
            let description = self.describe().await?;
            let status = description["EndpointStatus"].as_str().unwrap_or_default();
            self.session.tell(Progress::Status { resource: &resource, status });
            match status {
                "InService" => return Ok(()),
                "Creating" | "Updating" => {}
                _ => {
                    return Err(Error::UnexpectedStatus {
                        resource,
                        allowed_statuses: vec!["InService"],
                        actual_status: status.to_owned(),
                        failure_reason: description["FailureReason"].as_str().map(str::to_owned),
                    });
                }
            }
        }
    }

    pub(super) async fn describe(&self) -> Result<Value> {
        let request = json!({ "EndpointName": self.endpoint_name });
        self.session.sagemaker("DescribeEndpoint", &self.endpoint_name, &request).await
    }

    pub(super) async fn describe_config(&self, name: &str) -> Result<Value> {
        self.session.sagemaker("DescribeEndpointConfig", name, &json!({ "EndpointConfigName": name })).await
    }

    /// The configuration that the endpoint has at this moment.
    pub(super) async fn endpoint_config_name_now(&self) -> Result<String> {
        let description = self.describe().await?;
        let name = description["EndpointConfigName"].as_str().map(str::to_owned);
        name.ok_or_else(|| Error::Answer {
            operation: "DescribeEndpoint",
            resource: self.endpoint_name.clone(),
            reason: "has no EndpointConfigName".to_owned(),
        })
    }
}
