//! Putting a backup back, and looking whether one is whole.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use super::{
    BLOBS, CHECKSUMS, FORMAT, JOURNAL_FOLDERS, LOGS, MANIFEST, METADATA, Manifest, body_name, is_known, open_copy,
    remove_staging,
};
use crate::Error;
use crate::data_directory::{create_folder, private_file, sync_folder};
use crate::keys::{Keys, MASTER_KEY_FILE, proves, sealed_size};

/// The most bytes of the two documents of an archive: a checksum for each of a few million files.
const MOST_DOCUMENT_BYTES: u64 = 1 << 30;

/// A backup that was put back.
#[derive(Debug)]
pub struct Restored {
    /// What the archive says of itself.
    pub manifest: Manifest,
    /// Files of bodies.
    pub bodies: usize,
    /// Bytes of all files.
    pub bytes: u64,
}

/// What an archive holds.
struct Contents {
    manifest: Manifest,
    names: Vec<String>,
    bytes: u64,
}

/// Reads an archive to its end, and compares every file with its checksum.
///
/// # Errors
/// [`Error::BackupDamaged`] where anything is missing or changed.
pub fn verify(archive: &Path) -> Result<Manifest, Error> {
    read(archive, None).map(|contents| contents.manifest)
}

/// Makes a data directory of an archive, where there is none or an empty folder. Everything is checked before it has its
/// name: files by their checksums, databases by themselves, bodies by their rows, the master key by its proof.
///
/// # Errors
/// [`Error::RestoreTarget`] where there is something already; [`Error::BackupDamaged`].
pub async fn restore(archive: &Path, directory: &Path) -> Result<Restored, Error> {
    check_target(directory)?;
    let staging = staging_of(directory)?;
    // What a restore that was killed has left.
    remove_staging(&staging)?;
    let restored = extract(archive, &staging).await;
    let restored = match restored {
        Ok(restored) => put_in_place(&staging, directory).map(|()| restored),
        Err(error) => Err(error),
    };
    if restored.is_err() {
        // The first error is the one that counts.
        let _ = std::fs::remove_dir_all(&staging);
    }
    restored
}

async fn extract(archive: &Path, staging: &Path) -> Result<Restored, Error> {
    create_folder(staging)?;
    let (from, to) = (archive.to_owned(), staging.to_owned());
    let contents = tokio::task::spawn_blocking(move || read(&from, Some(&to))).await??;
    check(archive, staging, &contents).await?;
    let bodies = contents.names.iter().filter(|name| name.starts_with(BLOBS)).count();
    Ok(Restored { manifest: contents.manifest, bodies, bytes: contents.bytes })
}

fn check_target(directory: &Path) -> Result<(), Error> {
    let mut entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::file("list", directory)(error)),
    };
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(Error::RestoreTarget(directory.to_owned())),
    }
}

/// Beside the directory, so that a rename puts it in place.
fn staging_of(directory: &Path) -> Result<PathBuf, Error> {
    let directory = std::path::absolute(directory).map_err(Error::file("find", directory))?;
    let name = directory.file_name().ok_or_else(|| Error::RestoreTarget(directory.clone()))?;
    let mut staging = std::ffi::OsString::from(".");
    staging.push(name);
    staging.push(".restoring");
    let parent = directory.parent().unwrap_or(Path::new("/"));
    create_folder(parent)?;
    Ok(parent.join(staging))
}

fn put_in_place(staging: &Path, directory: &Path) -> Result<(), Error> {
    // Takes the place of an empty folder as well.
    std::fs::rename(staging, directory).map_err(Error::file("rename", staging))?;
    sync_folder(staging.parent().unwrap_or(Path::new("/")))
}

/// Reads an archive, into a folder where there is one.
fn read(archive: &Path, folder: Option<&Path>) -> Result<Contents, Error> {
    let damaged = |reason: String| Error::BackupDamaged { path: archive.to_owned(), reason };
    let broken = |error: io::Error| damaged(error.to_string());
    let file = File::open(archive).map_err(Error::file("open", archive))?;
    let mut reader = tar::Archive::new(io::BufReader::with_capacity(1 << 20, file));
    let (mut manifest, mut listed) = (None, None);
    let (mut sums, mut bytes) = (BTreeMap::new(), 0);
    for entry in reader.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let name = entry.path().map_err(broken)?.to_str().map(str::to_owned);
        let name = name.filter(|name| is_known(name) && entry.header().entry_type().is_file());
        let name = name.ok_or_else(|| damaged("it holds something that no backup holds".to_owned()))?;
        if listed.is_some() || sums.contains_key(&name) {
            return Err(damaged(format!("{name} is where it cannot be")));
        }
        bytes += entry.size();
        let sum = if name == MANIFEST || name == CHECKSUMS {
            let mut text = Vec::new();
            entry.by_ref().take(MOST_DOCUMENT_BYTES).read_to_end(&mut text).map_err(broken)?;
            let unreadable = |error: serde_json::Error| damaged(format!("{name}: {error}"));
            if name == CHECKSUMS {
                listed = Some(serde_json::from_slice::<BTreeMap<String, String>>(&text).map_err(unreadable)?);
                continue;
            }
            // The form first: of another one nothing else is known.
            let form: Form = serde_json::from_slice(&text).map_err(unreadable)?;
            if form.format > FORMAT {
                return Err(damaged("a newer version of the program has written it: restore it with that".to_owned()));
            }
            manifest = Some(serde_json::from_slice::<Manifest>(&text).map_err(unreadable)?);
            hex::encode(Sha256::digest(&text))
        } else if manifest.is_none() {
            return Err(damaged("it does not begin with its manifest: it is no backup".to_owned()));
        } else {
            extract_file(&mut entry, folder.map(|folder| folder.join(&name)).as_deref(), &broken)?
        };
        sums.insert(name, sum);
    }
    let manifest = manifest.ok_or_else(|| damaged("it is no backup".to_owned()))?;
    let listed = listed.ok_or_else(|| damaged("it was cut off".to_owned()))?;
    if let Some((name, _)) = listed.iter().find(|(name, sum)| sums.get(*name) != Some(*sum)) {
        return Err(damaged(format!("{name} is not what was written")));
    }
    if sums.len() != listed.len() {
        return Err(damaged("it holds files that were not written".to_owned()));
    }
    Ok(Contents { manifest, names: sums.into_keys().collect(), bytes })
}

#[derive(serde::Deserialize)]
struct Form {
    format: u32,
}

/// Copies a file out, durable; gives its checksum.
fn extract_file(
    entry: &mut impl Read,
    path: Option<&Path>,
    broken: &dyn Fn(io::Error) -> Error,
) -> Result<String, Error> {
    let mut file = match path {
        Some(path) => {
            create_folder(path.parent().unwrap_or(Path::new(".")))?;
            Some(private_file().create_new(true).open(path).map_err(Error::file("create", path))?)
        }
        None => None,
    };
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 256 << 10]);
    loop {
        let length = entry.read(&mut buffer).map_err(broken)?;
        if length == 0 {
            break;
        }
        hash.update(&buffer[..length]);
        if let (Some(file), Some(path)) = (&mut file, path) {
            file.write_all(&buffer[..length]).map_err(Error::file("write", path))?;
        }
    }
    if let (Some(file), Some(path)) = (file, path) {
        file.sync_all().map_err(Error::file("sync", path))?;
        sync_folder(path.parent().unwrap_or(Path::new(".")))?;
    }
    Ok(hex::encode(hash.finalize()))
}

/// Checks what is in the folder against itself.
async fn check(archive: &Path, folder: &Path, contents: &Contents) -> Result<(), Error> {
    let damaged = |reason: String| Error::BackupDamaged { path: archive.to_owned(), reason };
    let holds = |name: &str| contents.names.iter().any(|known| known == name);
    if !holds(METADATA) {
        return Err(damaged(format!("{METADATA} is missing")));
    }
    for name in [METADATA, LOGS].into_iter().filter(|name| holds(name)) {
        let mut database = open_copy(&folder.join(name)).await?;
        let found: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut database).await?;
        if found != "ok" {
            return Err(damaged(format!("{name}: {found}")));
        }
        if name == METADATA {
            check_bodies(&mut database, folder, contents).await?.map_err(&damaged)?;
            if holds(MASTER_KEY_FILE) {
                check_key(&mut database, folder).await?;
            }
        }
        database.close().await?;
    }
    for folder in JOURNAL_FOLDERS.map(|name| folder.join(name)) {
        match sync_folder(&folder) {
            // Not every service has journals.
            Err(error) if error.is_missing_file() => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// Every row's body is there as long as it has to be, and there is none that no row has.
async fn check_bodies(
    database: &mut SqliteConnection,
    folder: &Path,
    contents: &Contents,
) -> Result<Result<(), String>, Error> {
    let rows: Vec<(String, i64, bool)> =
        sqlx::query_as(include_str!("../objects/sql/blob_sizes.sql")).fetch_all(database).await?;
    let mut wanted = HashSet::new();
    for (blob, size, is_encrypted) in rows {
        let name = body_name(&blob);
        let size = u64::try_from(size).unwrap_or(0);
        let size = if is_encrypted { sealed_size(size) } else { size };
        let found = std::fs::metadata(folder.join(&name)).map(|metadata| metadata.len()).ok();
        if found != Some(size) {
            return Ok(Err(format!("{name} is missing, or not as long as it was")));
        }
        wanted.insert(name);
    }
    let is_unwanted = |name: &&String| name.starts_with(BLOBS) && !wanted.contains(*name);
    Ok(match contents.names.iter().find(is_unwanted) {
        Some(name) => Err(format!("{name} is nobody's")),
        None => Ok(()),
    })
}

async fn check_key(database: &mut SqliteConnection, folder: &Path) -> Result<(), Error> {
    let path = folder.join(MASTER_KEY_FILE);
    let text = std::fs::read_to_string(&path).map_err(Error::file("read", &path))?;
    let keys = Keys::of_text(&text).ok_or_else(|| Error::MasterKeyDamaged(path.clone()))?;
    let proof: Option<Vec<u8>> =
        sqlx::query_scalar(include_str!("../keys/sql/proof.sql")).fetch_optional(database).await?;
    if proof.is_some_and(|proof| !proves(&keys, proof)) {
        return Err(Error::OtherMasterKey);
    }
    Ok(())
}
