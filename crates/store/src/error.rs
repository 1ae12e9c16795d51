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
    /// The database server cannot be reached, or does not let us in.
    #[error("the database {database} cannot be reached: {source}")]
    Unreachable {
        /// The database and its server.
        database: String,
        /// What the attempt ended with.
        source: Arc<sqlx::Error>,
    },
    /// The database could not be brought to this program's version.
    #[error("the database {database} cannot be used by this version of the program: {problem}")]
    Migration {
        /// The database file, or the database and its server.
        database: String,
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
    /// The file that the settings name for the master key is not there.
    #[error("there is no file {} with the master key; put the key there, or change the setting `master_key_file`", .0.display())]
    MasterKeyFileMissing(PathBuf),
    /// The setting of the master key holds none.
    #[error("the setting `master_key` does not hold a key of 64 hexadecimal digits")]
    MasterKeyTextDamaged,
    /// The master key is not the data directory's own, so that nobody but its keeper can replace it.
    #[error("the master key is not in the data directory: make another one, and name the file that has it")]
    MasterKeyElsewhere,
    /// Captures that no object has yet, which the present master key has encrypted.
    #[error("journals in {} wait to be put into objects: start the service, end it properly once they are, and try again", .0.display())]
    CapturesWaiting(PathBuf),
    /// Another master key has sealed what is there.
    #[error(
        "the master key is another one than the secrets here were encrypted by; give the service the one that they were"
    )]
    OtherMasterKey,
    /// A backup is being taken already.
    #[error("a backup is being taken already: wait until it has ended")]
    BackupRunning,
    /// An archive that is not what was written.
    #[error("the backup {} cannot be restored: {reason}", path.display())]
    BackupDamaged {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is something where a backup should be put.
    #[error("{} is not empty: restore into a folder that is not there yet, and stop the service that uses this one", .0.display())]
    RestoreTarget(PathBuf),
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
    /// A part of an encrypted upload that an outside S3 holds, other than the last, is no multiple of so many bytes.
    #[error("part {number} of an encrypted object has {size} bytes, which is no multiple of {multiple}")]
    PartSize {
        /// The part.
        number: u32,
        /// Its bytes.
        size: u64,
        /// What its size must be a multiple of.
        multiple: u64,
    },
    /// The address or the key of the outside S3 cannot be used.
    #[error("the outside S3 at {endpoint} cannot be used: {problem}")]
    OutsideS3Settings {
        /// Its address.
        endpoint: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The outside S3 refused something that it should do.
    #[error("the outside S3 at {endpoint} refused to {action}: {code}: {message}")]
    OutsideS3Refused {
        /// Its address.
        endpoint: String,
        /// What it was asked for.
        action: String,
        /// The code of its answer.
        code: String,
        /// Its words.
        message: String,
    },
    /// The outside S3 gave no answer, or said that it cannot now. What it was asked for may have been carried out.
    #[error("the outside S3 at {endpoint} did not {action}: {problem}")]
    OutsideS3Unavailable {
        /// Its address.
        endpoint: String,
        /// What it was asked for.
        action: String,
        /// What the last attempt brought.
        problem: String,
    },
    /// All objects together would have more bytes than they may.
    #[error(
        "all objects would have {wanted} bytes, more than the {quota} of `objects.quota_bytes`: delete some, or raise it"
    )]
    QuotaExceeded {
        /// The bytes that there would be.
        wanted: u64,
        /// The most there may be.
        quota: u64,
    },
    /// Less would be free on the disk of the data directory than has to stay free.
    #[error(
        "the disk of the data directory has {free} bytes left, which is not enough for {wanted} more and the {reserve} \
         that stay free (`objects.reserve_bytes`): make room on it"
    )]
    DiskFull {
        /// The bytes that are free.
        free: u64,
        /// The bytes that are to be written.
        wanted: u64,
        /// The bytes that stay free.
        reserve: u64,
    },
    /// There are as many buckets as there may be.
    #[error("there are {0} buckets already, which is the limit")]
    TooManyBuckets(u64),
    /// There are as many uploads under way as there may be.
    #[error("there are {0} uploads that were not completed, which is the limit: complete or abort some")]
    TooManyUploads(u64),
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

/// What keeps something from being written. It is nobody's fault, and may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageFault {
    /// There is no room: on the disk, in the quota of objects, or in the reserve.
    Full,
    /// The disk or the database takes nothing: it is mounted read-only, or fails.
    Unwritable,
}

impl StorageFault {
    /// What an error says of the disk; None where it says nothing of the kind.
    pub fn of_file(error: &std::io::Error) -> Option<Self> {
        use std::io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded => Some(Self::Full),
            ReadOnlyFilesystem => Some(Self::Unwritable),
            _ => None,
        }
    }

    fn of_database(error: &sqlx::Error) -> Option<Self> {
        match error {
            sqlx::Error::Io(error) => Self::of_file(error),
            sqlx::Error::Database(error) => {
                let code = error.code()?;
                match code.as_ref() {
                    // `PostgreSQL`: disk_full, read_only_sql_transaction.
                    "53100" => return Some(Self::Full),
                    "25006" => return Some(Self::Unwritable),
                    _ => {}
                }
                // `SQLite`: the lowest byte of an extended code is its kind.
                match code.parse::<u32>().ok()? & 0xff {
                    SQLITE_FULL => Some(Self::Full),
                    SQLITE_READONLY | SQLITE_IOERR | SQLITE_CANTOPEN => Some(Self::Unwritable),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// `SQLite`'s kinds of errors: <https://sqlite.org/rescode.html>.
const SQLITE_READONLY: u32 = 8;
const SQLITE_IOERR: u32 = 10;
const SQLITE_FULL: u32 = 13;
const SQLITE_CANTOPEN: u32 = 14;

impl Error {
    /// What of the storage is at fault; none where it is something else.
    pub fn storage_fault(&self) -> Option<StorageFault> {
        match self {
            Self::QuotaExceeded { .. } | Self::DiskFull { .. } | Self::TooManyUploads(_) => Some(StorageFault::Full),
            Self::File { source, .. } => StorageFault::of_file(source),
            Self::Database(error) => StorageFault::of_database(error),
            _ => None,
        }
    }

    /// Whether nobody knows if what was to be committed is there: not where the disk had no room for it.
    pub fn leaves_commit_unknown(&self) -> bool {
        match self {
            Self::Database(_) => self.storage_fault() != Some(StorageFault::Full),
            Self::Closed => true,
            _ => false,
        }
    }

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
