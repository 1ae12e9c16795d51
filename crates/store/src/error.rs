//! What can go wrong in the store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database refused or failed.
    #[error("the database failed: {0}")]
    Database(#[source] Arc<sqlx::Error>),
    /// The database could not be brought to this program's version.
    #[error("the database {} cannot be used by this version of the program: {problem}", path.display())]
    Migration {
        /// The database file.
        path: PathBuf,
        /// What the migrator says.
        problem: String,
    },
    /// A file or folder of the data directory.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried: `write`, `open`, ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// The sender of a body failed, or broke off, or its checksum did not agree. The source is the stream's own error.
    #[error("the body could not be read: {0}")]
    Body(#[source] std::io::Error),
    /// Another service has the data directory.
    #[error("the data directory {} is in use by another service{holder}; stop it, or choose another data directory", path.display())]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// ` (process 123)`, or nothing where it is not known.
        holder: String,
    },
    /// The master key file is gone although there is a database.
    #[error("the master key file {} is missing, and secrets in this data directory are wrapped by it; restore it from a backup", .0.display())]
    MasterKeyMissing(PathBuf),
    /// The master key file does not hold a key.
    #[error("the master key file {} does not hold a key of 64 hexadecimal digits; restore it from a backup", .0.display())]
    MasterKeyDamaged(PathBuf),
    /// A ciphertext that was changed, or that another key made.
    #[error("{0} cannot be decrypted: it is damaged, or was encrypted by another master key")]
    Undecipherable(String),
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes")]
    NoRandomness,
    /// Stored data is not what this program wrote.
    #[error("{0} is damaged")]
    Damaged(String),
    /// An encryption key that does not exist, or whose status is not `Enabled`.
    #[error("{}", unusable_key(key, status.as_deref()))]
    KeyUnavailable {
        /// The key's id.
        key: String,
        /// The status of its document; none where there is no such key.
        status: Option<String>,
    },
    /// There is no such bucket.
    #[error("there is no bucket {0}")]
    NoSuchBucket(String),
    /// The bucket exists already.
    #[error("the bucket {0} exists already")]
    BucketExists(String),
    /// Only an empty bucket can be deleted.
    #[error("the bucket {0} is not empty")]
    BucketNotEmpty(String),
    /// There is no such object.
    #[error("there is no object {key} in bucket {bucket}")]
    NoSuchKey {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// The object is not in the state that the caller made a condition.
    #[error("the object is not in the state that was asked for")]
    PreconditionFailed,
    /// No byte of the object is in the range.
    #[error("the range holds no byte of an object of {size} bytes")]
    InvalidRange {
        /// Bytes of the object.
        size: u64,
    },
    /// There is no such multipart upload.
    #[error("there is no upload {0}")]
    NoSuchUpload(String),
    /// A part that was never uploaded, or has another `ETag`, or a number out of bounds.
    #[error("part {0} was not uploaded, or has another ETag")]
    InvalidPart(u32),
    /// The parts of a completion are not in ascending order.
    #[error("the parts are not in ascending order")]
    InvalidPartOrder,
    /// A part other than the last is too small.
    #[error("part {number} has {size} bytes, fewer than {minimum}")]
    EntityTooSmall {
        /// The part.
        number: u32,
        /// Its bytes.
        size: u64,
        /// The fewest bytes of a part that is not the last.
        minimum: u64,
    },
    /// A body is too large.
    #[error("a body of more than {limit} bytes")]
    EntityTooLarge {
        /// The most bytes.
        limit: u64,
    },
    /// A key of no bytes, or of too many.
    #[error("a key has 1 to {limit} bytes, not {length}")]
    KeyLength {
        /// The key's bytes.
        length: usize,
        /// The most bytes.
        limit: usize,
    },
    /// User metadata is too large.
    #[error("user metadata of {size} bytes, more than {limit}")]
    MetadataTooLarge {
        /// Bytes of names and values.
        size: usize,
        /// The most bytes.
        limit: usize,
    },
    /// There is no such log group.
    #[error("there is no log group {0}")]
    NoSuchLogGroup(String),
    /// There is no such log stream.
    #[error("there is no log stream {0}")]
    NoSuchLogStream(String),
    /// The log group exists already.
    #[error("the log group {0} exists already")]
    LogGroupExists(String),
    /// The log stream exists already.
    #[error("the log stream {0} exists already")]
    LogStreamExists(String),
    /// A log event is too long.
    #[error("a log event of {size} bytes, more than {limit}")]
    LogEventTooLarge {
        /// Bytes of the message.
        size: usize,
        /// The most bytes.
        limit: usize,
    },
    /// A page token that this store did not make.
    #[error("the page token is not one of this list")]
    InvalidToken,
    /// The store was closed, or a task of it ended early.
    #[error("the store is closed")]
    Closed,
}

fn unusable_key(key: &str, status: Option<&str>) -> String {
    match status {
        Some(status) => format!("the encryption key {key} is {status}, not Enabled"),
        None => format!("there is no encryption key {key}"),
    }
}

impl Error {
    /// For `map_err`: a failed action on a file.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }

    /// Whether a file was looked for that is not there.
    pub(crate) fn is_missing_file(&self) -> bool {
        matches!(self, Self::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Self::Closed,
        }
    }
}
