//! Objects in the store of this process.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use watchkeeper_aws::types::S3Uri;
use watchkeeper_store::Error;
use watchkeeper_store::keys::KmsKeys;
use watchkeeper_store::objects::{ObjectAttributes, Precondition, body};

use super::CONTENT_TYPE;
use crate::api::kms::encrypting_key;
use crate::context::Context;
use crate::hosting::capture::{CaptureObject, CaptureSink};

/// Puts objects into the store of this process. It makes no bucket: one that is missing is a put that failed.
pub struct StoreSink {
    context: Arc<Context>,
    /// Keys that are missing, of which the log knows.
    missing_keys: Mutex<HashSet<String>>,
}

impl StoreSink {
    /// The store of a service.
    pub fn new(context: Arc<Context>) -> Self {
        Self { context, missing_keys: Mutex::default() }
    }

    /// The ARN of the key that a configuration names. Configurations are taken with keys that do not exist, as on the real
    /// service; what is captured then is stored without one. A key that is off, or was deleted, refuses.
    async fn key(&self, asked: &str) -> Result<Option<String>, String> {
        let found = encrypting_key(&self.context, asked).await.map_err(|error| error.to_string())?;
        if found.is_none() {
            let mut missing = self.missing_keys.lock().unwrap_or_else(PoisonError::into_inner);
            if missing.insert(asked.to_owned()) {
                tracing::warn!(key = asked, "there is no such encryption key: captures are stored without one");
            }
        }
        Ok(found)
    }
}

#[async_trait::async_trait]
impl CaptureSink for StoreSink {
    async fn put(&self, object: CaptureObject) -> Result<(), String> {
        let address = format!("{}/{}", object.destination, object.path);
        let S3Uri { bucket, key } = address.parse().map_err(|error| format!("{error}"))?;
        let kms_key_id = match object.kms_key_id.as_deref() {
            Some(asked) => self.key(asked).await?,
            None => None,
        };
        let attributes = ObjectAttributes {
            content_type: Some(CONTENT_TYPE.to_owned()),
            server_side_encryption: kms_key_id.as_ref().map(|_| "aws:kms".to_owned()),
            kms_key_id,
            ..ObjectAttributes::default()
        };
        let put = self.context.objects.put(&bucket, &key, attributes, body(object.lines), Precondition::None).await;
        put.map(drop).map_err(|error| match error {
            Error::NoSuchBucket(bucket) => format!("there is no bucket `{bucket}`, create it"),
            other => other.to_string(),
        })
    }

    fn journal_keys(&self) -> Option<&KmsKeys> {
        Some(&self.context.kms)
    }
}
