//! Buckets, and the settings that are stored with them and returned: tags, versioning status, encryption, policy.

use std::collections::BTreeMap;

use s3s::dto::{self, ServerSideEncryption};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};
use serde::{Deserialize, Serialize};
use watchkeeper_store::objects::Bucket;

use super::errors::{custom, error, error_saying, of_store};
use super::{S3Api, attributes};

/// The region whose buckets have an empty location.
const FIRST_REGION: &str = "us-east-1";
/// The most buckets of a page.
const MAX_BUCKETS: i32 = 10_000;
/// The most bytes of a policy.
const MAX_POLICY_BYTES: usize = 20 << 10;

/// Names of the settings in the store.
const TAGGING: &str = "tagging";
const VERSIONING: &str = "versioning";
const ENCRYPTION: &str = "encryption";
const POLICY: &str = "policy";

/// A bucket's default encryption, as it is stored.
#[derive(Serialize, Deserialize)]
struct DefaultEncryption {
    algorithm: String,
    key: Option<String>,
    bucket_key: Option<bool>,
}

impl S3Api {
    pub(super) async fn list_buckets(
        &self,
        request: S3Request<dto::ListBucketsInput>,
    ) -> S3Result<S3Response<dto::ListBucketsOutput>> {
        let input = request.input;
        let limit = input.max_buckets.unwrap_or(MAX_BUCKETS);
        if !(1..=MAX_BUCKETS).contains(&limit) {
            return Err(error_saying(
                S3ErrorCode::InvalidArgument,
                "Argument max-buckets must be an integer between 1 and 10000",
            ));
        }
        let prefix = input.prefix.as_deref().unwrap_or_default();
        let region = input.bucket_region.as_deref();
        let after = input.continuation_token.as_deref().unwrap_or_default();
        let mut buckets: Vec<Bucket> = self
            .context
            .objects
            .buckets()
            .await
            .map_err(of_store)?
            .into_iter()
            .filter(|bucket| bucket.name.starts_with(prefix) && bucket.name.as_str() > after)
            .filter(|bucket| region.is_none_or(|region| bucket.region == region))
            .collect();
        let more = buckets.len() > limit.unsigned_abs() as usize;
        buckets.truncate(limit.unsigned_abs() as usize);
        let shape = |bucket: &Bucket| dto::Bucket {
            bucket_region: Some(bucket.region.clone()),
            creation_date: Some(attributes::time(bucket.created)),
            name: Some(bucket.name.clone()),
        };
        Ok(S3Response::new(dto::ListBucketsOutput {
            buckets: Some(buckets.iter().map(shape).collect()),
            continuation_token: buckets.last().filter(|_| more).map(|bucket| bucket.name.clone()),
            owner: Some(self.owner()),
            prefix: input.prefix,
        }))
    }

    pub(super) async fn create_bucket(
        &self,
        request: S3Request<dto::CreateBucketInput>,
    ) -> S3Result<S3Response<dto::CreateBucketOutput>> {
        let signed_for = request.region.as_ref().map_or(FIRST_REGION, |region| region.as_str()).to_owned();
        let input = request.input;
        if input.object_lock_enabled_for_bucket == Some(true) {
            return Err(error(S3ErrorCode::NotImplemented));
        }
        let constraint = input.create_bucket_configuration.and_then(|configuration| configuration.location_constraint);
        let region = match constraint.as_ref().map(dto::BucketLocationConstraint::as_str) {
            None | Some("") => signed_for.clone(),
            // What the constraint was called when there was one region in Europe.
            Some("EU") => "eu-west-1".to_owned(),
            // It is told in a header.
            Some(region) if is_region(region) => region.to_owned(),
            Some(_) => {
                let message = "The specified location-constraint is not valid";
                return Err(custom("InvalidLocationConstraint", http::StatusCode::BAD_REQUEST, message));
            }
        };
        match self.context.objects.create_bucket(&input.bucket, &region, self.context.now()).await {
            // An own bucket again is fine in the oldest region only.
            Err(watchkeeper_store::Error::BucketExists(_)) if signed_for == FIRST_REGION => {}
            created => created.map_err(of_store)?,
        }
        Ok(S3Response::new(dto::CreateBucketOutput { location: Some(format!("/{}", input.bucket)) }))
    }

    pub(super) async fn head_bucket(
        &self,
        request: S3Request<dto::HeadBucketInput>,
    ) -> S3Result<S3Response<dto::HeadBucketOutput>> {
        let bucket = self.bucket(&request.input.bucket).await?;
        Ok(S3Response::new(dto::HeadBucketOutput {
            bucket_region: Some(bucket.region),
            ..dto::HeadBucketOutput::default()
        }))
    }

    pub(super) async fn delete_bucket(
        &self,
        request: S3Request<dto::DeleteBucketInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketOutput>> {
        self.context.objects.delete_bucket(&request.input.bucket).await.map_err(of_store)?;
        Ok(S3Response::with_status(dto::DeleteBucketOutput::default(), http::StatusCode::NO_CONTENT))
    }

    pub(super) async fn get_bucket_location(
        &self,
        request: S3Request<dto::GetBucketLocationInput>,
    ) -> S3Result<S3Response<dto::GetBucketLocationOutput>> {
        let region = self.bucket(&request.input.bucket).await?.region;
        let location_constraint = (region != FIRST_REGION).then(|| dto::BucketLocationConstraint::from(region));
        Ok(S3Response::new(dto::GetBucketLocationOutput { location_constraint }))
    }

    pub(super) async fn get_bucket_tagging(
        &self,
        request: S3Request<dto::GetBucketTaggingInput>,
    ) -> S3Result<S3Response<dto::GetBucketTaggingOutput>> {
        let tags: Option<BTreeMap<String, String>> = self.setting(&request.input.bucket, TAGGING).await?;
        let tags = tags.ok_or_else(|| error(S3ErrorCode::NoSuchTagSet))?;
        let tag = |(key, value)| dto::Tag { key: Some(key), value: Some(value) };
        Ok(S3Response::new(dto::GetBucketTaggingOutput { tag_set: tags.into_iter().map(tag).collect() }))
    }

    pub(super) async fn put_bucket_tagging(
        &self,
        request: S3Request<dto::PutBucketTaggingInput>,
    ) -> S3Result<S3Response<dto::PutBucketTaggingOutput>> {
        let mut tags = BTreeMap::new();
        for tag in request.input.tagging.tag_set {
            let (Some(key), value) = (tag.key, tag.value.unwrap_or_default()) else {
                return Err(error(S3ErrorCode::MalformedXML));
            };
            if tags.insert(key, value).is_some() {
                return Err(error_saying(S3ErrorCode::InvalidTag, "Cannot provide multiple Tags with the same key"));
            }
        }
        if tags.len() > 50 {
            return Err(error_saying(S3ErrorCode::InvalidTag, "Bucket tag count cannot be greater than 50"));
        }
        self.set(&request.input.bucket, TAGGING, Some(json(&tags))).await?;
        Ok(S3Response::with_status(dto::PutBucketTaggingOutput::default(), http::StatusCode::NO_CONTENT))
    }

    pub(super) async fn delete_bucket_tagging(
        &self,
        request: S3Request<dto::DeleteBucketTaggingInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketTaggingOutput>> {
        self.set(&request.input.bucket, TAGGING, None).await?;
        Ok(S3Response::with_status(dto::DeleteBucketTaggingOutput::default(), http::StatusCode::NO_CONTENT))
    }

    pub(super) async fn get_bucket_versioning(
        &self,
        request: S3Request<dto::GetBucketVersioningInput>,
    ) -> S3Result<S3Response<dto::GetBucketVersioningOutput>> {
        let status: Option<String> = self.setting(&request.input.bucket, VERSIONING).await?;
        Ok(S3Response::new(dto::GetBucketVersioningOutput {
            mfa_delete: None,
            status: status.map(dto::BucketVersioningStatus::from),
        }))
    }

    pub(super) async fn put_bucket_versioning(
        &self,
        request: S3Request<dto::PutBucketVersioningInput>,
    ) -> S3Result<S3Response<dto::PutBucketVersioningOutput>> {
        let status = request.input.versioning_configuration.status;
        let status = status.filter(|status| matches!(status.as_str(), "Enabled" | "Suspended"));
        let status = status.ok_or_else(|| {
            let message = "The Versioning element must be specified";
            error_saying(S3ErrorCode::IllegalVersioningConfigurationException, message)
        })?;
        self.set(&request.input.bucket, VERSIONING, Some(json(&status.as_str()))).await?;
        Ok(S3Response::new(dto::PutBucketVersioningOutput::default()))
    }

    pub(super) async fn get_bucket_encryption(
        &self,
        request: S3Request<dto::GetBucketEncryptionInput>,
    ) -> S3Result<S3Response<dto::GetBucketEncryptionOutput>> {
        // What every bucket of AWS has that nobody has set anything for.
        let usual = DefaultEncryption {
            algorithm: ServerSideEncryption::AES256.to_owned(),
            key: None,
            bucket_key: Some(false),
        };
        let default = self.setting(&request.input.bucket, ENCRYPTION).await?.unwrap_or(usual);
        let rule = dto::ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(dto::ServerSideEncryptionByDefault {
                kms_master_key_id: default.key,
                sse_algorithm: ServerSideEncryption::from(default.algorithm),
            }),
            bucket_key_enabled: default.bucket_key,
        };
        Ok(S3Response::new(dto::GetBucketEncryptionOutput {
            server_side_encryption_configuration: Some(dto::ServerSideEncryptionConfiguration { rules: vec![rule] }),
        }))
    }

    pub(super) async fn put_bucket_encryption(
        &self,
        request: S3Request<dto::PutBucketEncryptionInput>,
    ) -> S3Result<S3Response<dto::PutBucketEncryptionOutput>> {
        let rule = request.input.server_side_encryption_configuration.rules.into_iter().next();
        let rule = rule.ok_or_else(|| error(S3ErrorCode::MalformedXML))?;
        let default = rule.apply_server_side_encryption_by_default.ok_or_else(|| error(S3ErrorCode::MalformedXML))?;
        let stored = DefaultEncryption {
            algorithm: default.sse_algorithm.as_str().to_owned(),
            key: default.kms_master_key_id,
            bucket_key: rule.bucket_key_enabled,
        };
        self.set(&request.input.bucket, ENCRYPTION, Some(json(&stored))).await?;
        Ok(S3Response::new(dto::PutBucketEncryptionOutput::default()))
    }

    pub(super) async fn delete_bucket_encryption(
        &self,
        request: S3Request<dto::DeleteBucketEncryptionInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketEncryptionOutput>> {
        self.set(&request.input.bucket, ENCRYPTION, None).await?;
        Ok(S3Response::with_status(dto::DeleteBucketEncryptionOutput::default(), http::StatusCode::NO_CONTENT))
    }

    pub(super) async fn get_bucket_policy(
        &self,
        request: S3Request<dto::GetBucketPolicyInput>,
    ) -> S3Result<S3Response<dto::GetBucketPolicyOutput>> {
        let policy: Option<String> = self.setting(&request.input.bucket, POLICY).await?;
        let policy = policy.ok_or_else(|| error(S3ErrorCode::NoSuchBucketPolicy))?;
        Ok(S3Response::new(dto::GetBucketPolicyOutput { policy: Some(policy) }))
    }

    pub(super) async fn put_bucket_policy(
        &self,
        request: S3Request<dto::PutBucketPolicyInput>,
    ) -> S3Result<S3Response<dto::PutBucketPolicyOutput>> {
        let policy = request.input.policy;
        if policy.len() > MAX_POLICY_BYTES
            || !serde_json::from_str(&policy).is_ok_and(|json: serde_json::Value| json.is_object())
        {
            return Err(error_saying(
                S3ErrorCode::MalformedPolicy,
                "Policies must be valid JSON and the first byte must be '{'",
            ));
        }
        self.set(&request.input.bucket, POLICY, Some(json(&policy))).await?;
        Ok(S3Response::with_status(dto::PutBucketPolicyOutput::default(), http::StatusCode::NO_CONTENT))
    }

    pub(super) async fn delete_bucket_policy(
        &self,
        request: S3Request<dto::DeleteBucketPolicyInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketPolicyOutput>> {
        self.set(&request.input.bucket, POLICY, None).await?;
        Ok(S3Response::with_status(dto::DeleteBucketPolicyOutput::default(), http::StatusCode::NO_CONTENT))
    }

    /// A bucket that has to be there.
    async fn bucket(&self, name: &str) -> S3Result<Bucket> {
        let bucket = self.context.objects.bucket(name).await.map_err(of_store)?;
        bucket.ok_or_else(|| error(S3ErrorCode::NoSuchBucket))
    }

    async fn setting<T: for<'a> Deserialize<'a>>(&self, bucket: &str, name: &str) -> S3Result<Option<T>> {
        // What was stored by `set` reads back; anything else counts as not set.
        Ok(self.bucket(bucket).await?.settings.get(name).and_then(|text| serde_json::from_str(text).ok()))
    }

    async fn set(&self, bucket: &str, name: &str, value: Option<String>) -> S3Result<()> {
        self.context.objects.set_bucket_setting(bucket, name, value).await.map_err(of_store)
    }
}

/// Whether a text can be the name of a region.
fn is_region(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.len() <= 64 && text.bytes().all(is_part)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and maps of texts are JSON")
}
