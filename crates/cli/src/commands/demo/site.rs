//! The service as a script of its users sees it: signed requests, and nothing else.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Method, Response};
use serde_json::Value;
use watchkeeper_aws::client::{Client, ClientError};
use watchkeeper_aws::signing::encode_path;
use watchkeeper_aws::types::S3Uri;
use watchkeeper_service::server::DataDirectory;

/// How often something is looked at that is under way.
const PAUSE: Duration = Duration::from_millis(100);
/// How long anything may take. Everything here takes seconds; this is for machines that do other things.
const PATIENCE: Duration = Duration::from_mins(2);

/// A way to the service.
#[derive(Clone)]
pub(super) struct Site {
    client: Client,
    bucket: String,
}

impl Site {
    /// The service of a data directory.
    pub(super) fn of(directory: &DataDirectory) -> anyhow::Result<Self> {
        let service = directory.service()?;
        let client = Client::new(&service.endpoint_url, directory.credentials()?, &service.region)?;
        Ok(Self { client, bucket: service.default_bucket })
    }

    /// Calls an operation of `SageMaker`.
    pub(super) async fn call(&self, operation: &str, input: &Value) -> Result<Value, ClientError> {
        self.client.call("SageMaker", operation, input).await
    }

    /// Describes something until `is_over` holds for it.
    pub(super) async fn until(
        &self,
        operation: &str,
        input: &Value,
        is_over: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let started = Instant::now();
        loop {
            let described = self.call(operation, input).await?;
            if is_over(&described) {
                return Ok(described);
            }
            if started.elapsed() > PATIENCE {
                bail!("nothing came of it in {} seconds: {operation} says {described}", PATIENCE.as_secs());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The address of an object of the default bucket.
    pub(super) fn address(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// Puts an object into the default bucket.
    pub(super) async fn put(&self, key: &str, content: impl Into<Bytes>) -> anyhow::Result<()> {
        let target = encode_path(&format!("/{}/{key}", self.bucket));
        let answer = self.client.request(Method::PUT, &target, &[], content, "s3").await?;
        succeeded(answer).with_context(|| format!("putting {}", self.address(key)))?;
        Ok(())
    }

    /// The text of an object.
    pub(super) async fn text(&self, address: &str) -> anyhow::Result<String> {
        let parsed: S3Uri = address.parse()?;
        let target = encode_path(&format!("/{}/{}", parsed.bucket, parsed.key));
        let answer = self.client.request(Method::GET, &target, &[], Bytes::new(), "s3").await?;
        let content = succeeded(answer).with_context(|| format!("getting {address}"))?;
        String::from_utf8(content.into()).with_context(|| format!("{address} is no text"))
    }

    /// Asks an endpoint about lines of CSV.
    pub(super) async fn invoke(&self, endpoint: &str, body: impl Into<Bytes>) -> anyhow::Result<String> {
        let target = encode_path(&format!("/endpoints/{endpoint}/invocations"));
        let headers = [("content-type", "text/csv"), ("accept", "text/csv")];
        let answer = self.client.request(Method::POST, &target, &headers, body, "sagemaker").await?;
        let content = succeeded(answer).with_context(|| format!("asking the endpoint {endpoint}"))?;
        String::from_utf8(content.into()).context("the endpoint's answer is no text")
    }
}

/// The body of an answer.
fn succeeded(answer: Response<Bytes>) -> anyhow::Result<Bytes> {
    if !answer.status().is_success() {
        bail!("the service answered {}: {}", answer.status(), String::from_utf8_lossy(answer.body()).trim());
    }
    Ok(answer.into_body())
}
