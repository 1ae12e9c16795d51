//! The order in which credentials are looked for.

use std::sync::Arc;
use std::time::Duration;

use watchkeeper_aws::client::Transport;

use super::assume_role::AssumeRole;
use super::metadata::{Container, Instance};
use super::process::Process;
use super::{Credentials, ProvideCredentials};
use crate::session::Session;
use crate::session::profile::{Environment, Profile, SharedFiles};
use crate::{Error, Result};

type Provider = Arc<dyn ProvideCredentials>;

/// Profiles that name each other as their source, at most.
const LONGEST_CHAIN: usize = 10;
const CONTAINER: &str = "http://169.254.170.2";
const INSTANCE: &str = "http://169.254.169.254";

/// Where the credentials of an environment come from. `is_named` says that the profile was given to the session itself, before
/// which variables stand back; `session_with` makes a session like the one to come that signs with others' credentials.
pub(in crate::session) fn provider(
    environment: &Environment,
    files: &SharedFiles,
    (profile_name, is_named): (&str, bool),
    transport: &Transport,
    session_with: &dyn Fn(Provider) -> Session,
) -> Result<Provider> {
    let chain = Chain { environment, files, transport, session_with };
    if !is_named && let Some(credentials) = chain.variables() {
        return Ok(Arc::new(credentials));
    }
    if let Some(profile) = files.profile(profile_name)
        && let Some(provider) = chain.of_profile(profile_name, profile, 0)?
    {
        return Ok(provider);
    }
    if is_named {
        return Err(Error::Credentials(format!("the profile {profile_name:?} has none")));
    }
    if let Some(provider) = chain.web_identity() {
        return Ok(provider);
    }
    if let Some(provider) = chain.container()? {
        return Ok(provider);
    }
    chain.instance()
}

/// The keys that stand in a profile itself.
fn keys(profile: Profile<'_>) -> Option<Credentials> {
    let credentials = Credentials::new(profile.get("aws_access_key_id")?, profile.get("aws_secret_access_key")?);
    let session_token = profile.get("aws_session_token").map(str::to_owned);
    Some(Credentials { session_token, ..credentials })
}

struct Chain<'a> {
    environment: &'a Environment,
    files: &'a SharedFiles,
    transport: &'a Transport,
    session_with: &'a dyn Fn(Provider) -> Session,
}

impl Chain<'_> {
    fn variables(&self) -> Option<Credentials> {
        let access_key_id = self.environment.get("AWS_ACCESS_KEY_ID")?;
        let credentials = Credentials::new(access_key_id, self.environment.get("AWS_SECRET_ACCESS_KEY")?);
        let session_token = self.environment.any(&["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"]).map(str::to_owned);
        Some(Credentials { session_token, ..credentials })
    }

    fn of_profile(&self, name: &str, profile: Profile<'_>, depth: usize) -> Result<Option<Provider>> {
        if let Some(role_arn) = profile.get("role_arn") {
            let text = |name: &str| profile.get(name).map(str::to_owned);
            let token_file = profile.get("web_identity_token_file").map(|path| self.environment.path(path));
            let source = if token_file.is_some() {
                Arc::new(Credentials::anonymous())
            } else {
                self.source(name, profile, depth)?
            };
            return Ok(Some(Arc::new(AssumeRole {
                session: (self.session_with)(source),
                role_arn: role_arn.to_owned(),
                session_name: text("role_session_name"),
                external_id: text("external_id"),
                duration_seconds: text("duration_seconds"),
                web_identity_token_file: token_file,
            })));
        }
        if let Some(credentials) = keys(profile) {
            return Ok(Some(Arc::new(credentials)));
        }
        if let Some(command) = profile.get("credential_process") {
            return Ok(Some(Arc::new(Process { command: command.to_owned() })));
        }
        if profile.get("sso_session").or(profile.get("sso_start_url")).is_some() {
            return Err(Error::Credentials(format!(
                "the profile {name:?} signs on in a browser (sso_session), which this session does not: use the feature \
                 `aws-config` and Session::from_sdk_config, or \
                 `credential_process = aws configure export-credentials --profile {name} --format process` in another profile"
            )));
        }
        Ok(None)
    }

    /// The credentials with which a profile's role is assumed.
    fn source(&self, name: &str, profile: Profile<'_>, depth: usize) -> Result<Provider> {
        let unusable = |reason: String| Error::Credentials(format!("the profile {name:?} {reason}"));
        if profile.get("mfa_serial").is_some() {
            return Err(unusable("asks for a code (mfa_serial), which a program cannot know".to_owned()));
        }
        match (profile.get("source_profile"), profile.get("credential_source")) {
            (Some(_), _) if depth >= LONGEST_CHAIN => Err(unusable("is its own source_profile in the end".to_owned())),
            (Some(source_name), _) => {
                let source = self.files.named(source_name)?;
                // A source with keys lends those, whatever role it has itself; so a profile may be its own source.
                if let Some(credentials) = keys(source) {
                    return Ok(Arc::new(credentials));
                }
                if source_name == name {
                    return Err(unusable("is its own source_profile, but has no keys".to_owned()));
                }
                self.of_profile(source_name, source, depth + 1)?.ok_or_else(|| {
                    unusable(format!("has the source_profile {source_name:?}, which has no credentials"))
                })
            }
            (None, Some("Environment")) => match self.variables() {
                Some(credentials) => Ok(Arc::new(credentials)),
                None => Err(unusable("takes its credentials from variables, of which there are none".to_owned())),
            },
            (None, Some("EcsContainer")) => self.container()?.ok_or_else(|| {
                unusable("takes its credentials from a container's endpoint, which no variable names".to_owned())
            }),
            (None, Some("Ec2InstanceMetadata")) => self.instance(),
            (None, Some(other)) => Err(unusable(format!(
                "has the credential_source {other:?}, which is none of Environment, Ec2InstanceMetadata, EcsContainer"
            ))),
            (None, None) => Err(unusable(
                "has a role_arn, but neither source_profile nor credential_source to assume it with".to_owned(),
            )),
        }
    }

    fn web_identity(&self) -> Option<Provider> {
        let path = self.environment.get("AWS_WEB_IDENTITY_TOKEN_FILE")?;
        Some(Arc::new(AssumeRole {
            session: (self.session_with)(Arc::new(Credentials::anonymous())),
            role_arn: self.environment.get("AWS_ROLE_ARN")?.to_owned(),
            session_name: self.environment.get("AWS_ROLE_SESSION_NAME").map(str::to_owned),
            external_id: None,
            duration_seconds: None,
            web_identity_token_file: Some(self.environment.path(path)),
        }))
    }

    fn container(&self) -> Result<Option<Provider>> {
        let relative = self.environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        let full = self.environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        let Some(url) = relative.map(|path| format!("{CONTAINER}{path}")).or_else(|| full.map(str::to_owned)) else {
            return Ok(None);
        };
        let uri: Option<http::Uri> = url.parse().ok();
        let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
        let is_near = matches!(host, "169.254.170.2" | "169.254.170.23" | "[fd00:ec2::23]" | "localhost" | "[::1]")
            || host.parse().is_ok_and(|address: std::net::Ipv4Addr| address.is_loopback());
        if !is_near && !url.starts_with("https://") {
            return Err(Error::Credentials(format!(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI is {url:?}, which is neither https:// nor of this machine"
            )));
        }
        let token_file = self.environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        Ok(Some(Arc::new(Container {
            url,
            token: self.environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(str::to_owned),
            token_file: token_file.map(|path| self.environment.path(path)),
            transport: self.transport.clone(),
        })))
    }

    fn instance(&self) -> Result<Provider> {
        if self.environment.is_true("AWS_EC2_METADATA_DISABLED") {
            return Err(Error::Credentials(
                "neither AWS_ACCESS_KEY_ID nor the profile nor a container gives any, and AWS_EC2_METADATA_DISABLED is set; set \
                 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
                    .to_owned(),
            ));
        }
        let endpoint = self.environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or(INSTANCE);
        Ok(Arc::new(Instance {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            transport: Transport::plain(Duration::from_secs(1)),
        }))
    }
}
