//! Writing a file back.

use watchkeeper_aws::types::S3Uri;
use watchkeeper_formats::python_json;

use super::ModelMonitoringFile;
use crate::Result;
use crate::documents::Body;
use crate::request::Sending;

/// The request of [`ModelMonitoringFile::save`].
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct Save<'a, B: Body> {
    file: &'a mut ModelMonitoringFile<B>,
    new_save_location_s3_uri: Option<S3Uri>,
}

impl<B: Body> ModelMonitoringFile<B> {
    /// Writes the file to its place in S3, and gives that place.
    pub fn save(&mut self) -> Save<'_, B> {
        Save { file: self, new_save_location_s3_uri: None }
    }
}

impl<B: Body> Save<'_, B> {
    /// Another place, which is the file's from then on, once it is saved there.
    pub fn new_save_location_s3_uri(mut self, new_save_location_s3_uri: S3Uri) -> Self {
        self.new_save_location_s3_uri = Some(new_save_location_s3_uri);
        self
    }

    async fn send(self) -> Result<S3Uri> {
        let Self { file, new_save_location_s3_uri } = self;
        let place = new_save_location_s3_uri.unwrap_or_else(|| file.file_s3_uri.clone());
        let text = python_json::dumps(&file.body_dict());
        let saved = file.session.upload_string_as_file_body(text, &place, file.kms_key.as_deref()).await?;
        file.file_s3_uri = place;
        file.is_unsaved = false;
        Ok(saved)
    }
}

impl<'a, B: Body> IntoFuture for Save<'a, B> {
    type Output = Result<S3Uri>;
    type IntoFuture = Sending<'a, S3Uri>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
