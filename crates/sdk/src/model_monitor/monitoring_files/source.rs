//! A file that a monitor is told of: one in hand, or the address of one.

use std::marker::PhantomData;

use watchkeeper_aws::types::S3Uri;

use super::ModelMonitoringFile;
use crate::documents::{Body, ConstraintsBody, StatisticsBody};
use crate::{Error, Result, Session};

/// Statistics in hand, or the address of a file.
pub type StatisticsSource = FileSource<StatisticsBody>;

/// Constraints in hand, or the address of a file.
pub type ConstraintsSource = FileSource<ConstraintsBody>;

/// A file in hand or the address of one, as monitors take them. Of a file in hand monitors take its address, so that one that
/// was changed must be saved before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSource<B> {
    uri: S3Uri,
    state: State,
    body: PhantomData<fn() -> B>,
}

/// What is known of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing but its address.
    Unknown,
    /// It is in hand.
    InHand,
    /// It is in hand, and is otherwise there than where it is saved.
    Unsaved,
}

impl<B: Body> FileSource<B> {
    /// The address, after a look whether a file is there and is JSON, when it is not known; so a schedule is not made for a
    /// file that does not exist.
    ///
    /// # Errors
    /// There is no such file, or the one in hand was changed and not saved.
    pub(crate) async fn checked(&self, session: &Session) -> Result<S3Uri> {
        match self.state {
            State::Unknown => drop(ModelMonitoringFile::<B>::from_s3_uri(session, self.uri.clone()).await?),
            State::InHand => {}
            State::Unsaved => {
                let reason =
                    format!("{} was changed and not saved, and jobs read what is saved: save it first", self.uri);
                return Err(Error::argument(B::FILE_NAME, reason));
            }
        }
        Ok(self.uri.clone())
    }
}

impl<B> From<S3Uri> for FileSource<B> {
    fn from(uri: S3Uri) -> Self {
        Self { uri, state: State::Unknown, body: PhantomData }
    }
}

impl<B> From<&S3Uri> for FileSource<B> {
    fn from(uri: &S3Uri) -> Self {
        uri.clone().into()
    }
}

impl<B: Body> From<ModelMonitoringFile<B>> for FileSource<B> {
    fn from(file: ModelMonitoringFile<B>) -> Self {
        Self::from(&file)
    }
}

impl<B: Body> From<&ModelMonitoringFile<B>> for FileSource<B> {
    fn from(file: &ModelMonitoringFile<B>) -> Self {
        let state = if file.is_unsaved { State::Unsaved } else { State::InHand };
        Self { uri: file.file_s3_uri.clone(), state, body: PhantomData }
    }
}
