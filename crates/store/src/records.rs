//! Everything but objects: in files of the data directory, or on a database server.

use std::sync::Arc;

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteSynchronous;

use crate::data_directory::DataDirectory;
use crate::database::Database;
use crate::disk::Disk;
use crate::keys::KeyMaterials;
use crate::keys::tables::TableMaterials;
use crate::logs::Logs;
use crate::logs::tables::TableLogs;
use crate::metadata::MetadataStore;
use crate::metadata::tables::TableMetadata;
use crate::sql::postgresql::PostgresDatabase;
use crate::{DatabaseSettings, Error};

static LOGS_MIGRATIONS: Migrator = sqlx::migrate!("migrations/logs");

/// Documents, metrics, logs and keys.
#[derive(Clone)]
pub(crate) struct Records {
    pub(crate) metadata: Arc<dyn MetadataStore>,
    pub(crate) logs: Arc<dyn Logs>,
    pub(crate) materials: Arc<dyn KeyMaterials>,
    database: RecordsDatabase,
}

#[derive(Clone)]
enum RecordsDatabase {
    /// Logs; the rest is in the database of the rows of objects.
    Embedded {
        logs: Database,
    },
    Shared(PostgresDatabase),
}

impl Records {
    /// In the data directory, which only this process has.
    pub(crate) async fn embedded(
        directory: &Arc<DataDirectory>,
        metadata: Database,
        disk: &Arc<Disk>,
    ) -> Result<Self, Error> {
        // In a power failure the latest lines may be lost; an fsync for each line would slow down every other commit.
        let logs = Database::open(directory, "logs.db", &LOGS_MIGRATIONS, SqliteSynchronous::Normal).await?;
        let documents = TableMetadata::new(metadata.clone(), Some(Arc::clone(disk)));
        documents.release_claims().await?;
        Ok(Self {
            metadata: Arc::new(documents),
            logs: Arc::new(TableLogs::new(logs.clone(), Some(Arc::clone(disk)))),
            materials: Arc::new(TableMaterials::new(metadata)),
            database: RecordsDatabase::Embedded { logs },
        })
    }

    /// On a server, which other processes use as well: claims in it run out by themselves.
    pub(crate) async fn shared(settings: &DatabaseSettings) -> Result<Self, Error> {
        let database = PostgresDatabase::open(settings).await?;
        Ok(Self {
            metadata: Arc::new(TableMetadata::new(database.clone(), None)),
            logs: Arc::new(TableLogs::new(database.clone(), None)),
            materials: Arc::new(TableMaterials::new(database.clone())),
            database: RecordsDatabase::Shared(database),
        })
    }

    pub(crate) async fn close(&self) {
        match &self.database {
            RecordsDatabase::Embedded { logs } => logs.close().await,
            RecordsDatabase::Shared(database) => database.close().await,
        }
    }
}
