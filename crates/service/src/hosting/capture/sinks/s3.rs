//! Objects in an S3 at an address.

use http::{Method, Response};
use watchkeeper_aws::client::Client;
use watchkeeper_aws::signing::encode_path;
use watchkeeper_aws::types::S3Uri;

use super::CONTENT_TYPE;
use crate::hosting::capture::{CaptureObject, CaptureSink};

/// Puts objects into the S3 that a client speaks to.
#[derive(Clone, Debug)]
pub struct S3Sink {
    client: Client,
}

impl S3Sink {
    /// The S3 of this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    async fn put(
        &self,
        path: &str,
        object: &CaptureObject,
        key: Option<&str>,
    ) -> Result<Response<bytes::Bytes>, String> {
        let mut headers = vec![("content-type", CONTENT_TYPE)];
        if let Some(key) = key {
            headers.push(("x-amz-server-side-encryption", "aws:kms"));
            headers.push(("x-amz-server-side-encryption-aws-kms-key-id", key));
        }
        let answer = self.client.request(Method::PUT, path, &headers, object.lines.clone(), "s3").await;
        answer.map_err(|error| error.to_string())
    }
}

#[async_trait::async_trait]
impl CaptureSink for S3Sink {
    async fn put(&self, object: CaptureObject) -> Result<(), String> {
        let address = format!("{}/{}", object.destination, object.path);
        let S3Uri { bucket, key } = address.parse().map_err(|error| format!("{error}"))?;
        let path = encode_path(&format!("/{bucket}/{key}"));
        let asked = object.kms_key_id.as_deref();
        let mut answer = self.put(&path, &object, asked).await?;
        if asked.is_some() && is_missing_key(&answer) {
            tracing::warn!(key = asked, "there is no such encryption key: captures are stored without one");
            answer = self.put(&path, &object, None).await?;
        }
        if answer.status().is_success() {
            return Ok(());
        }
        Err(format!("S3 answered {}: {}", answer.status(), shown(answer.body())))
    }
}

fn is_missing_key(answer: &Response<bytes::Bytes>) -> bool {
    answer.status().is_client_error() && String::from_utf8_lossy(answer.body()).contains("<Code>KMS.NotFoundException<")
}

/// The beginning of an answer that is no success.
fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(300).collect()
}
