//! Credentials that the machine gives: the endpoint of a container, the metadata of an instance.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use watchkeeper_aws::client::Transport;

use super::{Credentials, Document, ProvideCredentials, Providing};
use crate::{Error, Result};

/// A machine that does not answer at once does not answer.
const PATIENCE: Duration = Duration::from_secs(2);
const TOKEN_SECONDS: &str = "21600";

/// A container's own endpoint, as ECS, EKS and SageMaker notebooks have one.
pub(super) struct Container {
    pub url: String,
    /// Sent as it is.
    pub token: Option<String>,
    /// The token is in this file, which changes.
    pub token_file: Option<PathBuf>,
    pub transport: Transport,
}

/// The metadata of an EC2 instance, version 2.
pub(super) struct Instance {
    /// Without a slash at its end.
    pub endpoint: String,
    pub transport: Transport,
}

impl Container {
    async fn fetch(&self) -> Result<Credentials> {
        let token = match &self.token_file {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    Error::Credentials(format!("the token of the container's endpoint, {}: {error}", path.display()))
                })?;
                Some(text.trim().to_owned())
            }
            None => self.token.clone(),
        };
        let headers: Vec<(&str, &str)> = token.as_deref().map(|token| ("authorization", token)).into_iter().collect();
        let body = fetched(&self.transport, Method::GET, &self.url, &headers).await?;
        Document::read(&body, &self.url)
    }
}

impl Instance {
    async fn fetch(&self) -> Result<Credentials> {
        let url = |path: &str| format!("{}/latest/{path}", self.endpoint);
        let seconds = [("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_SECONDS)];
        let token = fetched(&self.transport, Method::PUT, &url("api/token"), &seconds).await?;
        let token = String::from_utf8_lossy(&token);
        let token = [("x-aws-ec2-metadata-token", &*token)];
        let roles = "meta-data/iam/security-credentials/";
        let names = fetched(&self.transport, Method::GET, &url(roles), &token).await?;
        let names = String::from_utf8_lossy(&names);
        let role = names.lines().next().unwrap_or_default();
        let url = url(&format!("{roles}{role}"));
        Document::read(&fetched(&self.transport, Method::GET, &url, &token).await?, &url)
    }
}

impl ProvideCredentials for Container {
    fn provide_credentials(&self) -> Providing<'_> {
        Box::pin(self.fetch())
    }
}

impl ProvideCredentials for Instance {
    fn provide_credentials(&self) -> Providing<'_> {
        Box::pin(async move {
            // Instances may have no role, and most machines are no instance.
            self.fetch().await.map_err(|error| {
                Error::Credentials(format!(
                    "neither AWS_ACCESS_KEY_ID nor the profile nor a container gives any, and this machine's metadata neither \
                     ({error}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
                ))
            })
        })
    }
}

async fn fetched(transport: &Transport, method: Method, url: &str, headers: &[(&str, &str)]) -> Result<Bytes> {
    let failed = |reason: &dyn std::fmt::Display| Error::Credentials(format!("{url}: {reason}"));
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::new())).map_err(|error| failed(&error))?;
    let answer = transport.send(request, PATIENCE).await.map_err(|error| failed(&error))?;
    if !answer.status().is_success() {
        return Err(failed(&format_args!("{} {}", answer.status(), String::from_utf8_lossy(answer.body()))));
    }
    Ok(answer.into_body())
}
