//! Files from S3, from texts and from this machine.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde_json::Value;
use watchkeeper_aws::types::S3Uri;

use super::ModelMonitoringFile;
use crate::documents::Body;
use crate::request::{Sending, setters};
use crate::session::unique;
use crate::{Error, Result, Session};

/// The request of [`ModelMonitoringFile::from_s3_uri`].
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct FromS3Uri<'a, B> {
    session: &'a Session,
    file_s3_uri: S3Uri,
    kms_key: Option<String>,
    body: PhantomData<fn() -> B>,
}

/// The request of [`ModelMonitoringFile::from_string`].
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct FromString<'a, B> {
    session: &'a Session,
    text: String,
    kms_key: Option<String>,
    file_name: Option<String>,
    body: PhantomData<fn() -> B>,
}

/// The request of [`ModelMonitoringFile::from_file_path`].
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct FromFilePath<'a, B> {
    session: &'a Session,
    path: PathBuf,
    kms_key: Option<String>,
    body: PhantomData<fn() -> B>,
}

impl<B: Body> ModelMonitoringFile<B> {
    /// Reads a file.
    pub fn from_s3_uri(session: &Session, file_s3_uri: S3Uri) -> FromS3Uri<'_, B> {
        FromS3Uri { session, file_s3_uri, kms_key: None, body: PhantomData }
    }

    /// Puts a document into the default bucket, at `monitoring/<uuid>/<file name>`.
    pub fn from_string(session: &Session, text: impl Into<String>) -> FromString<'_, B> {
        FromString { session, text: text.into(), kms_key: None, file_name: None, body: PhantomData }
    }

    /// Puts a file of this machine into the default bucket, at `monitoring/<uuid>/<its name>`.
    pub fn from_file_path(session: &Session, path: impl AsRef<Path>) -> FromFilePath<'_, B> {
        FromFilePath { session, path: path.as_ref().to_owned(), kms_key: None, body: PhantomData }
    }
}

impl<B: Body> FromS3Uri<'_, B> {
    setters! {
        /// The key that the file is encrypted with when it is saved; S3 needs none to read it.
        kms_key: String,
    }

    async fn send(self) -> Result<ModelMonitoringFile<B>> {
        let text = self.session.read_s3_file(&self.file_s3_uri).await?;
        let document = parse(&text, self.file_s3_uri.to_string())?;
        let file = ModelMonitoringFile::new(self.session, document, self.file_s3_uri);
        Ok(match self.kms_key {
            Some(key) => file.with_kms_key(key),
            None => file,
        })
    }
}

impl<B: Body> FromString<'_, B> {
    setters! {
        /// The key to encrypt the file with.
        kms_key: String,
        /// The name that the file gets; `statistics.json`, `constraints.json` or `constraint_violations.json` when not given.
        file_name: String,
    }

    async fn send(self) -> Result<ModelMonitoringFile<B>> {
        let Self { session, text, kms_key, file_name, .. } = self;
        let file_name = file_name.as_deref().unwrap_or(B::FILE_NAME);
        parse(&text, file_name.to_owned())?;
        let place = session.default_location(&["monitoring", &unique(), file_name]).await?;
        let place = session.upload_string_as_file_body(text, &place, kms_key.as_deref()).await?;
        FromS3Uri { session, file_s3_uri: place, kms_key, body: PhantomData }.await
    }
}

impl<B: Body> FromFilePath<'_, B> {
    setters! {
        /// The key to encrypt the file with.
        kms_key: String,
    }

    async fn send(self) -> Result<ModelMonitoringFile<B>> {
        let Self { session, path, kms_key, .. } = self;
        let file_name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let text = match tokio::fs::read_to_string(&path).await {
            Ok(text) => text,
            Err(source) => return Err(Error::File { path, reason: source }),
        };
        FromString { session, text, kms_key, file_name, body: PhantomData }.await
    }
}

/// The JSON of a text that is, or is to be, at `place`.
fn parse(text: &str, place: String) -> Result<Value> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(text).map_err(|error| Error::Document { place, reason: format!("is not JSON: {error}") })
}

/// `awaitable!` for requests that are of a body.
macro_rules! awaitable_file {
    ($($request:ident),+) => {
        $(impl<'a, B: Body> IntoFuture for $request<'a, B> {
            type Output = Result<ModelMonitoringFile<B>>;
            type IntoFuture = Sending<'a, ModelMonitoringFile<B>>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(self.send())
            }
        })+
    };
}

awaitable_file!(FromS3Uri, FromString, FromFilePath);
