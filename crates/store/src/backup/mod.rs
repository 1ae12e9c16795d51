//! Backups: everything of a data directory in one tar archive, taken while the service runs, and put back whole or not at
//! all.
//!
//! ```text
//! manifest.json          the form of the archive, which program, when, what is kept elsewhere
//! master.key             unless it is left out, or is elsewhere
//! ca.pem, ca-key.pem     the authority of the proxy mode; it goes with the master key
//! capture/, proxies/     journals of captures, as far as they were written when the backup began
//! metadata.db, logs.db   copies of the databases
//! objects/blobs/ab/…     the bodies that metadata.db names
//! checksums.json         SHA-256 of every file above; the last entry, so that an archive that was cut off has none
//! ```
//!
//! Promised: everything that was acknowledged before the backup began is in it. Journals are copied before the databases,
//! so that a record is in a journal or in its object; it may be in both, and is the same object then. Bodies that are
//! deleted meanwhile stay on the disk until the backup ends.
//!
//! Decided against: copying files of a database that is in use (they may be torn), a lock that stops writes, archives
//! that build on earlier ones.

mod restore;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::data_directory::DataDirectory;
use crate::disk::Disk;
use crate::keys::MASTER_KEY_FILE;
use crate::objects::embedded::{EmbeddedObjects, shard};
use crate::{Error, MasterKeySource, StoreSettings};

pub use restore::{Restored, restore, verify};
pub use write::Backup;

/// The form of archives that this program writes, and the newest that it reads.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const CHECKSUMS: &str = "checksums.json";
const METADATA: &str = crate::METADATA_FILE;
const LOGS: &str = "logs.db";
/// Where bodies are.
const BLOBS: &str = "objects/blobs";
/// The folders of journals, and how those are called.
const JOURNAL_FOLDERS: [&str; 2] = ["capture", "proxies"];
const JOURNAL: &str = ".journal";
/// The files that go with the master key: whoever has them needs no key.
const SECRETS: [&str; 3] = [MASTER_KEY_FILE, "ca.pem", "ca-key.pem"];
/// The folder of what is copied while a backup is taken.
const STAGING: &str = "backup";

/// What an archive says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of the archive.
    format: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// When the backup began: ISO 8601, UTC.
    pub created: String,
    /// Where the master key is.
    pub master_key: MasterKeyPlace,
    /// What this archive does not have, because it is not in the data directory: in words.
    pub elsewhere: Vec<String>,
}

/// Where the master key of a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MasterKeyPlace {
    /// In the archive.
    Included,
    /// It was left out.
    LeftOut,
    /// It was not in the data directory.
    Elsewhere,
}

/// What backups are taken of. Clones share it.
#[derive(Clone)]
pub struct Backups(Arc<Parts>);

struct Parts {
    directory: Arc<DataDirectory>,
    /// None where they are kept elsewhere.
    objects: Option<EmbeddedObjects>,
    disk: Arc<Disk>,
    elsewhere: Vec<String>,
    master_key: MasterKeySource,
    /// One at a time: each holds deleted bodies back.
    is_running: AtomicBool,
}

impl Backups {
    pub(crate) fn new(
        settings: &StoreSettings,
        directory: Arc<DataDirectory>,
        objects: Option<EmbeddedObjects>,
        disk: Arc<Disk>,
    ) -> Self {
        let mut elsewhere = Vec::new();
        if settings.database.is_some() {
            let database = "documents, metrics and logs are on the PostgreSQL server: back it up with pg_dump";
            elsewhere.push(database.to_owned());
        }
        if let Some(s3) = &settings.outside_s3 {
            elsewhere.push(format!("objects are in the S3 service at {}: back its buckets up there", s3.endpoint_url));
        }
        let master_key = settings.master_key.clone();
        if !matches!(master_key, MasterKeySource::DataDirectory) {
            elsewhere.push("the master key is where the settings say: keep a copy of it".to_owned());
        }
        let is_running = AtomicBool::new(false);
        // What a process that was killed has left.
        tidy(&directory);
        Self(Arc::new(Parts { directory, objects, disk, elsewhere, master_key, is_running }))
    }

    /// Begins a backup of everything that was acknowledged until now. Without the master key neither secrets nor encrypted
    /// objects can be read by whoever has the archive.
    ///
    /// # Errors
    /// [`Error::BackupRunning`]; the databases cannot be copied, as the disk has no room for example.
    pub async fn begin(&self, with_master_key: bool, program: &str, now: Timestamp) -> Result<Backup, Error> {
        if self.0.is_running.swap(true, Ordering::AcqRel) {
            return Err(Error::BackupRunning);
        }
        let running = Running(self.clone());
        let master_key = match &self.0.master_key {
            MasterKeySource::DataDirectory if with_master_key => MasterKeyPlace::Included,
            MasterKeySource::DataDirectory => MasterKeyPlace::LeftOut,
            _ => MasterKeyPlace::Elsewhere,
        };
        let manifest = Manifest {
            format: FORMAT,
            program: program.to_owned(),
            created: now.to_string(),
            master_key,
            elsewhere: self.0.elsewhere.clone(),
        };
        Backup::begin(running, manifest, with_master_key).await
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.directory.file(name)
    }
}

/// Ends with the value: then another backup may begin.
struct Running(Backups);

impl Drop for Running {
    fn drop(&mut self) {
        tidy(&self.0.0.directory);
        self.0.0.is_running.store(false, Ordering::Release);
    }
}

/// Removes what a backup has copied.
fn tidy(directory: &DataDirectory) {
    if let Err(error) = remove_staging(&directory.file(STAGING)) {
        tracing::warn!(error = &error as &dyn std::error::Error, "what a backup has copied could not be removed");
    }
}

/// What was left behind in a folder of files on their way.
fn remove_staging(staging: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(staging) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", staging)(error)),
        _ => Ok(()),
    }
}

/// Reads a copy of a database, which nobody else has.
async fn open_copy(path: &Path) -> Result<SqliteConnection, Error> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
    Ok(options.disable_statement_logging().connect().await?)
}

/// The name of a body's file.
fn body_name(blob: &str) -> String {
    format!("{BLOBS}/{}/{blob}", shard(blob))
}

/// Whether an archive may hold a file of this name.
fn is_known(name: &str) -> bool {
    let plain = |text: &str| {
        !text.is_empty()
            && !text.starts_with('.')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let parts: Vec<&str> = name.split('/').collect();
    match parts.as_slice() {
        [file] => [MANIFEST, CHECKSUMS, METADATA, LOGS].contains(file) || SECRETS.contains(file),
        ["objects", "blobs", shard, blob] => plain(shard) && plain(blob) && blob.ends_with(shard) && shard.len() == 2,
        [folder, between @ .., file] => {
            JOURNAL_FOLDERS.contains(folder)
                && between.iter().all(|part| plain(part))
                && plain(file)
                && file.ends_with(JOURNAL)
        }
        [] => false,
    }
}
