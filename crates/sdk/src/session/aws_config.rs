//! Sessions from the configuration of the official SDK, for those who sign on in a browser or have made one already.

use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_types::SdkConfig;
use jiff::Timestamp;

use super::{Credentials, ProvideCredentials, Providing, Session, SessionBuilder};
use crate::{Error, Result};

impl Session {
    /// From an `SdkConfig`: its region, its credentials and its endpoint; the rest as in [`Self::from_env`].
    ///
    /// ```no_run
    /// # fn with(config: aws_types::SdkConfig) -> Result<(), watchkeeper::Error> {
    /// // let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    /// let session = watchkeeper::Session::from_sdk_config(&config)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_sdk_config(config: &SdkConfig) -> Result<Self> {
        Self::builder().sdk_config(config).build()
    }
}

impl SessionBuilder {
    /// Region, credentials and endpoint of an `SdkConfig`, as far as it has them.
    pub fn sdk_config(mut self, config: &SdkConfig) -> Self {
        if let Some(region) = config.region() {
            self = self.region(region.as_ref());
        }
        if let Some(url) = config.endpoint_url() {
            self = self.endpoint_url(url);
        }
        if let Some(provider) = config.credentials_provider() {
            self = self.credentials(Official(provider));
        }
        self
    }
}

/// A provider of the official SDK.
struct Official(SharedCredentialsProvider);

impl ProvideCredentials for Official {
    fn provide_credentials(&self) -> Providing<'_> {
        Box::pin(async move {
            let given = self.0.provide_credentials().await.map_err(|error| {
                let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
                Error::Credentials(format!("{error}{cause}"))
            })?;
            let expires = given.expiry().and_then(|moment| Timestamp::try_from(moment).ok());
            Ok(Credentials {
                session_token: given.session_token().map(str::to_owned),
                expires,
                ..Credentials::new(given.access_key_id(), given.secret_access_key())
            })
        })
    }
}
