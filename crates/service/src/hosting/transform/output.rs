//! The results of one object: kept until they are a part, uploaded in parts where they are more, and there as an object only
//! when they are complete.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use watchkeeper_aws::types::S3Uri;
use watchkeeper_store::Error;
use watchkeeper_store::objects::{CompletedPart, ListUploads, ObjectAttributes, Objects, Precondition, body};

use super::Failure;

/// Bytes of the first parts. There are 10,000 parts at most, so they double once in a while: 16 TB in all.
const PART: usize = 16 << 20;
/// The number of parts after which they double.
const DOUBLING: u32 = 1000;

/// Uploads that were begun and not completed, so that they can be given up whatever happens.
#[derive(Clone, Default)]
pub(super) struct OpenUploads(Arc<Mutex<Vec<(S3Uri, String)>>>);

impl OpenUploads {
    fn add(&self, target: &S3Uri, upload: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((target.clone(), upload.to_owned()));
    }

    fn remove(&self, upload: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(_, other)| other != upload);
    }

    /// Gives up what is still open.
    pub(super) async fn abort(&self, objects: &dyn Objects) {
        let open = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (target, upload) in open {
            if let Err(error) = objects.abort_upload(&target.bucket, &target.key, &upload).await {
                tracing::warn!(%target, %error, "an unfinished upload of a transform job was left");
            }
        }
    }
}

/// The results of one object while they are made.
pub(super) struct Output<'a> {
    objects: &'a dyn Objects,
    target: S3Uri,
    attributes: ObjectAttributes,
    open: &'a OpenUploads,
    buffer: BytesMut,
    upload: Option<String>,
    parts: Vec<CompletedPart>,
}

impl<'a> Output<'a> {
    pub(super) fn new(
        objects: &'a dyn Objects,
        target: S3Uri,
        attributes: ObjectAttributes,
        open: &'a OpenUploads,
    ) -> Self {
        Self { objects, target, attributes, open, buffer: BytesMut::new(), upload: None, parts: Vec::new() }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.buffer.extend_from_slice(bytes);
        let size = PART << (self.parts.len() as u32 / DOUBLING);
        while self.buffer.len() >= size {
            let part = self.buffer.split_to(size).freeze();
            self.put_part(part).await.map_err(|error| self.failure(&error))?;
        }
        Ok(())
    }

    /// Makes the object.
    pub(super) async fn finish(mut self) -> Result<(), Failure> {
        self.store().await.map_err(|error| self.failure(&error))
    }

    async fn store(&mut self) -> Result<(), Error> {
        let rest = self.buffer.split().freeze();
        let (objects, S3Uri { bucket, key }) = (self.objects, self.target.clone());
        let Some(upload) = self.upload.clone() else {
            let attributes = std::mem::take(&mut self.attributes);
            return objects.put(&bucket, &key, attributes, body(rest), Precondition::None).await.map(drop);
        };
        if !rest.is_empty() {
            self.put_part(rest).await?;
        }
        let checksums = std::collections::BTreeMap::new();
        objects.complete_upload(&bucket, &key, &upload, &self.parts, checksums, Precondition::None).await?;
        self.open.remove(&upload);
        Ok(())
    }

    async fn put_part(&mut self, part: Bytes) -> Result<(), Error> {
        let S3Uri { bucket, key } = &self.target;
        let upload = if let Some(upload) = &self.upload {
            upload.clone()
        } else {
            let upload = self.objects.create_upload(bucket, key, self.attributes.clone()).await?;
            self.open.add(&self.target, &upload);
            self.upload.insert(upload).clone()
        };
        let number = u32::try_from(self.parts.len() + 1).unwrap_or(u32::MAX);
        let info = self.objects.put_part(bucket, key, &upload, number, body(part)).await?;
        self.parts.push(CompletedPart { number, etag: info.etag });
        Ok(())
    }

    fn failure(&self, error: &Error) -> Failure {
        failure(&self.target, error)
    }
}

/// Why an object could not be stored, for the person whose job it is.
pub(super) fn failure(target: &S3Uri, error: &Error) -> Failure {
    match error {
        Error::NoSuchBucket(bucket) => {
            Failure(format!("{target} could not be stored: there is no bucket `{bucket}`, create it first"))
        }
        other => Failure(format!("{target} could not be stored: {other}")),
    }
}

/// Gives up uploads of an object's key that an attempt left when its service died.
pub(super) async fn abort_left(objects: &dyn Objects, target: &S3Uri, since: jiff::Timestamp) -> Result<(), Error> {
    let list = ListUploads { bucket: target.bucket.clone(), prefix: target.key.clone(), after: None, limit: 1000 };
    let left = match objects.list_uploads(&list).await {
        Err(Error::NoSuchBucket(_)) => return Ok(()),
        other => other?.uploads,
    };
    for upload in left.into_iter().filter(|upload| upload.key == target.key && upload.initiated >= since) {
        match objects.abort_upload(&target.bucket, &target.key, &upload.upload).await {
            Err(Error::NoSuchUpload(_)) => {}
            other => other?,
        }
    }
    Ok(())
}
