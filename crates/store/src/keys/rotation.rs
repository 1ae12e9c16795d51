//! Another master key for everything that is there, while no service uses it.
//!
//! The transaction that seals everything anew is what counts. A key of the data directory is beside the old one, durable,
//! before it, and takes the old one's place after it; whatever happens between, the proof in the database tells at the next
//! start which of the two it is.

use std::path::{Path, PathBuf};

use super::master_key::{MASTER_KEY_FILE, new_key_text};
use super::sealed::{self, check_master_key, proves};
use super::{KeyMaterials, Keys};
use crate::data_directory::{sync_folder, write_new_file};
use crate::{Error, MasterKeySource, Store, StoreSettings};

/// The key that is about to take the place of the one in the data directory.
const NEXT_FILE: &str = "master.key.next";

/// A rotation that took place.
#[derive(Debug)]
pub struct Rotated {
    /// Secrets that were sealed anew.
    pub secrets: usize,
    /// The file that has the new key.
    pub file: PathBuf,
}

/// Seals everything by another master key, whole or not at all: by the one in a file, or without a file by a new one that
/// takes the place of that in the data directory. The store has to be nobody else's: it is opened and closed.
///
/// # Errors
/// Those of [`Store::open_with`]; [`Error::MasterKeyFileMissing`], [`Error::MasterKeyDamaged`];
/// [`Error::MasterKeyElsewhere`] without a file where the key is not in the data directory; [`Error::CapturesWaiting`].
pub async fn rotate_master_key(settings: &StoreSettings, new: Option<&Path>) -> Result<Rotated, Error> {
    let own = settings.data_directory.join(MASTER_KEY_FILE);
    let in_directory = matches!(settings.master_key, MasterKeySource::DataDirectory);
    if new.is_none() && !in_directory {
        return Err(Error::MasterKeyElsewhere);
    }
    // Read before anything is opened, so that a mistake changes nothing.
    let given = match new {
        Some(path) => Some(Keys::of_source(&MasterKeySource::File(path.to_owned()), &settings.data_directory, false)?),
        None => None,
    };
    let store = Store::open_with(settings).await?;
    let rotated = async {
        no_journals(&settings.data_directory)?;
        let next = settings.data_directory.join(NEXT_FILE);
        let key = match given {
            Some(key) => key,
            None => write_next(&next)?,
        };
        let secrets = sealed::reseal(&store.keys, &key, &*store.records.materials).await?;
        match new {
            None => put_in_place(&next, &own)?,
            // It opens nothing any more.
            Some(path) if in_directory && path != own => remove(&own)?,
            Some(_) => {}
        }
        Ok(Rotated { secrets, file: new.map_or(own, Path::to_owned) })
    };
    let rotated = rotated.await;
    store.close().await;
    rotated
}

/// The master key of an opened database: the given one, or the one that was about to take its place when a rotation was cut
/// off after its transaction.
pub(crate) async fn settled(
    given: Keys,
    settings: &StoreSettings,
    materials: &dyn KeyMaterials,
) -> Result<Keys, Error> {
    let mut keys = given;
    if matches!(settings.master_key, MasterKeySource::DataDirectory) {
        let (next, own) = (settings.data_directory.join(NEXT_FILE), settings.data_directory.join(MASTER_KEY_FILE));
        match std::fs::read_to_string(&next) {
            Ok(text) => {
                let candidate = Keys::of_text(&text).ok_or_else(|| Error::MasterKeyDamaged(next.clone()))?;
                let proof = materials.proof().await?;
                if proof.is_some_and(|proof| proves(&candidate, proof)) {
                    put_in_place(&next, &own)?;
                    keys = candidate;
                } else {
                    remove(&next)?;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::file("read", &next)(error)),
        }
    }
    check_master_key(&keys, materials).await?;
    Ok(keys)
}

/// Journals of captures are encrypted by the master key too, and not sealed anew: the next start puts them into objects.
fn no_journals(directory: &Path) -> Result<(), Error> {
    let folder = directory.join("capture");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::file("list", &folder)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(Error::file("list", &folder))?;
        if entry.path().extension().is_some_and(|extension| extension == "journal") {
            return Err(Error::CapturesWaiting(folder));
        }
    }
    Ok(())
}

fn write_next(path: &Path) -> Result<Keys, Error> {
    let text = new_key_text()?;
    // Opening the store has removed what an earlier rotation left.
    write_new_file(path, text.as_bytes())?;
    Keys::of_text(&text).ok_or_else(|| Error::MasterKeyDamaged(path.to_owned()))
}

fn put_in_place(next: &Path, own: &Path) -> Result<(), Error> {
    std::fs::rename(next, own).map_err(Error::file("rename", next))?;
    sync_folder(own.parent().unwrap_or(Path::new(".")))
}

fn remove(path: &Path) -> Result<(), Error> {
    std::fs::remove_file(path).map_err(Error::file("remove", path))?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}
