//! Bodies in files, named by ids that are never used twice.
//!
//! A file is complete before it has its name in `blobs`, and there before a row names it. It is removed after the
//! commit of the row's removal. Whatever a crash leaves without a row is removed at the next start.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::Error;
use crate::data_directory::{create_folder, private_file, sync_folder};
use crate::disk::write_in_pieces;
use crate::keys::{DataKey, SEGMENT_BYTES, TAG_BYTES};

/// The folders of bodies. Clones share them.
#[derive(Clone)]
pub(super) struct Blobs(Arc<Folders>);

struct Folders {
    blobs: PathBuf,
    incoming: PathBuf,
    /// Files that are read by name, so that they must stay for a while.
    pinned: Mutex<HashMap<String, Pin>>,
    held: Mutex<Held>,
}

/// Removals that wait for a backup.
#[derive(Default)]
struct Held {
    holders: usize,
    discarded: Vec<PathBuf>,
}

#[derive(Default)]
struct Pin {
    readers: usize,
    discarded: bool,
}

impl Blobs {
    /// Makes the folders where they are missing, and empties `incoming`.
    pub(super) fn open(objects: &Path) -> Result<Self, Error> {
        let (blobs, incoming) = (objects.join("blobs"), objects.join("incoming"));
        create_folder(&incoming)?;
        for shard in 0..=u8::MAX {
            create_folder(&blobs.join(hex::encode([shard])))?;
        }
        for folder in [blobs.as_path(), objects] {
            sync_folder(folder)?;
        }
        for file in names(&incoming)? {
            let path = incoming.join(file);
            std::fs::remove_file(&path).map_err(Error::file("remove", &path))?;
        }
        Ok(Self(Arc::new(Folders { blobs, incoming, pinned: Mutex::default(), held: Mutex::default() })))
    }

    /// Removes every file that is not among these; returns how many.
    pub(super) fn sweep(&self, kept: &HashSet<Uuid>) -> Result<usize, Error> {
        let mut removed = 0;
        for shard in 0..=u8::MAX {
            let folder = self.0.blobs.join(hex::encode([shard]));
            for name in names(&folder)? {
                if !Uuid::parse_str(&name).is_ok_and(|id| kept.contains(&id)) {
                    let path = folder.join(name);
                    std::fs::remove_file(&path).map_err(Error::file("remove", &path))?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    pub(super) fn path(&self, blob: &str) -> PathBuf {
        self.0.blobs.join(shard(blob)).join(blob)
    }

    pub(super) fn open_file(&self, blob: &str) -> Result<File, Error> {
        let path = self.path(blob);
        File::open(&path).map_err(Error::file("open", &path))
    }

    /// Begins a new file.
    pub(super) fn create(&self, data_key: Option<DataKey>) -> Result<BlobWriter, Error> {
        let name = Uuid::now_v7().simple().to_string();
        let path = self.0.incoming.join(&name);
        let file = private_file().create_new(true).open(&path).map_err(Error::file("create", &path))?;
        let blob = NewBlob { blobs: self.clone(), name, path, kept: false };
        Ok(BlobWriter { blob, file, size: 0, sealing: data_key.map(Sealing::new) })
    }

    /// Removes files that no row names any more, as soon as nobody reads them by name.
    pub(super) async fn discard(&self, blobs: Vec<String>) {
        if blobs.is_empty() {
            return;
        }
        let this = self.clone();
        let discard = move || {
            let unread: Vec<String> = {
                let mut pinned = this.pinned();
                let is_unread = |blob: &String| {
                    let Some(pin) = pinned.get_mut(blob) else { return true };
                    pin.discarded = true;
                    false
                };
                blobs.into_iter().filter(is_unread).collect()
            };
            for blob in unread {
                this.remove(this.path(&blob));
            }
        };
        // What is not removed now is removed at the next start.
        let _ = tokio::task::spawn_blocking(discard).await;
    }

    /// Keeps files from being removed while the value lives.
    pub(super) fn pin(&self, blobs: Vec<String>) -> PinnedBlobs {
        {
            let mut pinned = self.pinned();
            for blob in &blobs {
                pinned.entry(blob.clone()).or_default().readers += 1;
            }
        }
        PinnedBlobs { blobs: self.clone(), names: blobs }
    }

    /// Keeps all files from being removed while the value lives.
    pub(super) fn hold(&self) -> HeldBlobs {
        self.held().holders += 1;
        HeldBlobs(self.clone())
    }

    /// Removes a file that no row names any more, or has it removed when nobody holds it.
    fn remove(&self, path: PathBuf) {
        {
            let mut held = self.held();
            if held.holders > 0 {
                held.discarded.push(path);
                return;
            }
        }
        remove(&path);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pinned(&self) -> MutexGuard<'_, HashMap<String, Pin>> {
        self.0.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The folder that a file is in.
pub(crate) fn shard(blob: &str) -> &str {
    // The last digits of an id are random, the first are the time.
    blob.get(blob.len().saturating_sub(2)..).unwrap_or_default()
}

fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let read = || {
        std::fs::read_dir(folder)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<Result<_, std::io::Error>>()
    };
    read().map_err(Error::file("list", folder))
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "a file that is no longer needed could not be removed");
    }
}

/// Files that are not removed while this lives.
pub(super) struct PinnedBlobs {
    blobs: Blobs,
    names: Vec<String>,
}

impl Drop for PinnedBlobs {
    fn drop(&mut self) {
        let mut discarded = Vec::new();
        let mut pinned = self.blobs.pinned();
        for name in self.names.drain(..) {
            let Some(pin) = pinned.get_mut(&name) else { continue };
            pin.readers -= 1;
            if pin.readers == 0 {
                if pin.discarded {
                    discarded.push(self.blobs.path(&name));
                }
                pinned.remove(&name);
            }
        }
        drop(pinned);
        for path in discarded {
            self.blobs.remove(path);
        }
    }
}

/// All files are kept while this lives.
pub(crate) struct HeldBlobs(Blobs);

impl Drop for HeldBlobs {
    fn drop(&mut self) {
        let discarded = {
            let mut held = self.0.held();
            held.holders -= 1;
            if held.holders > 0 { Vec::new() } else { std::mem::take(&mut held.discarded) }
        };
        for path in discarded {
            remove(&path);
        }
    }
}

/// A file that no row names yet. It is removed with the value unless it is kept.
pub(super) struct NewBlob {
    blobs: Blobs,
    name: String,
    path: PathBuf,
    kept: bool,
}

impl NewBlob {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// There is a row now, or it cannot be told whether there is.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for NewBlob {
    fn drop(&mut self) {
        if !self.kept {
            remove(&self.path);
        }
    }
}

/// A file that is being written; its calls block.
pub(super) struct BlobWriter {
    blob: NewBlob,
    file: File,
    size: u64,
    sealing: Option<Sealing>,
}

/// The segment that is being filled.
struct Sealing {
    data_key: DataKey,
    number: u64,
    segment: Vec<u8>,
}

impl Sealing {
    fn new(data_key: DataKey) -> Self {
        Self { data_key, number: 0, segment: Vec::with_capacity(SEGMENT_BYTES + TAG_BYTES) }
    }

    fn write(&mut self, mut bytes: &[u8], file: &mut File) -> std::io::Result<()> {
        while !bytes.is_empty() {
            let taken = bytes.len().min(SEGMENT_BYTES - self.segment.len());
            let (now, later) = bytes.split_at(taken);
            self.segment.extend_from_slice(now);
            bytes = later;
            if self.segment.len() == SEGMENT_BYTES {
                self.flush(file)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self, file: &mut File) -> std::io::Result<()> {
        if self.segment.is_empty() {
            return Ok(());
        }
        self.data_key.seal(self.number, &mut self.segment);
        file.write_all(&self.segment)?;
        self.segment.clear();
        self.number += 1;
        Ok(())
    }
}

/// A file that is complete and durable.
pub(super) struct WrittenBlob {
    pub(super) blob: NewBlob,
    pub(super) size: u64,
}

impl BlobWriter {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.size += bytes.len() as u64;
        let written = match &mut self.sealing {
            Some(sealing) => sealing.write(bytes, &mut self.file),
            None => write_in_pieces(&mut self.file, bytes),
        };
        written.map_err(Error::file("write", &self.blob.path))
    }

    /// Appends a file as it is, and shares its blocks where the file system can do so.
    pub(super) fn append_file(&mut self, mut file: File) -> Result<(), Error> {
        self.size += std::io::copy(&mut file, &mut self.file).map_err(Error::file("write", &self.blob.path))?;
        Ok(())
    }

    /// What makes durable what has been written so far, while more is.
    pub(super) fn syncing(&self) -> Result<impl FnOnce() -> Result<(), Error> + Send + 'static, Error> {
        let path = self.blob.path.clone();
        let file = self.file.try_clone().map_err(Error::file("open", &path))?;
        Ok(move || file.sync_data().map_err(Error::file("sync", &path)))
    }

    /// Makes the file durable and gives it its name.
    pub(super) fn finish(mut self) -> Result<WrittenBlob, Error> {
        let path = &self.blob.path;
        if let Some(sealing) = &mut self.sealing {
            sealing.flush(&mut self.file).map_err(Error::file("write", path))?;
        }
        self.file.sync_all().map_err(Error::file("sync", path))?;
        let named = self.blob.blobs.path(&self.blob.name);
        std::fs::rename(path, &named).map_err(Error::file("rename", path))?;
        let shard = named.parent().expect("a blob is in a folder").to_owned();
        self.blob.path = named;
        sync_folder(&shard)?;
        Ok(WrittenBlob { blob: self.blob, size: self.size })
    }
}
