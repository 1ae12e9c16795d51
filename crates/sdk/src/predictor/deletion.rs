//! Deleting an endpoint and what stands behind it.

use serde_json::json;

use super::Predictor;
use crate::Result;
use crate::request::awaitable;

/// The request of [`Predictor::delete_endpoint`].
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct DeleteEndpoint<'a> {
    predictor: &'a mut Predictor,
    delete_endpoint_config: bool,
}

impl Predictor {
    /// Deletes the endpoint, and its configuration before it.
    pub fn delete_endpoint(&mut self) -> DeleteEndpoint<'_> {
        DeleteEndpoint { predictor: self, delete_endpoint_config: true }
    }

    /// Deletes the models behind the endpoint. Call it before [`Self::delete_endpoint`]: which models they are is in the
    /// endpoint's configuration.
    ///
    /// # Errors
    /// The endpoint cannot be described, or a model cannot be deleted; then the others are deleted all the same, and the error
    /// is that of the first.
    pub async fn delete_model(&mut self) -> Result<()> {
        let mut failure = None;
        for model in self.known_model_names().await? {
            let deleted = self.session.sagemaker("DeleteModel", &model, &json!({ "ModelName": model })).await;
            failure = failure.or(deleted.err());
        }
        failure.map_or(Ok(()), Err)
    }

    async fn known_model_names(&mut self) -> Result<Vec<String>> {
        if let Some(names) = &self.model_names {
            return Ok(names.clone());
        }
        let names: Vec<String> = if let Some(component) = &self.component_name {
            let request = json!({ "InferenceComponentName": component });
            let description = self.session.sagemaker("DescribeInferenceComponent", component, &request).await?;
            description["Specification"]["ModelName"].as_str().map(str::to_owned).into_iter().collect()
        } else {
            let config = self.known_endpoint_config_name().await?;
            let description = self.describe_config(&config).await?;
            let variants = description["ProductionVariants"].as_array().into_iter().flatten();
            variants.filter_map(|variant| variant["ModelName"].as_str().map(str::to_owned)).collect()
        };
        self.model_names = Some(names.clone());
        Ok(names)
    }

    async fn known_endpoint_config_name(&mut self) -> Result<String> {
        if let Some(name) = &self.endpoint_config_name {
            return Ok(name.clone());
        }
        let name = self.endpoint_config_name_now().await?;
        self.endpoint_config_name = Some(name.clone());
        Ok(name)
    }
}

impl DeleteEndpoint<'_> {
    /// Whether the endpoint's configuration goes as well, which is so when not given.
    pub fn delete_endpoint_config(mut self, delete_endpoint_config: bool) -> Self {
        self.delete_endpoint_config = delete_endpoint_config;
        self
    }

    async fn send(self) -> Result<()> {
        let Self { predictor, delete_endpoint_config } = self;
        if delete_endpoint_config {
            let name = predictor.known_endpoint_config_name().await?;
            let request = json!({ "EndpointConfigName": name });
            predictor.session.sagemaker("DeleteEndpointConfig", &name, &request).await?;
        }
        let request = json!({ "EndpointName": predictor.endpoint_name });
        predictor.session.sagemaker("DeleteEndpoint", &predictor.endpoint_name, &request).await?;
        Ok(())
    }
}

awaitable!(DeleteEndpoint => ());
