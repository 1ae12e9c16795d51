//! The state of Watchkeeper: documents of resources, metrics, objects, logs and keys.
//!
//! Everything is behind a trait. What is on one machine is `SQLite` and files, in one data directory that one service has
//! at a time. A `PostgreSQL` server can take the place of the first, and an outside S3 that of the second; several services
//! then share what is there.
//!
//! ```text
//! lock                   held by the service that has the directory
//! master.key             wraps every secret below
//! metadata.db            documents, metrics, the rows of objects, bodies up to 64 KiB
//! logs.db                log events
//! objects/blobs/ab/…     larger bodies
//! objects/incoming/      bodies that are being written
//! outgoing/              bodies on their way to an outside S3
//! ```
//!
//! Promised: what a successful call wrote is durable, whole, and seen by every later read; a failed call has changed
//! nothing; a process that is killed at any moment leaves nothing that the next start does not clean up. The row in the
//! database is the commit point of everything. One thing is open: whether a commit took place whose answer a database server
//! that went away did not give. It is an error then, and who tries again has to read first: every change of a document is a
//! compare-and-swap, and finds out.
//!
//! Decided against: an ORM (documents need a dozen statements), an embedded key-value store (operators can read SQL),
//! one file for objects and logs alike (a talkative job would delay every change of state).

pub mod backup;
mod data_directory;
mod database;
mod disk;
mod error;
pub mod keys;
pub mod logs;
pub mod metadata;
pub mod objects;
mod records;
mod settings;
mod sql;

use std::path::Path;
use std::sync::Arc;

pub use disk::write_in_pieces;
pub use error::{Error, StorageFault};
pub use settings::{DatabaseSettings, MasterKeySource, S3Settings, StoreSettings};

use backup::Backups;
use data_directory::DataDirectory;
use database::Database;
use disk::Disk;
use keys::KmsKeys;
use objects::embedded::EmbeddedObjects;
use objects::s3::S3Objects;
use records::Records;
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
    /// Encrypts by KMS keys.
    pub kms: KmsKeys,
    /// Takes backups.
    pub backups: Backups,
    records: Records,
    /// The rows of embedded objects; in the data directory all records but logs are there as well.
    object_rows: Database,
    directory: Arc<DataDirectory>,
}

const METADATA_FILE: &str = "metadata.db";

static METADATA_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/metadata");

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
        let (path, master_key) = (settings.data_directory.clone(), settings.master_key.clone());
        let (directory, keys) = tokio::task::spawn_blocking(move || {
            let directory = DataDirectory::open(&path)?;
            let database = directory.file(METADATA_FILE);
            // The master key is there before the database is, so a database without one has lost it.
            let is_new = !database.try_exists().map_err(Error::file("look for", &database))?;
            let keys = keys::Keys::of_source(&master_key, &path, is_new)?;
            Ok::<_, Error>((directory, keys))
        })
        .await??;
        let directory = Arc::new(directory);

        let shared = match &settings.database {
            None => None,
            Some(database) => Some(Records::shared(database).await?),
        };
        let metadata = Database::open(&directory, METADATA_FILE, &METADATA_MIGRATIONS, SqliteSynchronous::Full).await?;
        let disk = Arc::new(Disk::new(&settings.data_directory, settings.reserve_bytes, settings.quota_bytes));
        let records = match shared {
            None => Records::embedded(&directory, metadata.clone(), &disk).await?,
            Some(shared) => shared,
        };
        let opened = Self::over(settings, keys, &directory, metadata.clone(), records.clone(), disk).await;
        if opened.is_err() {
            // Whoever tries again at once finds the directory free.
            records.close().await;
            metadata.close().await;
            directory.unlock();
        }
        opened
    }

    /// The store over its databases.
    async fn over(
        settings: &StoreSettings,
        keys: keys::Keys,
        directory: &Arc<DataDirectory>,
        metadata: Database,
        records: Records,
        disk: Arc<Disk>,
    ) -> Result<Self, Error> {
        let keys = Arc::new(keys::settled(keys, settings, &*records.materials).await?);
        let kms = KmsKeys::new(Arc::clone(&keys), Arc::clone(&records.materials));
        let mut embedded = None;
        let objects: Arc<dyn objects::Objects> = match &settings.outside_s3 {
            None => {
                let folder = directory.file("objects");
                let objects = EmbeddedObjects::open(&folder, metadata.clone(), kms.clone(), Arc::clone(&disk)).await?;
                Arc::new(embedded.insert(objects).clone())
            }
            Some(outside) => {
                objects::embedded::tell_of_left_objects(&metadata).await?;
                let folder = directory.file("outgoing");
                Arc::new(S3Objects::open(outside, &folder, kms.clone(), Arc::clone(&disk)).await?)
            }
        };
        Ok(Self {
            metadata: Arc::clone(&records.metadata),
            objects,
            logs: Arc::clone(&records.logs),
            keys,
            kms,
            backups: Backups::new(settings, Arc::clone(directory), embedded, disk),
            records,
            object_rows: metadata,
            directory: Arc::clone(directory),
        })
    }

    /// Waits for the writes that stand in the queues, closes the databases and lets go of the data directory. Whatever
    /// is asked of the store or its clones later fails with [`Error::Closed`].
    pub async fn close(self) {
        self.records.close().await;
        self.object_rows.close().await;
        self.directory.unlock();
    }
}
