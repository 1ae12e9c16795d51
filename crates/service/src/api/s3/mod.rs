//! S3: the protocol and its signatures are `s3s`'s, what the operations mean is here, and the objects are the store's.
//!
//! Keys are bytes to us: decoded once, never normalised. What is not implemented answers 501 `NotImplemented`. Buckets are
//! never versioned: a versioning status is stored and returned, as scripts want it, and no more.

mod attributes;
mod buckets;
mod checksums;
mod encryption;
mod errors;
mod hosts;
mod listing;
mod multipart;
mod objects;

use std::sync::Arc;

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::S3Auth;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3ErrorCode, S3Request, S3Response, S3Result, dto};

use crate::Context;

pub(crate) use errors::message_of;
pub(crate) use hosts::{bucket_of_host, is_aws_host};

use hosts::Hosts;

/// The most bytes of an XML body: a thousand long keys to delete.
const MAX_XML_BYTES: usize = 4 << 20;

/// The operations.
pub(crate) struct S3Api {
    context: Arc<Context>,
}

/// The service of the operations, with secrets to check signatures by, and tokens of temporary keys.
pub(crate) fn service(context: Arc<Context>, secrets: impl S3Auth, tokens: impl Tokens) -> S3Service {
    let access = OwnerOnly { owner: context.configuration.account.clone(), tokens };
    let mut builder = S3ServiceBuilder::new(S3Api { context });
    let mut config = S3Config::default();
    config.xml_max_body_size = MAX_XML_BYTES;
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.set_auth(secrets);
    builder.set_access(access);
    builder.set_host(Hosts);
    builder.build()
}

/// Knows which session tokens go with which keys.
pub(crate) trait Tokens: Send + Sync + 'static {
    /// Whether what this key has signed may pass with this token, or without one.
    fn accepts(&self, access_key_id: &str, token: Option<&[u8]>) -> bool;
}

/// Who has signed may do everything, save what he expects somebody else to own.
struct OwnerOnly<T> {
    owner: String,
    tokens: T,
}

#[async_trait::async_trait]
impl<T: Tokens> S3Access for OwnerOnly<T> {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        let Some(credentials) = request.credentials() else {
            return Err(errors::error(S3ErrorCode::AccessDenied));
        };
        let in_header = request.headers().get("x-amz-security-token").map(http::HeaderValue::as_bytes);
        let in_query = token_of(request.uri().query().unwrap_or_default());
        if !self.tokens.accepts(&credentials.access_key, in_header.or(in_query.as_deref())) {
            let message = "The provided token has expired or does not belong to the access key.";
            return Err(errors::error_saying(S3ErrorCode::InvalidToken, message));
        }
        let owners = ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"];
        let foreign = |name| request.headers().get(name).is_some_and(|owner| owner.as_bytes() != self.owner.as_bytes());
        if owners.into_iter().any(foreign) {
            return Err(errors::error(S3ErrorCode::AccessDenied));
        }
        Ok(())
    }
}

/// The session token of a presigned address, of either signature.
fn token_of(query: &str) -> Option<Vec<u8>> {
    let token = query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (name.eq_ignore_ascii_case("x-amz-security-token")).then_some(value)
    })?;
    Some(percent_encoding::percent_decode_str(token).collect())
}

/// Hands each operation to the method of its name.
macro_rules! operations {
    ($($operation:ident($input:ident) -> $output:ident;)*) => {
        #[async_trait::async_trait]
        impl S3 for S3Api {
            $(async fn $operation(&self, request: S3Request<dto::$input>) -> S3Result<S3Response<dto::$output>> {
                Self::$operation(self, request).await
            })*
        }
    };
}

operations! {
    list_buckets(ListBucketsInput) -> ListBucketsOutput;
    create_bucket(CreateBucketInput) -> CreateBucketOutput;
    head_bucket(HeadBucketInput) -> HeadBucketOutput;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput;
    get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput;
    put_bucket_tagging(PutBucketTaggingInput) -> PutBucketTaggingOutput;
    delete_bucket_tagging(DeleteBucketTaggingInput) -> DeleteBucketTaggingOutput;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput;
    get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput;
    put_bucket_encryption(PutBucketEncryptionInput) -> PutBucketEncryptionOutput;
    delete_bucket_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput;
    get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput;
    put_bucket_policy(PutBucketPolicyInput) -> PutBucketPolicyOutput;
    delete_bucket_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput;
    list_objects(ListObjectsInput) -> ListObjectsOutput;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
    put_object(PutObjectInput) -> PutObjectOutput;
    get_object(GetObjectInput) -> GetObjectOutput;
    head_object(HeadObjectInput) -> HeadObjectOutput;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput;
    copy_object(CopyObjectInput) -> CopyObjectOutput;
    get_object_attributes(GetObjectAttributesInput) -> GetObjectAttributesOutput;
    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
    upload_part(UploadPartInput) -> UploadPartOutput;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
    list_parts(ListPartsInput) -> ListPartsOutput;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput;
}
