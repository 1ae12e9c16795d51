//! Objects: put, get, head, copy, delete.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use s3s::dto::{self, CopySource, StreamingBlob};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};
use watchkeeper_store::objects::{Body, ByteRange, ObjectAttributes, ObjectInfo, no_trailer};

use super::attributes::{self, Conditions};
use super::encryption::Encryption;
use super::errors::{error, error_saying, of_store};
use super::{S3Api, checksums};

/// The most bytes of an object that is copied in one piece.
const MAX_COPY_BYTES: u64 = 5 << 30;

impl S3Api {
    pub(super) async fn put_object(
        &self,
        request: S3Request<dto::PutObjectInput>,
    ) -> S3Result<S3Response<dto::PutObjectOutput>> {
        let S3Request { input, headers, trailing_headers, .. } = request;
        let encryption = self
            .encryption(
                input.server_side_encryption.as_ref(),
                input.ssekms_key_id.as_deref(),
                input.sse_customer_algorithm.as_deref(),
            )
            .await?;
        if input.write_offset_bytes.is_some() {
            return Err(error(S3ErrorCode::NotImplemented));
        }
        let object = ObjectAttributes {
            content_type: input.content_type,
            content_encoding: attributes::own_encoding(input.content_encoding),
            cache_control: input.cache_control,
            content_disposition: input.content_disposition,
            content_language: input.content_language,
            expires: input.expires.as_ref().and_then(attributes::http_date),
            metadata: input.metadata.into_iter().flatten().collect(),
            checksums: BTreeMap::new(),
            server_side_encryption: encryption.algorithm.clone(),
            kms_key_id: encryption.key.clone(),
            tags: attributes::tags(input.tagging.as_deref())?,
        };
        let precondition = attributes::precondition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let (body, trailer) = checksums::checked(input.body, &headers, trailing_headers)?;
        let info = self
            .context
            .objects
            .put_with_trailer(&input.bucket, &input.key, object, body, precondition, trailer)
            .await
            .map_err(of_store)?;
        let checksums = checksums::to_shape(&info.attributes.checksums);
        Ok(S3Response::new(dto::PutObjectOutput {
            e_tag: Some(attributes::etag(&info)),
            checksum_crc32: checksums.checksum_crc32,
            checksum_crc32c: checksums.checksum_crc32c,
            checksum_crc64nvme: checksums.checksum_crc64nvme,
            checksum_sha1: checksums.checksum_sha1,
            checksum_sha256: checksums.checksum_sha256,
            checksum_type: checksums.checksum_type,
            server_side_encryption: Encryption::shape(encryption.algorithm.as_ref()),
            ssekms_key_id: encryption.key,
            ..dto::PutObjectOutput::default()
        }))
    }

    pub(super) async fn get_object(
        &self,
        request: S3Request<dto::GetObjectInput>,
    ) -> S3Result<S3Response<dto::GetObjectOutput>> {
        let input = request.input;
        refuse_version(input.version_id.as_deref())?;
        if input.part_number.is_some() {
            return Err(error(S3ErrorCode::NotImplemented));
        }
        let conditions = Conditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        let range = input.range.as_ref().map(byte_range);
        let (info, body) = self.read(&input.bucket, &input.key, range, &conditions).await?;
        let part = range.and_then(|range| range.resolve(info.size));
        let length = part.map_or(info.size, |(_, length)| length);
        // The checksum of the whole is not that of a part: clients check what they get.
        let shown = part.is_none() && checksums::wanted(input.checksum_mode.as_ref());
        let checksums = if shown { checksums::to_shape(&info.attributes.checksums) } else { dto::Checksum::default() };
        Ok(S3Response::new(dto::GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            body: Some(blob(body)),
            content_length: Some(length as i64),
            content_range: part.map(|(first, length)| format!("bytes {first}-{}/{}", first + length - 1, info.size)),
            e_tag: Some(attributes::etag(&info)),
            last_modified: Some(attributes::time(info.modified)),
            checksum_crc32: checksums.checksum_crc32,
            checksum_crc32c: checksums.checksum_crc32c,
            checksum_crc64nvme: checksums.checksum_crc64nvme,
            checksum_sha1: checksums.checksum_sha1,
            checksum_sha256: checksums.checksum_sha256,
            checksum_type: checksums.checksum_type,
            tag_count: tag_count(&info),
            server_side_encryption: Encryption::shape(info.attributes.server_side_encryption.as_ref()),
            ssekms_key_id: info.attributes.kms_key_id,
            cache_control: info.attributes.cache_control,
            content_disposition: info.attributes.content_disposition,
            content_encoding: info.attributes.content_encoding,
            content_language: info.attributes.content_language,
            content_type: Some(content_type(info.attributes.content_type)),
            expires: info.attributes.expires.as_deref().and_then(attributes::parse_http_date),
            metadata: user_metadata(info.attributes.metadata),
            ..dto::GetObjectOutput::default()
        }))
    }

    pub(super) async fn head_object(
        &self,
        request: S3Request<dto::HeadObjectInput>,
    ) -> S3Result<S3Response<dto::HeadObjectOutput>> {
        let input = request.input;
        refuse_version(input.version_id.as_deref())?;
        if input.part_number.is_some() {
            return Err(error(S3ErrorCode::NotImplemented));
        }
        let info = self.object(&input.bucket, &input.key).await?;
        let conditions = Conditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        conditions.check(&info)?;
        let part = match input.range.as_ref().map(byte_range) {
            None => None,
            Some(range) => Some(range.resolve(info.size).ok_or_else(|| error(S3ErrorCode::InvalidRange))?),
        };
        let shown = part.is_none() && checksums::wanted(input.checksum_mode.as_ref());
        let checksums = if shown { checksums::to_shape(&info.attributes.checksums) } else { dto::Checksum::default() };
        let tags = tag_count(&info);
        let mut response = S3Response::new(dto::HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(part.map_or(info.size, |(_, length)| length) as i64),
            content_range: part.map(|(first, length)| format!("bytes {first}-{}/{}", first + length - 1, info.size)),
            e_tag: Some(attributes::etag(&info)),
            last_modified: Some(attributes::time(info.modified)),
            checksum_crc32: checksums.checksum_crc32,
            checksum_crc32c: checksums.checksum_crc32c,
            checksum_crc64nvme: checksums.checksum_crc64nvme,
            checksum_sha1: checksums.checksum_sha1,
            checksum_sha256: checksums.checksum_sha256,
            checksum_type: checksums.checksum_type,
            server_side_encryption: Encryption::shape(info.attributes.server_side_encryption.as_ref()),
            ssekms_key_id: info.attributes.kms_key_id,
            cache_control: info.attributes.cache_control,
            content_disposition: info.attributes.content_disposition,
            content_encoding: info.attributes.content_encoding,
            content_language: info.attributes.content_language,
            content_type: Some(content_type(info.attributes.content_type)),
            expires: info.attributes.expires.as_deref().and_then(attributes::parse_http_date),
            metadata: user_metadata(info.attributes.metadata),
            ..dto::HeadObjectOutput::default()
        });
        if part.is_some() {
            response.status = Some(http::StatusCode::PARTIAL_CONTENT);
        }
        // The protocol crate's shape has no member for it.
        if let Some(tags) = tags {
            response.headers.insert("x-amz-tagging-count", tags.into());
        }
        Ok(response)
    }

    pub(super) async fn delete_object(
        &self,
        request: S3Request<dto::DeleteObjectInput>,
    ) -> S3Result<S3Response<dto::DeleteObjectOutput>> {
        let input = request.input;
        if input.if_match.is_some() {
            return Err(error(S3ErrorCode::NotImplemented));
        }
        self.context.objects.delete(&input.bucket, std::slice::from_ref(&input.key)).await.map_err(of_store)?;
        Ok(S3Response::new(dto::DeleteObjectOutput::default()))
    }

    pub(super) async fn delete_objects(
        &self,
        request: S3Request<dto::DeleteObjectsInput>,
    ) -> S3Result<S3Response<dto::DeleteObjectsOutput>> {
        let input = request.input;
        let keys: Vec<String> = input.delete.objects.into_iter().map(|object| object.key).collect();
        if keys.is_empty() || keys.len() > 1000 {
            return Err(error(S3ErrorCode::MalformedXML));
        }
        self.context.objects.delete(&input.bucket, &keys).await.map_err(of_store)?;
        let quiet = input.delete.quiet == Some(true);
        let deleted = |key| dto::DeletedObject { key: Some(key), ..dto::DeletedObject::default() };
        Ok(S3Response::new(dto::DeleteObjectsOutput {
            deleted: (!quiet).then(|| keys.into_iter().map(deleted).collect()),
            ..dto::DeleteObjectsOutput::default()
        }))
    }

    pub(super) async fn copy_object(
        &self,
        request: S3Request<dto::CopyObjectInput>,
    ) -> S3Result<S3Response<dto::CopyObjectOutput>> {
        let input = request.input;
        let encryption = self
            .encryption(
                input.server_side_encryption.as_ref(),
                input.ssekms_key_id.as_deref(),
                input.sse_customer_algorithm.as_deref(),
            )
            .await?;
        let (bucket, key) = source(&input.copy_source)?;
        let conditions = Conditions {
            if_match: input.copy_source_if_match,
            if_none_match: input.copy_source_if_none_match,
            if_modified_since: input.copy_source_if_modified_since,
            if_unmodified_since: input.copy_source_if_unmodified_since,
        };
        let (original, body) = self.read_source(bucket, key, None, &conditions).await?;
        if original.size > MAX_COPY_BYTES {
            return Err(error_saying(
                S3ErrorCode::InvalidRequest,
                "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120",
            ));
        }
        let replaced = |directive: Option<&str>| directive == Some("REPLACE");
        let new_metadata = replaced(input.metadata_directive.as_ref().map(dto::MetadataDirective::as_str));
        let new_tags = replaced(input.tagging_directive.as_ref().map(dto::TaggingDirective::as_str));
        if bucket == input.bucket
            && key == input.key
            && !new_metadata
            && !new_tags
            && encryption == Encryption::default()
        {
            return Err(error_saying(
                S3ErrorCode::InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
            ));
        }
        let mut object = original.attributes;
        // A checksum over the parts' checksums says nothing of an object without parts.
        object.checksums.retain(|_, value| !value.contains('-'));
        if new_metadata {
            object.content_type = input.content_type;
            object.content_encoding = attributes::own_encoding(input.content_encoding);
            object.cache_control = input.cache_control;
            object.content_disposition = input.content_disposition;
            object.content_language = input.content_language;
            object.expires = input.expires.as_ref().and_then(attributes::http_date);
            object.metadata = input.metadata.into_iter().flatten().collect();
        }
        if new_tags {
            object.tags = attributes::tags(input.tagging.as_deref())?;
        }
        object.server_side_encryption.clone_from(&encryption.algorithm);
        object.kms_key_id.clone_from(&encryption.key);
        let info = self
            .context
            .objects
            .put_with_trailer(
                &input.bucket,
                &input.key,
                object,
                body,
                watchkeeper_store::objects::Precondition::None,
                no_trailer(),
            )
            .await
            .map_err(of_store)?;
        let checksums = checksums::to_shape(&info.attributes.checksums);
        Ok(S3Response::new(dto::CopyObjectOutput {
            copy_object_result: Some(dto::CopyObjectResult {
                e_tag: Some(attributes::etag(&info)),
                last_modified: Some(attributes::time(info.modified)),
                checksum_crc32: checksums.checksum_crc32,
                checksum_crc32c: checksums.checksum_crc32c,
                checksum_crc64nvme: checksums.checksum_crc64nvme,
                checksum_sha1: checksums.checksum_sha1,
                checksum_sha256: checksums.checksum_sha256,
                checksum_type: checksums.checksum_type,
            }),
            server_side_encryption: Encryption::shape(encryption.algorithm.as_ref()),
            ssekms_key_id: encryption.key,
            ..dto::CopyObjectOutput::default()
        }))
    }

    pub(super) async fn get_object_attributes(
        &self,
        request: S3Request<dto::GetObjectAttributesInput>,
    ) -> S3Result<S3Response<dto::GetObjectAttributesOutput>> {
        let input = request.input;
        refuse_version(input.version_id.as_deref())?;
        let info = self.object(&input.bucket, &input.key).await?;
        // Clients write one header with commas, which the protocol crate takes for one name.
        let all: Vec<&str> = input.object_attributes.iter().flat_map(|names| names.as_str().split(',')).collect();
        let asked = |name: &str| all.iter().any(|asked| asked.trim() == name);
        let parts = info.etag.rsplit_once('-').and_then(|(_, parts)| parts.parse().ok());
        Ok(S3Response::new(dto::GetObjectAttributesOutput {
            checksum: (asked("Checksum") && !info.attributes.checksums.is_empty())
                .then(|| checksums::to_shape(&info.attributes.checksums)),
            e_tag: asked("ETag").then(|| attributes::etag(&info)),
            object_parts: parts.filter(|_| asked("ObjectParts")).map(|parts| dto::GetObjectAttributesParts {
                total_parts_count: Some(parts),
                ..dto::GetObjectAttributesParts::default()
            }),
            object_size: asked("ObjectSize").then_some(info.size as i64),
            storage_class: asked("StorageClass").then(|| dto::StorageClass::from_static(dto::StorageClass::STANDARD)),
            last_modified: Some(attributes::time(info.modified)),
            ..dto::GetObjectAttributesOutput::default()
        }))
    }

    pub(super) async fn get_object_tagging(
        &self,
        request: S3Request<dto::GetObjectTaggingInput>,
    ) -> S3Result<S3Response<dto::GetObjectTaggingOutput>> {
        let info = self.object(&request.input.bucket, &request.input.key).await?;
        let tag = |(key, value)| dto::Tag { key: Some(key), value: Some(value) };
        let tag_set = info.attributes.tags.into_iter().map(tag).collect();
        Ok(S3Response::new(dto::GetObjectTaggingOutput { tag_set, version_id: None }))
    }

    /// An object that has to be there.
    pub(super) async fn object(&self, bucket: &str, key: &str) -> S3Result<ObjectInfo> {
        let info = self.context.objects.head(bucket, key).await.map_err(of_store)?;
        info.ok_or_else(|| error(S3ErrorCode::NoSuchKey))
    }

    /// The body of an object that has to be there and to meet conditions.
    async fn read(
        &self,
        bucket: &str,
        key: &str,
        range: Option<ByteRange>,
        conditions: &Conditions,
    ) -> S3Result<(ObjectInfo, Body)> {
        let read = self.context.objects.get(bucket, key, range).await;
        if let Err(watchkeeper_store::Error::InvalidRange { .. }) = read {
            // Conditions come before ranges.
            conditions.check(&self.object(bucket, key).await?)?;
        }
        let (info, body) = read.map_err(of_store)?.ok_or_else(|| error(S3ErrorCode::NoSuchKey))?;
        conditions.check(&info)?;
        Ok((info, body))
    }

    /// The source of a copy. To a copy every condition that does not hold is a failed one.
    pub(super) async fn read_source(
        &self,
        bucket: &str,
        key: &str,
        range: Option<ByteRange>,
        conditions: &Conditions,
    ) -> S3Result<(ObjectInfo, Body)> {
        self.read(bucket, key, range, conditions).await.map_err(|refusal| match refusal.code() {
            S3ErrorCode::NotModified => error(S3ErrorCode::PreconditionFailed),
            _ => refusal,
        })
    }
}

/// Bucket and key of a copy's source.
pub(super) fn source(source: &CopySource) -> S3Result<(&str, &str)> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => {
            refuse_version(version_id.as_deref())?;
            Ok((bucket, key))
        }
        _ => Err(error(S3ErrorCode::NotImplemented)),
    }
}

/// Objects have the one version `null`.
fn refuse_version(version: Option<&str>) -> S3Result<()> {
    match version {
        None | Some("null") => Ok(()),
        Some(_) => Err(error(S3ErrorCode::NoSuchVersion)),
    }
}

fn byte_range(range: &dto::Range) -> ByteRange {
    match *range {
        dto::Range::Int { first, last } => ByteRange::From { first, last },
        dto::Range::Suffix { length } => ByteRange::Last(length),
    }
}

fn blob(body: Body) -> StreamingBlob {
    let frames = http_body_util::StreamBody::new(body.map_ok(hyper::body::Frame::data));
    StreamingBlob::from(s3s::Body::http_body_unsync(frames))
}

fn content_type(kept: Option<String>) -> String {
    kept.unwrap_or_else(|| attributes::DEFAULT_CONTENT_TYPE.to_owned())
}

fn user_metadata(metadata: BTreeMap<String, String>) -> Option<dto::Metadata> {
    (!metadata.is_empty()).then(|| metadata.into_iter().collect())
}

fn tag_count(info: &ObjectInfo) -> Option<i32> {
    let count = info.attributes.tags.len() as i32;
    (count > 0).then_some(count)
}
