//! Listings, in both versions of the operation.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{self, EncodingType};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};
use watchkeeper_store::objects::{ListObjects, Listing, ObjectInfo};

use super::errors::{error_saying, of_store};
use super::{S3Api, attributes};

/// The most entries of a page.
const MAX_KEYS: i32 = 1000;

/// What stays as it is in an encoded key.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// How texts of an answer are written.
#[derive(Clone)]
pub(super) struct Encoding(Option<EncodingType>);

impl Encoding {
    /// As asked: percent codes, or as they are.
    pub(super) fn asked(encoding: Option<EncodingType>) -> S3Result<Self> {
        match encoding {
            Some(encoding) if encoding.as_str() != EncodingType::URL => {
                Err(error_saying(S3ErrorCode::InvalidArgument, "Invalid Encoding Method specified in Request"))
            }
            encoding => Ok(Self(encoding)),
        }
    }

    pub(super) fn write(&self, text: &str) -> String {
        if self.0.is_some() { utf8_percent_encode(text, ENCODED).to_string() } else { text.to_owned() }
    }

    pub(super) fn shape(self) -> Option<EncodingType> {
        self.0
    }
}

/// The size of a page as asked, within bounds.
pub(super) fn page_size(asked: Option<i32>, name: &str) -> S3Result<i32> {
    match asked.unwrap_or(MAX_KEYS) {
        negative if negative < 0 => Err(error_saying(
            S3ErrorCode::InvalidArgument,
            format!("Argument {name} must be an integer between 0 and 2147483647"),
        )),
        size => Ok(size.min(MAX_KEYS)),
    }
}

impl S3Api {
    pub(super) async fn list_objects(
        &self,
        request: S3Request<dto::ListObjectsInput>,
    ) -> S3Result<S3Response<dto::ListObjectsOutput>> {
        let input = request.input;
        let encoding = Encoding::asked(input.encoding_type)?;
        let limit = page_size(input.max_keys, "max-keys")?;
        let prefix = input.prefix.unwrap_or_default();
        let delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
        let marker = input.marker.unwrap_or_default();
        let page = self.page(&input.bucket, &prefix, delimiter.as_ref(), Some(marker.clone()), limit).await?;
        Ok(S3Response::new(dto::ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(encoding.write(&prefix)),
            marker: Some(encoding.write(&marker)),
            max_keys: Some(limit),
            is_truncated: Some(page.next.is_some()),
            // Without a delimiter clients go on behind the last key.
            next_marker: page.next.as_ref().filter(|_| delimiter.is_some()).map(|next| encoding.write(next)),
            delimiter: delimiter.map(|delimiter| encoding.write(&delimiter)),
            contents: Some(self.contents(&page.objects, &encoding, true)),
            common_prefixes: common_prefixes(&page.prefixes, &encoding),
            encoding_type: encoding.shape(),
            request_charged: None,
        }))
    }

    pub(super) async fn list_objects_v2(
        &self,
        request: S3Request<dto::ListObjectsV2Input>,
    ) -> S3Result<S3Response<dto::ListObjectsV2Output>> {
        let input = request.input;
        let encoding = Encoding::asked(input.encoding_type)?;
        let limit = page_size(input.max_keys, "max-keys")?;
        let prefix = input.prefix.unwrap_or_default();
        let delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
        let after = match &input.continuation_token {
            Some(token) => Some(position(token)?),
            None => input.start_after.clone(),
        };
        let page = self.page(&input.bucket, &prefix, delimiter.as_ref(), after, limit).await?;
        Ok(S3Response::new(dto::ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encoding.write(&prefix)),
            max_keys: Some(limit),
            key_count: Some((page.objects.len() + page.prefixes.len()) as i32),
            continuation_token: input.continuation_token,
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.as_ref().map(hex::encode),
            delimiter: delimiter.map(|delimiter| encoding.write(&delimiter)),
            start_after: input.start_after.map(|start| encoding.write(&start)),
            contents: Some(self.contents(&page.objects, &encoding, input.fetch_owner == Some(true))),
            common_prefixes: common_prefixes(&page.prefixes, &encoding),
            encoding_type: encoding.shape(),
            request_charged: None,
        }))
    }

    async fn page(
        &self,
        bucket: &str,
        prefix: &str,
        delimiter: Option<&String>,
        after: Option<String>,
        limit: i32,
    ) -> S3Result<Listing> {
        let list = ListObjects {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            delimiter: delimiter.cloned(),
            start_after: after.filter(|after| !after.is_empty()),
            limit: limit.unsigned_abs() as usize,
        };
        self.context.objects.list(&list).await.map_err(of_store)
    }

    fn contents(&self, objects: &[ObjectInfo], encoding: &Encoding, with_owner: bool) -> Vec<dto::Object> {
        let object = |info: &ObjectInfo| dto::Object {
            checksum_algorithm: algorithms(info),
            checksum_type: None,
            e_tag: Some(attributes::etag(info)),
            key: Some(encoding.write(&info.key)),
            last_modified: Some(attributes::time(info.modified)),
            owner: with_owner.then(|| self.owner()),
            restore_status: None,
            size: Some(info.size as i64),
            storage_class: Some(dto::ObjectStorageClass::from_static(dto::ObjectStorageClass::STANDARD)),
        };
        objects.iter().map(object).collect()
    }

    /// The owner of everything: the account.
    pub(super) fn owner(&self) -> dto::Owner {
        let account = &self.context.configuration.account;
        // AWS's canonical ids have 64 digits.
        dto::Owner { display_name: Some("watchkeeper".to_owned()), id: Some(format!("{account:0>64}")) }
    }
}

fn algorithms(info: &ObjectInfo) -> Option<Vec<dto::ChecksumAlgorithm>> {
    let names = &info.attributes.checksums;
    (!names.is_empty()).then(|| names.keys().map(|name| dto::ChecksumAlgorithm::from(name.clone())).collect())
}

fn common_prefixes(prefixes: &[String], encoding: &Encoding) -> Option<Vec<dto::CommonPrefix>> {
    let prefix = |prefix: &String| dto::CommonPrefix { prefix: Some(encoding.write(prefix)) };
    (!prefixes.is_empty()).then(|| prefixes.iter().map(prefix).collect())
}

/// The position that one of our tokens holds.
fn position(token: &str) -> S3Result<String> {
    hex::decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| error_saying(S3ErrorCode::InvalidArgument, "The continuation token provided is incorrect"))
}
