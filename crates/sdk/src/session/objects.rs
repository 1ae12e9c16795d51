//! Objects: files and texts up, texts and lists down. Python's `S3Uploader` and `S3Downloader`.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{Method, Response};
use watchkeeper_aws::signing::{encode, encode_path};
use watchkeeper_aws::types::S3Uri;
use watchkeeper_aws::xml;

use super::{AwsService, RequestParts, Session};
use crate::{Error, Result};

/// From this size on a file goes up, and an object comes down, in parts of it.
pub(super) const PART_SIZE: u64 = 8 << 20;
/// How many parts are on their way at once.
pub(super) const PARTS_AT_ONCE: usize = 10;

/// One request about an object or a bucket.
#[derive(Default)]
pub(super) struct ObjectRequest {
    /// With its question mark; empty for none.
    pub query: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl Session {
    /// Uploads a file to `<to>/<its name>`, or what is in a folder below `to`; gives the address of the object, or of the folder.
    /// Files of 8 MiB and more go up in parts, several at a time.
    ///
    /// ```no_run
    /// # async fn run(session: watchkeeper::Session) -> Result<(), Box<dyn std::error::Error>> {
    /// let uri = session.upload("train.csv".as_ref(), &"s3://bucket/data".parse()?, None).await?;
    /// assert_eq!(uri.to_string(), "s3://bucket/data/train.csv");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::File`] when a file cannot be read, and what S3 refuses. A file is then not there at all, not in part; files
    /// of a folder that went up before it stay.
    pub async fn upload(&self, path: &Path, to: &S3Uri, kms_key: Option<&str>) -> Result<S3Uri> {
        if path.starts_with("s3:") {
            let reason =
                format!("{} is an address of S3 and no file of this machine: give it as an S3Uri", path.display());
            return Err(Error::argument("path", reason));
        }
        let unreadable = |source| Error::File { path: path.to_owned(), reason: source };
        let metadata = tokio::fs::metadata(path).await.map_err(unreadable)?;
        if !metadata.is_dir() {
            let uri = below(to, file_name(path)?);
            self.upload_file(path, metadata.len(), &uri, kms_key).await?;
            return Ok(uri);
        }
        let folder = path.to_owned();
        let files = tokio::task::spawn_blocking(move || files_below(&folder))
            .await
            .map_err(|error| unreadable(std::io::Error::other(error)))??;
        for (file, name) in files {
            let metadata = tokio::fs::metadata(&file).await;
            let size = metadata.map_err(|source| Error::File { path: file.clone(), reason: source })?.len();
            self.upload_file(&file, size, &below(to, &name), kms_key).await?;
        }
        Ok(to.clone())
    }

    async fn upload_file(&self, path: &Path, size: u64, uri: &S3Uri, kms_key: Option<&str>) -> Result<()> {
        if size >= PART_SIZE {
            return self.upload_in_parts(path, size, uri, kms_key).await;
        }
        let body =
            tokio::fs::read(path).await.map_err(|source| Error::File { path: path.to_owned(), reason: source })?;
        self.put_object(body.into(), uri, kms_key).await
    }

    /// Writes an object: a text, or bytes.
    pub async fn upload_string_as_file_body(
        &self,
        body: impl Into<Bytes> + Send,
        to: &S3Uri,
        kms_key: Option<&str>,
    ) -> Result<S3Uri> {
        self.put_object(body.into(), to, kms_key).await?;
        Ok(to.clone())
    }

    async fn put_object(&self, body: Bytes, uri: &S3Uri, kms_key: Option<&str>) -> Result<()> {
        let request = ObjectRequest { body, headers: encryption(kms_key), ..ObjectRequest::default() };
        self.object("PutObject", Method::PUT, uri, request).await.map(drop)
    }

    /// Reads an object as text.
    ///
    /// # Errors
    /// What S3 refuses, by its code `NoSuchKey` when there is no such object, and [`Error::Document`] when it is no UTF-8.
    pub async fn read_s3_file(&self, uri: &S3Uri) -> Result<String> {
        let body = self.read_s3_bytes(uri).await?;
        let not_text = |at: usize| Error::Document {
            place: uri.to_string(),
            reason: format!("it is no text in UTF-8: byte {at} is none of it"),
        };
        String::from_utf8(body.into()).map_err(|error| not_text(error.utf8_error().valid_up_to()))
    }

    /// Reads an object as it is.
    pub async fn read_s3_bytes(&self, uri: &S3Uri) -> Result<Bytes> {
        self.object("GetObject", Method::GET, uri, ObjectRequest::default()).await.map(Response::into_body)
    }

    /// The objects whose keys begin with that of `uri`, in the order of their keys.
    pub async fn list_s3_files(&self, uri: &S3Uri) -> Result<Vec<S3Uri>> {
        let bucket = S3Uri { bucket: uri.bucket.clone(), key: String::new() };
        let mut found = Vec::new();
        let mut marker = String::new();
        loop {
            let prefix = encode(uri.key.as_bytes());
            let request = ObjectRequest {
                query: format!("?prefix={prefix}&encoding-type=url{marker}"),
                ..ObjectRequest::default()
            };
            let answer = self.object("ListObjects", Method::GET, &bucket, request).await?;
            let page = Listing::read("ListObjects", uri, answer.body())?;
            let keys = page.objects.into_iter().map(|object| object.key);
            found.extend(keys.map(|key| S3Uri { bucket: uri.bucket.clone(), key }));
            match (page.is_truncated, found.last()) {
                (true, Some(last)) => marker = format!("&marker={}", encode(last.key.as_bytes())),
                _ => return Ok(found),
            }
        }
    }

    /// Sends a request about an object, or about its bucket when it has no key.
    pub(super) async fn object(
        &self,
        operation: &'static str,
        method: Method,
        uri: &S3Uri,
        request: ObjectRequest,
    ) -> Result<Response<Bytes>> {
        let ObjectRequest { query, mut headers, body } = request;
        if uri.key.is_empty() && matches!(operation, "PutObject" | "GetObject") {
            return Err(Error::argument("uri", format!("{uri} names a bucket and no object in it")));
        }
        let owner = self.expected_owner(&uri.bucket).await?;
        headers.extend(owner.map(|owner| ("x-amz-expected-bucket-owner", owner)));
        let resource = uri.to_string();
        let path_and_query = format!("/{}{query}", encode_path(&uri.key));
        let parts = RequestParts {
            bucket: Some(&uri.bucket),
            headers,
            body,
            ..RequestParts::new(operation, &resource, method, path_and_query)
        };
        self.request(AwsService::S3, parts).await
    }
}

/// How an object is encrypted when it is written.
pub(super) fn encryption(kms_key: Option<&str>) -> Vec<(&'static str, String)> {
    let Some(key) = kms_key else { return Vec::new() };
    vec![
        ("x-amz-server-side-encryption", "aws:kms".to_owned()),
        ("x-amz-server-side-encryption-aws-kms-key-id", key.to_owned()),
    ]
}

/// A page of a list.
pub(super) struct Listing {
    pub objects: Vec<Listed>,
    pub is_truncated: bool,
    /// Of `ListObjectsV2` alone.
    pub continuation_token: Option<String>,
}

pub(super) struct Listed {
    pub key: String,
    pub size: u64,
}

impl Listing {
    /// # Errors
    /// It is something else: the page of a gateway, say, which would be a list of nothing.
    pub(super) fn read(operation: &'static str, uri: &S3Uri, body: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(body);
        if xml::element(&text, "ListBucketResult").is_none() {
            let reason = "the answer is no list of objects".to_owned();
            return Err(Error::Answer { operation, resource: uri.to_string(), reason });
        }
        let is_encoded = xml::text(&text, "EncodingType").is_some_and(|encoding| encoding == "url");
        let objects = xml::elements(&text, "Contents").map(|object| {
            let key = xml::text(object, "Key").unwrap_or_default();
            let size = xml::text(object, "Size").and_then(|size| size.parse().ok()).unwrap_or_default();
            Listed { key: if is_encoded { decode(&key) } else { key.into_owned() }, size }
        });
        Ok(Self {
            objects: objects.collect(),
            is_truncated: xml::text(&text, "IsTruncated").as_deref() == Some("true"),
            continuation_token: xml::text(&text, "NextContinuationToken").map(std::borrow::Cow::into_owned),
        })
    }
}

/// A key out of its encoding in lists, in which a plus sign is a space.
fn decode(key: &str) -> String {
    let key = key.replace('+', " ");
    percent_encoding::percent_decode_str(&key).decode_utf8_lossy().into_owned()
}

/// `<prefix>/<name>`. Python puts a slash between whatever the prefix ends with, and so do we: jobs look there.
fn below(prefix: &S3Uri, name: &str) -> S3Uri {
    let S3Uri { bucket, key } = prefix;
    let key = if key.is_empty() { name.to_owned() } else { format!("{key}/{name}") };
    S3Uri { bucket: bucket.clone(), key }
}

fn file_name(path: &Path) -> Result<&str> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.ok_or_else(|| unnamable(path))
}

fn unnamable(path: &Path) -> Error {
    Error::argument("path", format!("{} has no name in UTF-8, and so can be no object's", path.display()))
}

/// The files in a folder and in those in it, with what their keys end with, in the order of that. Links to folders are not
/// followed, as Python follows none.
fn files_below(folder: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let unreadable = |source| Error::File { path: folder.clone(), reason: source };
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let path = entry.path();
            let name = entry.file_name().into_string().map_err(|_| unnamable(&path))?;
            let name = format!("{prefix}{name}");
            if entry.file_type().map_err(unreadable)?.is_dir() {
                folders.push((path, name + "/"));
                continue;
            }
            let metadata =
                std::fs::metadata(&path).map_err(|source| Error::File { path: path.clone(), reason: source })?;
            if metadata.is_dir() {
                continue;
            }
            if !metadata.is_file() {
                let source = std::io::Error::other("it is no file that ends, but a pipe, a socket or a device");
                return Err(Error::File { path, reason: source });
            }
            files.push((path, name));
        }
    }
    files.sort_unstable_by(|one, other| one.1.cmp(&other.1));
    Ok(files)
}
