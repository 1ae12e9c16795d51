//! Temporary credentials of a role, which STS gives to whoever may have it.

use std::path::PathBuf;

use jiff::Timestamp;
use watchkeeper_aws::xml;

use super::super::request::query_request;
use super::super::roles::STS_VERSION;
use super::super::{AwsService, Session};
use super::{Credentials, ProvideCredentials, Providing};
use crate::{Error, Result};

/// A role, and the session that asks for it.
pub(super) struct AssumeRole {
    /// Signs with the credentials that the role is assumed with; anonymous for a web identity.
    pub session: Session,
    pub role_arn: String,
    /// `RoleSessionName`; made when there is none.
    pub session_name: Option<String>,
    pub external_id: Option<String>,
    pub duration_seconds: Option<String>,
    /// A file with a token that stands for the one who asks.
    pub web_identity_token_file: Option<PathBuf>,
}

impl AssumeRole {
    async fn assume(&self) -> Result<Credentials> {
        let session_name = self.session_name.clone();
        let session_name = session_name.unwrap_or_else(|| format!("watchkeeper-{}", Timestamp::now().as_millisecond()));
        let mut parameters = vec![("RoleArn", self.role_arn.as_str()), ("RoleSessionName", session_name.as_str())];
        parameters.extend(self.external_id.as_deref().map(|id| ("ExternalId", id)));
        parameters.extend(self.duration_seconds.as_deref().map(|seconds| ("DurationSeconds", seconds)));
        let token;
        let operation = if let Some(path) = &self.web_identity_token_file {
            token = std::fs::read_to_string(path)
                .map_err(|error| Error::Credentials(format!("the web identity token {}: {error}", path.display())))?;
            parameters.push(("WebIdentityToken", token.trim()));
            "AssumeRoleWithWebIdentity"
        } else {
            "AssumeRole"
        };
        let parts = query_request(operation, &self.role_arn, STS_VERSION, &parameters);
        let answer = self.session.request(AwsService::Sts, parts).await;
        let answer = answer.map_err(|error| Error::Credentials(format!("the role is not to be had: {error}")))?;
        let text = String::from_utf8_lossy(answer.body());
        let member = |name: &str| xml::text(&text, name).map(std::borrow::Cow::into_owned);
        match (member("AccessKeyId"), member("SecretAccessKey")) {
            (Some(access_key_id), Some(secret_access_key)) => Ok(Credentials {
                access_key_id,
                secret_access_key,
                session_token: member("SessionToken"),
                expires: member("Expiration").and_then(|text| text.parse().ok()),
            }),
            _ => Err(Error::Credentials(format!("the answer to {operation} of {} has no credentials", self.role_arn))),
        }
    }
}

impl ProvideCredentials for AssumeRole {
    fn provide_credentials(&self) -> Providing<'_> {
        Box::pin(self.assume())
    }
}
