//! The state of Watchkeeper: documents of resources, metrics, objects, logs and keys.
//!
//! Everything is behind a trait, so that a database server and an outside object store can take the place of what is
//! here: `SQLite`, and files, in one data directory that one service has at a time.
//!
//! ```text
//! lock                   held by the service that has the directory
//! master.key             wraps every secret below
//! metadata.db            documents, metrics, the rows of objects, bodies up to 64 KiB
//! logs.db                log events
//! objects/blobs/ab/…     larger bodies
//! objects/incoming/      bodies that are being written
//! ```
//!
//! Promised: what a successful call wrote is durable, whole, and seen by every later read; a failed call has changed
//! nothing; a process that is killed at any moment leaves nothing that the next start does not clean up. The row in the
//! database is the commit point of everything.
//!
//! Decided against: an ORM (documents need a dozen statements), an embedded key-value store (operators can read SQL),
//! one file for objects and logs alike (a talkative job would delay every change of state).

mod data_directory;
mod database;
mod error;
pub mod keys;
pub mod logs;
pub mod metadata;
pub mod objects;
mod settings;

use std::path::Path;
use std::sync::Arc;

pub use error::Error;
pub use settings::{DatabaseSettings, MasterKeySource, S3Settings, StoreSettings};

use data_directory::DataDirectory;
use database::Database;
use keys::KmsKeys;
use keys::sqlite::SqliteMaterials;
use logs::sqlite::SqliteLogs;
use metadata::sqlite::SqliteMetadata;
use objects::embedded::EmbeddedObjects;
use sqlx::sqlite::SqliteSynchronous;

/// The state in one data directory.
#[derive(Clone)]
pub struct Store {
    /// Documents and metrics.
    pub metadata: Arc<dyn metadata::MetadataStore>,
    /// Objects.
    pub objects: Arc<dyn objects::Objects>,
    /// Logs.
    pub logs: Arc<dyn logs::Logs>,
    /// Seals secrets.
    pub keys: Arc<keys::Keys>,
    databases: [Database; 2],
    directory: Arc<DataDirectory>,
}

const METADATA_FILE: &str = "metadata.db";

static METADATA_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/metadata");
static LOGS_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/logs");

impl Store {
    /// Opens the state in a data directory, which is made where there is none. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`Error::InUse`] while another service has it; [`Error::MasterKeyMissing`] and [`Error::MasterKeyDamaged`];
    /// [`Error::Migration`] if it was written by a newer program.
    pub async fn open(data_directory: &Path) -> Result<Self, Error> {
        Self::open_with(&StoreSettings::in_directory(data_directory)).await
    }

    /// Opens the state where the settings say it is. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Those of [`Store::open`]; the database server or the S3 service cannot be reached or used.
    pub async fn open_with(settings: &StoreSettings) -> Result<Self, Error> {
        let path = settings.data_directory.clone();
        let (directory, keys) = tokio::task::spawn_blocking(move || {
            let directory = DataDirectory::open(&path)?;
            let database = directory.file(METADATA_FILE);
            // The master key is there before the database is, so a database without one has lost it.
            let is_new = !database.try_exists().map_err(Error::file("look for", &database))?;
            let keys = keys::Keys::open(&directory.file("master.key"), is_new)?;
            Ok::<_, Error>((directory, keys))
        })
        .await??;
        let (directory, keys) = (Arc::new(directory), Arc::new(keys));

        let metadata = Database::open(&directory, METADATA_FILE, &METADATA_MIGRATIONS, SqliteSynchronous::Full).await?;
        // In a power failure the latest lines may be lost; an fsync for each line would slow down every other commit.
        let logs = Database::open(&directory, "logs.db", &LOGS_MIGRATIONS, SqliteSynchronous::Normal).await?;
        let kms_keys = KmsKeys::new(Arc::clone(&keys), Arc::new(SqliteMaterials::new(metadata.clone())));
        let objects = EmbeddedObjects::open(&directory.file("objects"), metadata.clone(), kms_keys).await?;
        Ok(Self {
            metadata: Arc::new(SqliteMetadata::open(metadata.clone()).await?),
            objects: Arc::new(objects),
            logs: Arc::new(SqliteLogs::new(logs.clone())),
            keys,
            databases: [metadata, logs],
            directory,
        })
    }

    /// Waits for the writes that stand in the queues, closes the databases and lets go of the data directory. Whatever
    /// is asked of the store or its clones later fails with [`Error::Closed`].
    pub async fn close(self) {
        for database in &self.databases {
            database.close().await;
        }
        self.directory.unlock();
    }
}
