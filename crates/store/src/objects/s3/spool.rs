//! Bodies on their way to the outside: in memory while they are small, in a file of the data directory when they are not.
//!
//! An S3 wants to know how long a body is, and what its hash is, before its first byte; and it may want it again. So a body is
//! read to its end first, which also shows whether it is what its sender said, and whether he goes away.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use uuid::Uuid;
use watchkeeper_aws::client::{OutgoingBody, in_memory};
use watchkeeper_aws::signing::BodyHash;

use super::sealed::Sealer;
use crate::Error;
use crate::data_directory::{create_folder, private_file};
use crate::disk::Disk;
use crate::objects::Body;

/// The most bytes that stay in memory, and that are written or read at once.
const BATCH: usize = 512 << 10;

/// The folder of bodies on their way. Clones share it.
#[derive(Clone)]
pub(super) struct Spool {
    folder: Arc<Path>,
    disk: Arc<Disk>,
}

/// A body that has come in whole.
pub(super) struct Spooled {
    /// What is sent.
    pub(super) content: Content,
    /// Bytes of the body before it was sealed.
    pub(super) size: u64,
}

/// What is sent with a request, as often as it has to be.
#[derive(Clone)]
pub(super) struct Content {
    place: Place,
    size: u64,
    hash: Arc<str>,
}

#[derive(Clone)]
enum Place {
    Memory(Bytes),
    Spooled(Arc<SpoolFile>),
}

/// A file that goes with the value.
struct SpoolFile {
    file: File,
    path: PathBuf,
}

impl Drop for SpoolFile {
    fn drop(&mut self) {
        // What cannot be removed now is removed at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::of(Bytes::new())
    }
}

impl Content {
    pub(super) fn of(bytes: Bytes) -> Self {
        let mut hash = BodyHash::default();
        hash.update(&bytes);
        Self { size: bytes.len() as u64, hash: hash.end().into(), place: Place::Memory(bytes) }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The SHA-256 in hexadecimal.
    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    /// It once more.
    pub(super) fn body(&self) -> OutgoingBody {
        match &self.place {
            Place::Memory(bytes) => in_memory(Full::new(bytes.clone())),
            Place::Spooled(file) => {
                let state = (Arc::clone(file), 0, self.size);
                let pieces = futures::stream::try_unfold(state, |(file, position, size)| async move {
                    let length = (size - position).min(BATCH as u64);
                    if length == 0 {
                        return Ok(None);
                    }
                    let reading = Arc::clone(&file);
                    let read = move || {
                        let mut bytes = vec![0; length as usize];
                        reading.file.read_exact_at(&mut bytes, position).map(|()| bytes)
                    };
                    let bytes = tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other)??;
                    Ok(Some((Frame::data(bytes.into()), (file, position + length, size))))
                });
                StreamBody::new(pieces).boxed_unsync()
            }
        }
    }
}

impl Spool {
    /// Makes the folder where it is missing, and empties it.
    pub(super) fn open(folder: &Path, disk: Arc<Disk>) -> Result<Self, Error> {
        create_folder(folder)?;
        for entry in std::fs::read_dir(folder).map_err(Error::file("list", folder))? {
            let path = entry.map_err(Error::file("list", folder))?.path();
            std::fs::remove_file(&path).map_err(Error::file("remove", &path))?;
        }
        Ok(Self { folder: folder.into(), disk })
    }

    /// Reads a body of at most so many bytes to its end, and seals it.
    pub(super) async fn take(&self, mut body: Body, limit: u64, sealer: Option<Sealer>) -> Result<Spooled, Error> {
        let mut size = 0;
        let (mut pieces, mut gathered): (Vec<Bytes>, usize) = (Vec::new(), 0);
        let mut writer = Writer { sealer, hash: BodyHash::default(), size: 0, ready: Vec::new(), file: None };
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(Error::Body)?;
            size += piece.len() as u64;
            if size > limit {
                return Err(Error::EntityTooLarge { limit });
            }
            gathered += piece.len();
            pieces.push(piece);
            if gathered >= BATCH {
                let batch = std::mem::take(&mut pieces);
                gathered = 0;
                writer = self.on_a_thread(move |spool| writer.write(&batch, Some(&spool))).await?;
            }
        }
        let content = self.on_a_thread(move |spool| writer.write(&pieces, None)?.finish(&spool)).await?;
        Ok(Spooled { content, size })
    }

    async fn on_a_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || work(this)).await?
    }

    fn create(&self) -> Result<SpoolFile, Error> {
        let path = self.folder.join(Uuid::now_v7().simple().to_string());
        let file = private_file().create_new(true).read(true).open(&path).map_err(Error::file("create", &path))?;
        Ok(SpoolFile { file, path })
    }
}

/// What has come in of a body; its calls block.
struct Writer {
    sealer: Option<Sealer>,
    hash: BodyHash,
    size: u64,
    /// What is to be sent and not in the file yet.
    ready: Vec<u8>,
    file: Option<SpoolFile>,
}

impl Writer {
    /// Adds pieces, and writes them to the file where there is to be one.
    fn write(mut self, pieces: &[Bytes], spool: Option<&Spool>) -> Result<Self, Error> {
        let start = self.ready.len();
        for piece in pieces {
            match &mut self.sealer {
                Some(sealer) => sealer.push(piece, &mut self.ready),
                None => self.ready.extend_from_slice(piece),
            }
        }
        self.hash.update(&self.ready[start..]);
        if let Some(spool) = spool {
            self.flush(spool)?;
        }
        Ok(self)
    }

    fn flush(&mut self, spool: &Spool) -> Result<(), Error> {
        spool.disk.check(self.ready.len() as u64)?;
        let file = match self.file.take() {
            Some(file) => file,
            None => spool.create()?,
        };
        (&file.file).write_all(&self.ready).map_err(Error::file("write", &file.path))?;
        self.size += self.ready.len() as u64;
        self.ready.clear();
        self.file = Some(file);
        Ok(())
    }

    fn finish(mut self, spool: &Spool) -> Result<Content, Error> {
        let start = self.ready.len();
        if let Some(sealer) = self.sealer.take() {
            sealer.end(&mut self.ready);
        }
        self.hash.update(&self.ready[start..]);
        if self.file.is_some() {
            self.flush(spool)?;
        }
        let hash = self.hash.end().into();
        Ok(match self.file {
            Some(file) => Content { place: Place::Spooled(Arc::new(file)), size: self.size, hash },
            None => Content { size: self.ready.len() as u64, place: Place::Memory(self.ready.into()), hash },
        })
    }
}
