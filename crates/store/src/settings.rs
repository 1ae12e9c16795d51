//! Where the state is kept.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where the state is kept.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// The folder of this process's files; one process has it at a time.
    pub data_directory: PathBuf,
    /// The `PostgreSQL` server of documents, metrics and logs, which several processes may share; without one they are
    /// in the data directory.
    pub database: Option<DatabaseSettings>,
    /// The S3 service that objects are kept in; without one they are in the data directory.
    pub outside_s3: Option<S3Settings>,
    /// Where the master key is.
    pub master_key: MasterKeySource,
    /// The most bytes of all objects in the data directory; 0: no limit.
    pub quota_bytes: u64,
    /// Bytes that stay free on the disk of the data directory.
    pub reserve_bytes: u64,
}

/// A `PostgreSQL` server.
#[derive(Clone)]
pub struct DatabaseSettings {
    /// `postgresql://user:password@host:5432/database`.
    pub url: String,
    /// The most connections of this process.
    pub max_connections: u32,
}

/// An S3 service and a key to it.
#[derive(Clone)]
pub struct S3Settings {
    /// `https://host:port`; buckets are named in the path.
    pub endpoint_url: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The public half of the key.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: String,
}

/// Where the master key is.
#[derive(Clone, Default)]
pub enum MasterKeySource {
    /// The file `master.key` of the data directory, made at the first start.
    #[default]
    DataDirectory,
    /// A file that is there.
    File(PathBuf),
    /// The key itself, as 64 hexadecimal digits.
    Text(String),
}

impl StoreSettings {
    /// Everything in a data directory.
    pub fn in_directory(path: &Path) -> Self {
        Self {
            data_directory: path.to_owned(),
            database: None,
            outside_s3: None,
            master_key: MasterKeySource::default(),
            quota_bytes: 0,
            reserve_bytes: 0,
        }
    }
}

// Secrets are in no log.
impl fmt::Debug for DatabaseSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DatabaseSettings")
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for S3Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("S3Settings").field("endpoint_url", &self.endpoint_url).finish_non_exhaustive()
    }
}

impl fmt::Debug for MasterKeySource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DataDirectory => formatter.write_str("DataDirectory"),
            Self::File(path) => formatter.debug_tuple("File").field(path).finish(),
            Self::Text(_) => formatter.write_str("Text(hidden)"),
        }
    }
}
