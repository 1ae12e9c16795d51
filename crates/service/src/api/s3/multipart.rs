//! Uploads in parts.

use std::collections::BTreeMap;

use s3s::dto::{self, ETag};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};
use watchkeeper_store::objects::{
    ByteRange, CompletedPart, ListUploads, MAX_PART_NUMBER, ObjectAttributes, PartInfo, UploadInfo,
};

use super::attributes::{self, Conditions};
use super::encryption::Encryption;
use super::errors::{error, error_saying, of_store};
use super::listing::{Encoding, page_size};
use super::{S3Api, checksums, objects};

impl S3Api {
    pub(super) async fn create_multipart_upload(
        &self,
        request: S3Request<dto::CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<dto::CreateMultipartUploadOutput>> {
        let input = request.input;
        let encryption = self
            .encryption(
                input.server_side_encryption.as_ref(),
                input.ssekms_key_id.as_deref(),
                input.sse_customer_algorithm.as_deref(),
            )
            .await?;
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
        let upload = self.context.objects.create_upload(&input.bucket, &input.key, object).await.map_err(of_store)?;
        Ok(S3Response::new(dto::CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(upload),
            checksum_algorithm: input.checksum_algorithm,
            checksum_type: input.checksum_type,
            server_side_encryption: Encryption::shape(encryption.algorithm.as_ref()),
            ssekms_key_id: encryption.key,
            ..dto::CreateMultipartUploadOutput::default()
        }))
    }

    pub(super) async fn upload_part(
        &self,
        request: S3Request<dto::UploadPartInput>,
    ) -> S3Result<S3Response<dto::UploadPartOutput>> {
        let S3Request { input, headers, trailing_headers, .. } = request;
        let number = part_number(input.part_number)?;
        let upload =
            self.context.objects.upload(&input.bucket, &input.key, &input.upload_id).await.map_err(of_store)?;
        let (body, trailer) = checksums::checked(input.body, &headers, trailing_headers)?;
        let part = self
            .context
            .objects
            .put_part_with_trailer(&input.bucket, &input.key, &input.upload_id, number, body, trailer)
            .await
            .map_err(of_store)?;
        let checksums = checksums::to_shape(&part.checksums);
        Ok(S3Response::new(dto::UploadPartOutput {
            e_tag: Some(ETag::Strong(part.etag)),
            checksum_crc32: checksums.checksum_crc32,
            checksum_crc32c: checksums.checksum_crc32c,
            checksum_crc64nvme: checksums.checksum_crc64nvme,
            checksum_sha1: checksums.checksum_sha1,
            checksum_sha256: checksums.checksum_sha256,
            server_side_encryption: Encryption::shape(upload.attributes.server_side_encryption.as_ref()),
            ssekms_key_id: upload.attributes.kms_key_id,
            ..dto::UploadPartOutput::default()
        }))
    }

    pub(super) async fn upload_part_copy(
        &self,
        request: S3Request<dto::UploadPartCopyInput>,
    ) -> S3Result<S3Response<dto::UploadPartCopyOutput>> {
        let input = request.input;
        let number = part_number(input.part_number)?;
        let upload =
            self.context.objects.upload(&input.bucket, &input.key, &input.upload_id).await.map_err(of_store)?;
        let (bucket, key) = objects::source(&input.copy_source)?;
        let range = input.copy_source_range.as_deref().map(copy_range).transpose()?;
        let conditions = Conditions {
            if_match: input.copy_source_if_match,
            if_none_match: input.copy_source_if_none_match,
            if_modified_since: input.copy_source_if_modified_since,
            if_unmodified_since: input.copy_source_if_unmodified_since,
        };
        let (original, body) = self.read_source(bucket, key, range, &conditions).await?;
        if let Some(ByteRange::From { last: Some(last), .. }) = range
            && last >= original.size
        {
            return Err(error_saying(
                S3ErrorCode::InvalidArgument,
                format!("Range specified is not valid for source object of size: {}", original.size),
            ));
        }
        let part = self
            .context
            .objects
            .put_part(&input.bucket, &input.key, &input.upload_id, number, body)
            .await
            .map_err(of_store)?;
        Ok(S3Response::new(dto::UploadPartCopyOutput {
            copy_part_result: Some(dto::CopyPartResult {
                e_tag: Some(ETag::Strong(part.etag)),
                last_modified: Some(attributes::time(part.modified)),
                ..dto::CopyPartResult::default()
            }),
            server_side_encryption: Encryption::shape(upload.attributes.server_side_encryption.as_ref()),
            ssekms_key_id: upload.attributes.kms_key_id,
            ..dto::UploadPartCopyOutput::default()
        }))
    }

    pub(super) async fn complete_multipart_upload(
        &self,
        request: S3Request<dto::CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<dto::CompleteMultipartUploadOutput>> {
        let input = request.input;
        let precondition = attributes::precondition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let asked = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let stored = self.stored_parts(&input.bucket, &input.key, &input.upload_id).await?;
        let mut parts = Vec::with_capacity(asked.len());
        let mut used = Vec::with_capacity(asked.len());
        for part in asked {
            let number = part_number(part.part_number.ok_or_else(|| error(S3ErrorCode::MalformedXML))?)?;
            let etag = part.e_tag.as_ref().ok_or_else(|| error(S3ErrorCode::MalformedXML))?.value().to_owned();
            let claimed = checksums::from_shape(dto::Checksum {
                checksum_crc32: part.checksum_crc32,
                checksum_crc32c: part.checksum_crc32c,
                checksum_crc64nvme: part.checksum_crc64nvme,
                checksum_sha1: part.checksum_sha1,
                checksum_sha256: part.checksum_sha256,
                checksum_type: None,
            });
            if let Some(stored) = stored.get(&number) {
                let differs = |(algorithm, value)| stored.checksums.get(algorithm).is_some_and(|kept| kept != value);
                if claimed.iter().any(differs) {
                    return Err(error(S3ErrorCode::InvalidPart));
                }
                used.push(stored.clone());
            }
            parts.push(CompletedPart { number, etag });
        }
        let whole = input.checksum_type.as_ref().is_some_and(|kind| kind.as_str() == dto::ChecksumType::FULL_OBJECT);
        let checksums = if whole || used.is_empty() { BTreeMap::new() } else { checksums::composite(&used) };
        let info = self
            .context
            .objects
            .complete_upload(&input.bucket, &input.key, &input.upload_id, &parts, checksums, precondition)
            .await
            .map_err(of_store)?;
        let checksums = checksums::to_shape(&info.attributes.checksums);
        Ok(S3Response::new(dto::CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, watchkeeper_aws::signing::encode_path(&input.key))),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(attributes::etag(&info)),
            checksum_crc32: checksums.checksum_crc32,
            checksum_crc32c: checksums.checksum_crc32c,
            checksum_crc64nvme: checksums.checksum_crc64nvme,
            checksum_sha1: checksums.checksum_sha1,
            checksum_sha256: checksums.checksum_sha256,
            checksum_type: checksums.checksum_type,
            server_side_encryption: Encryption::shape(info.attributes.server_side_encryption.as_ref()),
            ssekms_key_id: info.attributes.kms_key_id,
            ..dto::CompleteMultipartUploadOutput::default()
        }))
    }

    pub(super) async fn abort_multipart_upload(
        &self,
        request: S3Request<dto::AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<dto::AbortMultipartUploadOutput>> {
        let input = request.input;
        self.context.objects.abort_upload(&input.bucket, &input.key, &input.upload_id).await.map_err(of_store)?;
        Ok(S3Response::with_status(dto::AbortMultipartUploadOutput::default(), http::StatusCode::NO_CONTENT))
    }

    pub(super) async fn list_parts(
        &self,
        request: S3Request<dto::ListPartsInput>,
    ) -> S3Result<S3Response<dto::ListPartsOutput>> {
        let input = request.input;
        let limit = page_size(input.max_parts, "max-parts")?;
        let marker = input.part_number_marker.unwrap_or(0);
        let page = self
            .context
            .objects
            .list_parts(
                &input.bucket,
                &input.key,
                &input.upload_id,
                u32::try_from(marker).unwrap_or(0),
                limit.unsigned_abs() as usize,
            )
            .await
            .map_err(of_store)?;
        Ok(S3Response::new(dto::ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            initiator: Some(self.initiator()),
            owner: Some(self.owner()),
            max_parts: Some(limit),
            part_number_marker: Some(marker),
            is_truncated: Some(page.next.is_some()),
            next_part_number_marker: page.next.map(|number| number as i32),
            parts: Some(page.parts.into_iter().map(part_shape).collect()),
            storage_class: Some(dto::StorageClass::from_static(dto::StorageClass::STANDARD)),
            ..dto::ListPartsOutput::default()
        }))
    }

    pub(super) async fn list_multipart_uploads(
        &self,
        request: S3Request<dto::ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<dto::ListMultipartUploadsOutput>> {
        let input = request.input;
        if input.delimiter.as_ref().is_some_and(|delimiter| !delimiter.is_empty()) {
            return Err(error(S3ErrorCode::NotImplemented));
        }
        let encoding = Encoding::asked(input.encoding_type)?;
        let limit = page_size(input.max_uploads, "max-uploads")?;
        let prefix = input.prefix.unwrap_or_default();
        let key_marker = input.key_marker.filter(|key| !key.is_empty());
        let upload_marker = input.upload_id_marker.filter(|upload| !upload.is_empty());
        let list = ListUploads {
            bucket: input.bucket.clone(),
            prefix: prefix.clone(),
            after: key_marker.clone().map(|key| (key, upload_marker.clone())),
            limit: limit.unsigned_abs() as usize,
        };
        let page = self.context.objects.list_uploads(&list).await.map_err(of_store)?;
        let last = page.uploads.last().filter(|_| page.truncated);
        Ok(S3Response::new(dto::ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: Some(encoding.write(&prefix)),
            key_marker: Some(encoding.write(&key_marker.unwrap_or_default())),
            upload_id_marker: Some(upload_marker.unwrap_or_default()),
            next_key_marker: last.map(|upload| encoding.write(&upload.key)),
            next_upload_id_marker: last.map(|upload| upload.upload.clone()),
            max_uploads: Some(limit),
            is_truncated: Some(page.truncated),
            uploads: Some(page.uploads.iter().map(|upload| self.upload_shape(upload, &encoding)).collect()),
            encoding_type: encoding.shape(),
            ..dto::ListMultipartUploadsOutput::default()
        }))
    }

    fn upload_shape(&self, upload: &UploadInfo, encoding: &Encoding) -> dto::MultipartUpload {
        dto::MultipartUpload {
            initiated: Some(attributes::time(upload.initiated)),
            initiator: Some(self.initiator()),
            key: Some(encoding.write(&upload.key)),
            owner: Some(self.owner()),
            storage_class: Some(dto::StorageClass::from_static(dto::StorageClass::STANDARD)),
            upload_id: Some(upload.upload.clone()),
            ..dto::MultipartUpload::default()
        }
    }

    fn initiator(&self) -> dto::Initiator {
        let owner = self.owner();
        dto::Initiator { display_name: owner.display_name, id: owner.id }
    }

    /// All parts of an upload by number.
    async fn stored_parts(&self, bucket: &str, key: &str, upload: &str) -> S3Result<BTreeMap<u32, PartInfo>> {
        let limit = MAX_PART_NUMBER as usize;
        let page = self.context.objects.list_parts(bucket, key, upload, 0, limit).await.map_err(of_store)?;
        Ok(page.parts.into_iter().map(|part| (part.number, part)).collect())
    }
}

fn part_number(number: i32) -> S3Result<u32> {
    u32::try_from(number).ok().filter(|number| (1..=MAX_PART_NUMBER).contains(number)).ok_or_else(|| {
        let message = format!("Part number must be an integer between 1 and {MAX_PART_NUMBER}, inclusive");
        error_saying(S3ErrorCode::InvalidArgument, message)
    })
}

/// `bytes=first-last`: both are needed here.
fn copy_range(text: &str) -> S3Result<ByteRange> {
    let range = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')).and_then(|(first, last)| {
        let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        (first <= last).then_some(ByteRange::From { first, last: Some(last) })
    });
    range.ok_or_else(|| {
        let message = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy";
        error_saying(S3ErrorCode::InvalidArgument, message)
    })
}

fn part_shape(part: PartInfo) -> dto::Part {
    let checksums = checksums::to_shape(&part.checksums);
    dto::Part {
        checksum_crc32: checksums.checksum_crc32,
        checksum_crc32c: checksums.checksum_crc32c,
        checksum_crc64nvme: checksums.checksum_crc64nvme,
        checksum_sha1: checksums.checksum_sha1,
        checksum_sha256: checksums.checksum_sha256,
        e_tag: Some(ETag::Strong(part.etag)),
        last_modified: Some(attributes::time(part.modified)),
        part_number: Some(part.number as i32),
        size: Some(part.size as i64),
    }
}
