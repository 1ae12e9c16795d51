//! Asking a model.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue};
use http::{Method, Response};
use watchkeeper_aws::signing::encode;

use super::Predictor;
use crate::request::{awaitable, setters};
use crate::session::{AwsService, RequestParts};
use crate::{Error, Result};

/// What a model said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Prediction {
    /// The answer as it came.
    pub body: Bytes,
    /// What the answer is, such as `text/csv`.
    pub content_type: Option<String>,
    /// The variant that answered.
    pub invoked_production_variant: Option<String>,
    /// What the model's container says beside the answer.
    pub custom_attributes: Option<String>,
}

/// The request of [`Predictor::predict`].
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct Predict<'a> {
    predictor: &'a Predictor,
    data: Bytes,
    content_type: Option<String>,
    accept: Option<String>,
    target_model: Option<String>,
    target_variant: Option<String>,
    inference_id: Option<String>,
    custom_attributes: Option<String>,
    component_name: Option<String>,
}

impl Predictor {
    /// Asks the model of the endpoint.
    pub fn predict(&self, data: impl Into<Bytes>) -> Predict<'_> {
        Predict {
            predictor: self,
            data: data.into(),
            content_type: None,
            accept: None,
            target_model: None,
            target_variant: None,
            inference_id: None,
            custom_attributes: None,
            component_name: None,
        }
    }
}

impl Predict<'_> {
    setters! {
        /// What the data is, in place of the predictor's.
        content_type: String,
        /// What the answer shall be, in place of the predictor's.
        accept: String,
        /// The model that shall answer, where an endpoint has several.
        target_model: String,
        /// The variant that shall answer.
        target_variant: String,
        /// The id by which the true label is found later; it is kept with the captured data.
        inference_id: String,
        /// What the model's container is told beside the data, at most 1024 visible ASCII characters.
        custom_attributes: String,
        /// The inference component that shall answer, in place of the predictor's.
        component_name: String,
    }

    async fn send(self) -> Result<Prediction> {
        let Self { predictor, data, .. } = self;
        let endpoint = predictor.endpoint_name.as_str();
        let path = format!("/endpoints/{}/invocations", encode(endpoint.as_bytes()));
        let mut parts = RequestParts::new("InvokeEndpoint", endpoint, Method::POST, path);
        let headers = [
            ("content_type", "content-type", self.content_type.or_else(|| Some(predictor.content_type.clone()))),
            ("accept", "accept", self.accept.or_else(|| Some(predictor.accept.clone()))),
            ("target_model", "x-amzn-sagemaker-target-model", self.target_model),
            ("target_variant", "x-amzn-sagemaker-target-variant", self.target_variant),
            ("inference_id", "x-amzn-sagemaker-inference-id", self.inference_id),
            ("custom_attributes", CUSTOM_ATTRIBUTES, self.custom_attributes),
            (
                "component_name",
                "x-amzn-sagemaker-inference-component",
                self.component_name.or_else(|| predictor.component_name.clone()),
            ),
        ];
        for (argument, header, value) in headers {
            let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
            if !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                return Err(Error::argument(argument, "goes into a header, which takes visible ASCII characters only"));
            }
            parts.headers.push((header, value));
        }
        parts.body = data;
        let answer = predictor.session.request(AwsService::SageMakerRuntime, parts).await?;
        Ok(Prediction::of(answer))
    }
}

awaitable!(Predict => Prediction);

const CUSTOM_ATTRIBUTES: &str = "x-amzn-sagemaker-custom-attributes";

impl Prediction {
    fn of(answer: Response<Bytes>) -> Self {
        let (head, body) = answer.into_parts();
        Self {
            body,
            content_type: text_of(&head.headers, "content-type"),
            invoked_production_variant: text_of(&head.headers, "x-amzn-invoked-production-variant"),
            custom_attributes: text_of(&head.headers, CUSTOM_ATTRIBUTES),
        }
    }
}

fn text_of(headers: &HeaderMap<HeaderValue>, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}
