//! Which key encrypts an object.

use s3s::{S3ErrorCode, S3Result, dto};

use super::S3Api;
use super::errors::{error, error_saying, unavailable_key};
use crate::api::kms::{KeyName, find_key, other_account};

/// How an object is encrypted: what its headers say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Encryption {
    /// Header `x-amz-server-side-encryption`.
    pub(super) algorithm: Option<String>,
    /// The ARN of the KMS key.
    pub(super) key: Option<String>,
}

impl Encryption {
    /// The header's shape.
    pub(super) fn shape(algorithm: Option<&String>) -> Option<dto::ServerSideEncryption> {
        algorithm.map(|name| dto::ServerSideEncryption::from(name.clone()))
    }
}

impl S3Api {
    /// What the headers of a write ask for, with the key found.
    pub(super) async fn encryption(
        &self,
        algorithm: Option<&dto::ServerSideEncryption>,
        key: Option<&str>,
        customer_algorithm: Option<&str>,
    ) -> S3Result<Encryption> {
        if customer_algorithm.is_some() {
            return Err(error_saying(
                S3ErrorCode::NotImplemented,
                "Encryption with keys of the customer is not implemented",
            ));
        }
        let Some(algorithm) = algorithm else {
            return match key {
                Some(_) => Err(error_saying(
                    S3ErrorCode::InvalidArgument,
                    "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
                )),
                None => Ok(Encryption::default()),
            };
        };
        let encryption = Encryption { algorithm: Some(algorithm.as_str().to_owned()), key: None };
        match (algorithm.as_str(), key) {
            (
                dto::ServerSideEncryption::AES256
                | dto::ServerSideEncryption::AWS_KMS
                | dto::ServerSideEncryption::AWS_KMS_DSSE,
                None,
            ) => Ok(encryption),
            (dto::ServerSideEncryption::AWS_KMS | dto::ServerSideEncryption::AWS_KMS_DSSE, Some(key)) => {
                let key = Some(self.key_arn(key).await?);
                Ok(Encryption { key, ..encryption })
            }
            _ => Err(error_saying(
                S3ErrorCode::InvalidArgument,
                "The encryption request you specified is not valid. Supported value: AES256, aws:kms, aws:kms:dsse",
            )),
        }
    }

    /// The ARN of a key that can be used now; given are its id, an alias, or the ARN of either.
    async fn key_arn(&self, key: &str) -> S3Result<String> {
        if other_account(key, &self.context.configuration.account).is_some() {
            return Err(unavailable_key(key, None));
        }
        let found = find_key(&self.context, &KeyName::of(key)).await.map_err(|failure| {
            tracing::error!(error = &failure as &dyn std::error::Error, "an encryption key cannot be read");
            error(S3ErrorCode::InternalError)
        })?;
        let key = found.ok_or_else(|| unavailable_key(key, None))?.resource;
        match key.state.as_str() {
            watchkeeper_store::keys::ENABLED => Ok(key.arn),
            state => Err(unavailable_key(&key.arn, Some(state))),
        }
    }
}
