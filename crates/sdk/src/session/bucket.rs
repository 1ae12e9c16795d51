//! The default bucket: which one it is, that it is there and ours, and places in it.

use http::Method;
use watchkeeper_aws::types::S3Uri;
use watchkeeper_aws::xml;

use super::{AwsService, RequestParts, Session};
use crate::{Error, Result};

impl Session {
    /// The bucket for what a call is told no place for: the one the session was given, or that of the SageMaker SDK's defaults,
    /// else `sagemaker-<region>-<account>`. It is made when it does not exist, and looked at once.
    ///
    /// # Errors
    /// A bucket of that name belongs to somebody else ([`Error::Service`] of `HeadBucket` with status 403): then name another with
    /// [`SessionBuilder::default_bucket`](super::SessionBuilder::default_bucket).
    pub async fn default_bucket(&self) -> Result<String> {
        self.inner.default_bucket.get_or_try_init(|| self.find_default_bucket()).await.cloned()
    }

    /// What keys in the default bucket begin with. One that stands in the SageMaker SDK's defaults is known once
    /// [`Self::default_bucket`] was called.
    pub fn default_bucket_prefix(&self) -> Option<&str> {
        let defaults = &self.inner.defaults;
        let named = defaults.complete.get().unwrap_or(&defaults.given);
        named.prefix.as_deref().filter(|prefix| !prefix.is_empty())
    }

    /// `s3://<default bucket>/<prefix>/<parts joined by slashes>`, Python's `s3_path_join` of the default bucket, its prefix
    /// and `parts` (empty ones left out).
    pub(crate) async fn default_location(&self, parts: &[&str]) -> Result<S3Uri> {
        let bucket = self.default_bucket().await?;
        let all = self.default_bucket_prefix().into_iter().chain(parts.iter().copied());
        let parts: Vec<_> = all.flat_map(|part| part.split('/')).filter(|part| !part.is_empty()).collect();
        let key = parts.join("/");
        Ok(S3Uri { bucket, key })
    }

    /// The account that a bucket must belong to, when it is the default bucket under a name that anybody could have guessed.
    pub(super) async fn expected_owner(&self, bucket: &str) -> Result<Option<String>> {
        let is_ours = self.inner.default_bucket.get().is_some_and(|default| default == bucket)
            && self.inner.defaults.complete.get().is_none_or(|named| named.bucket.is_none());
        if is_ours { self.account_id().await.map(Some) } else { Ok(None) }
    }

    async fn find_default_bucket(&self) -> Result<String> {
        let named = self.named_defaults().await?;
        let (bucket, owner) = if let Some(bucket) = &named.bucket {
            (bucket.clone(), None)
        } else {
            let account = self.account_id().await?;
            (format!("sagemaker-{}-{account}", self.region()), Some(account))
        };
        let is_listed = self.is_listed(&bucket).await?;
        if is_listed && owner.is_none() {
            return Ok(bucket);
        }
        match self.look_at_bucket(&bucket, owner.as_deref()).await {
            Ok(()) => {}
            // Listed, so it is ours, and what is refused here may be allowed below it.
            Err(error) if is_listed && !is_status(&error, 403) => {}
            Err(error) if !is_listed && error.code() == Some("404") => self.create_bucket(&bucket).await?,
            Err(error) => return Err(error),
        }
        Ok(bucket)
    }

    async fn is_listed(&self, bucket: &str) -> Result<bool> {
        let answer = self.request(AwsService::S3, RequestParts::new("ListBuckets", bucket, Method::GET, "/")).await?;
        let text = String::from_utf8_lossy(answer.body());
        Ok(xml::elements(&text, "Bucket").any(|listed| xml::text(listed, "Name").as_deref() == Some(bucket)))
    }

    /// Whether a bucket is there, belongs to `owner`, and may be used: below the prefix alone when there is one, as no more may be
    /// allowed.
    async fn look_at_bucket(&self, bucket: &str, owner: Option<&str>) -> Result<()> {
        let (operation, method, path) = match self.default_bucket_prefix() {
            Some(prefix) => {
                let prefix = watchkeeper_aws::signing::encode(prefix.as_bytes());
                ("ListObjectsV2", Method::GET, format!("/?list-type=2&prefix={prefix}&encoding-type=url"))
            }
            None => ("HeadBucket", Method::HEAD, "/".to_owned()),
        };
        let mut parts = RequestParts { bucket: Some(bucket), ..RequestParts::new(operation, bucket, method, path) };
        parts.headers.extend(owner.map(|owner| ("x-amz-expected-bucket-owner", owner.to_owned())));
        self.request(AwsService::S3, parts).await.map(drop)
    }

    async fn create_bucket(&self, bucket: &str) -> Result<()> {
        let region = self.region();
        let body = if region == "us-east-1" {
            // The one region that may not be named.
            String::new()
        } else {
            format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{}\
                 </LocationConstraint></CreateBucketConfiguration>",
                xml::escape(region)
            )
        };
        let parts = RequestParts {
            bucket: Some(bucket),
            body: body.into(),
            ..RequestParts::new("CreateBucket", bucket, Method::PUT, "/")
        };
        match self.request(AwsService::S3, parts).await {
            // Somebody of us makes it at the same time, or an attempt without an answer has made it.
            Err(error) if matches!(error.code(), Some("OperationAborted" | "BucketAlreadyOwnedByYou")) => Ok(()),
            other => other.map(drop),
        }
    }
}

fn is_status(error: &Error, wanted: u16) -> bool {
    matches!(error, Error::Service { status, .. } if *status == wanted)
}
