//! S3: the protocol and its signatures are `s3s`'s, what the operations mean is here, and the objects are the store's.
//!
//! Keys are bytes to us: decoded once, never normalised. What is not implemented answers 501 `NotImplemented`. Buckets are
//! never versioned: a versioning status is stored and returned, as scripts want it, and no more.

mod access;
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

use s3s::auth::S3Auth;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{HttpResponse, S3, S3ErrorCode, S3Request, S3Response, S3Result, dto};

use crate::Context;

pub(crate) use access::Tokens;
pub(crate) use errors::message_of;
pub(crate) use hosts::{bucket_of_host, is_aws_host};

use access::SignedByOwner;
use hosts::Hosts;

/// The most bytes of an XML body: a thousand long keys to delete.
pub(crate) const MAX_XML_BYTES: usize = 4 << 20;

/// The answer to an upload by a form. It is refused before the protocol crate sees it, which reads the whole body into
/// memory before it asks who sends it.
pub(crate) fn refused_form() -> S3Result<HttpResponse> {
    errors::error_saying(S3ErrorCode::NotImplemented, "Uploads by forms are not implemented").to_http_response()
}

/// The operations.
pub(crate) struct S3Api {
    context: Arc<Context>,
}

/// The service of the operations, with secrets to check signatures by, and tokens of temporary keys.
pub(crate) fn service(context: Arc<Context>, secrets: impl S3Auth, tokens: impl Tokens) -> S3Service {
    let access = SignedByOwner { owner: context.configuration.account.clone(), tokens };
    let mut builder = S3ServiceBuilder::new(S3Api { context });
    let mut config = S3Config::default();
    config.xml_max_body_size = MAX_XML_BYTES;
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.set_auth(secrets);
    builder.set_access(access);
    builder.set_host(Hosts);
    builder.build()
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
