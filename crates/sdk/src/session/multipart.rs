//! Large files, up in parts.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::task::JoinSet;
use watchkeeper_aws::signing::encode;
use watchkeeper_aws::types::S3Uri;
use watchkeeper_aws::xml;

use super::Session;
use super::objects::{ObjectRequest, PART_SIZE, PARTS_AT_ONCE, encryption};
use crate::{Error, Result};

/// How many parts an object can have.
const MOST_PARTS: u64 = 10_000;

/// An upload that is not complete yet: S3 keeps its parts until it is completed or aborted. One that is given up is aborted when
/// this is dropped.
struct Unfinished {
    session: Session,
    uri: S3Uri,
    upload_id: String,
    is_finished: bool,
}

impl Session {
    /// Uploads a file in parts, several at a time; aborts the upload when that fails or is given up.
    pub(super) async fn upload_in_parts(
        &self,
        path: &Path,
        size: u64,
        uri: &S3Uri,
        kms_key: Option<&str>,
    ) -> Result<()> {
        // A task, so that one that is given up before its name is known is aborted once it is.
        let beginning = tokio::spawn(Unfinished::begin(self.clone(), uri.clone(), encryption(kms_key)));
        let unknown = |error| Error::File { path: path.to_owned(), reason: std::io::Error::other(error) };
        let mut upload = beginning.await.map_err(unknown)??;
        let outcome = match upload.send_parts(path, size).await {
            Ok(etags) => upload.complete(&etags, size).await,
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            // What went wrong before is what is worth telling.
            let _ = upload.abort().await;
        }
        upload.is_finished = true;
        outcome
    }
}

impl Unfinished {
    async fn begin(session: Session, uri: S3Uri, headers: Vec<(&'static str, String)>) -> Result<Self> {
        let request = ObjectRequest { query: "?uploads=".to_owned(), headers, ..ObjectRequest::default() };
        let answer = session.object("CreateMultipartUpload", Method::POST, &uri, request).await?;
        let text = String::from_utf8_lossy(answer.body());
        let upload_id = xml::text(&text, "UploadId").ok_or_else(|| Error::Answer {
            operation: "CreateMultipartUpload",
            resource: uri.to_string(),
            reason: "the answer has no UploadId".to_owned(),
        })?;
        let upload_id = upload_id.into_owned();
        Ok(Self { session, uri, upload_id, is_finished: false })
    }

    /// Sends all parts, and gives their tags.
    async fn send_parts(&self, path: &Path, size: u64) -> Result<Vec<String>> {
        let part_size = PART_SIZE.max(size.div_ceil(MOST_PARTS));
        let mut starts = (0..size).step_by(usize::try_from(part_size).unwrap_or(usize::MAX)).zip(1..);
        let count = size.div_ceil(part_size);
        let mut etags = vec![String::new(); usize::try_from(count).unwrap_or(usize::MAX)];
        // Dropped with its tasks when a part fails, or when this is given up.
        let mut on_their_way = JoinSet::new();
        loop {
            while on_their_way.len() < PARTS_AT_ONCE
                && let Some((start, number)) = starts.next()
            {
                let part = Part {
                    session: self.session.clone(),
                    uri: self.uri.clone(),
                    query: format!("?partNumber={number}&uploadId={}", encode(self.upload_id.as_bytes())),
                    path: path.to_owned(),
                    start,
                    length: part_size.min(size - start),
                };
                on_their_way.spawn(async move { Ok((number, part.send().await?)) });
            }
            match on_their_way.join_next().await {
                None => return Ok(etags),
                Some(Ok(Ok((number, etag)))) => etags[number - 1] = etag,
                Some(Ok(Err(error))) => return Err(error),
                Some(Err(error)) => {
                    return Err(Error::File { path: path.to_owned(), reason: std::io::Error::other(error) });
                }
            }
        }
    }

    async fn complete(&self, etags: &[String], size: u64) -> Result<()> {
        let parts = (1..).zip(etags).map(|(number, etag)| {
            format!("<Part><ETag>{}</ETag><PartNumber>{number}</PartNumber></Part>", xml::escape(etag))
        });
        let body = format!(
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</CompleteMultipartUpload>",
            parts.collect::<String>()
        );
        let request = ObjectRequest {
            query: self.query(),
            headers: vec![("content-type", "application/xml".to_owned())],
            body: body.into(),
        };
        match self.session.object("CompleteMultipartUpload", Method::POST, &self.uri, request).await {
            // An attempt that got no answer may have completed it.
            Err(error) if error.code() == Some("NoSuchUpload") && self.is_there(etags.len(), size).await => Ok(()),
            other => other.map(drop),
        }
    }

    /// Whether the object is there as this upload makes it: with so many parts and so many bytes.
    async fn is_there(&self, parts: usize, size: u64) -> bool {
        let Ok(answer) = self.session.object("HeadObject", Method::HEAD, &self.uri, ObjectRequest::default()).await
        else {
            return false;
        };
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        header("content-length").parse() == Ok(size) && header("etag").trim_matches('"').ends_with(&format!("-{parts}"))
    }

    async fn abort(&self) -> Result<()> {
        let request = ObjectRequest { query: self.query(), ..ObjectRequest::default() };
        self.session.object("AbortMultipartUpload", Method::DELETE, &self.uri, request).await.map(drop)
    }

    fn query(&self) -> String {
        format!("?uploadId={}", encode(self.upload_id.as_bytes()))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        // Without a runtime nothing can be sent any more; S3 has rules to clean up after programs that end.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let given_up = Self {
                session: self.session.clone(),
                uri: self.uri.clone(),
                upload_id: std::mem::take(&mut self.upload_id),
                is_finished: true,
            };
            runtime.spawn(async move { given_up.abort().await });
        }
    }
}

/// A part of a file.
struct Part {
    session: Session,
    uri: S3Uri,
    query: String,
    path: PathBuf,
    start: u64,
    length: u64,
}

impl Part {
    /// Sends it, and gives its tag.
    async fn send(self) -> Result<String> {
        let body = self.read().await.map_err(|source| Error::File { path: self.path.clone(), reason: source })?;
        let request = ObjectRequest { query: self.query, body, ..ObjectRequest::default() };
        let answer = self.session.object("UploadPart", Method::PUT, &self.uri, request).await?;
        let etag = answer.headers().get("etag").and_then(|etag| etag.to_str().ok());
        etag.map(str::to_owned).ok_or_else(|| Error::Answer {
            operation: "UploadPart",
            resource: self.uri.to_string(),
            reason: "the answer has no ETag".to_owned(),
        })
    }

    async fn read(&self) -> std::io::Result<Bytes> {
        let mut file = tokio::fs::File::open(&self.path).await?;
        file.seek(std::io::SeekFrom::Start(self.start)).await?;
        let mut body = vec![0; usize::try_from(self.length).map_err(std::io::Error::other)?];
        // Fails when the file has become shorter since it was looked at.
        file.read_exact(&mut body).await?;
        Ok(body.into())
    }
}
