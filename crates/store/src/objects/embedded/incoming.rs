//! Bodies that come in: into memory while they are small, into a file when they are not.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use md5::{Digest as _, Md5};
use tokio::task::{JoinHandle, spawn_blocking};

use super::blobs::{BlobWriter, Blobs, NewBlob};
use crate::Error;
use crate::disk::Disk;
use crate::keys::{DataKey, SEGMENT_BYTES};
use crate::objects::Body;

/// The most bytes of a body that is kept in its row.
pub(super) const MAX_ROW_BYTES: usize = 64 << 10;
/// Bytes that are gathered before they are written.
const BATCH_BYTES: usize = 512 << 10;
/// Bytes after which the disk is given what is written so far: it would have nothing to do until all has come, and then all
/// at once.
const SYNCED_BYTES: u64 = 32 << 20;

/// A body that has come in, and is durable where it is in a file.
pub(super) struct StoredBody {
    pub(super) size: u64,
    pub(super) md5: [u8; 16],
    pub(super) place: Place,
    /// The wrapped data key, where the body is encrypted.
    pub(super) data_key: Option<Vec<u8>>,
}

/// Where a body is.
pub(super) enum Place {
    Row(Vec<u8>),
    File(NewBlob),
}

/// How a body is to be stored.
pub(super) struct Storing {
    pub(super) data_key: Option<(DataKey, Vec<u8>)>,
    /// The most bytes.
    pub(super) limit: u64,
    /// Whether a small body stays in memory.
    pub(super) in_row: bool,
    /// What has to have room for it.
    pub(super) disk: Arc<Disk>,
    /// Bytes of all other objects, as far as the quota is concerned.
    pub(super) others: u64,
}

/// Reads a body to its end and stores it.
pub(super) async fn store(blobs: &Blobs, mut body: Body, storing: Storing) -> Result<StoredBody, Error> {
    let mut batch = Batch::default();
    let mut size = 0;
    let mut file: Option<UnderWay> = None;
    let threshold = if storing.in_row { MAX_ROW_BYTES } else { 0 };
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(Error::Body)?;
        size += piece.len() as u64;
        if size > storing.limit {
            return Err(Error::EntityTooLarge { limit: storing.limit });
        }
        storing.disk.check_quota(storing.others + size)?;
        batch.push(piece);
        if file.is_some() && batch.bytes < BATCH_BYTES || batch.bytes <= threshold {
            continue;
        }
        file = Some(write(blobs, file, &storing, batch.take()).await?);
    }
    if file.is_none() && storing.in_row {
        storing.disk.check(size)?;
        return Ok(small(&batch.pieces, storing.data_key));
    }
    let UnderWay { writing, hashing, syncing, .. } = write(blobs, file, &storing, batch.take()).await?;
    let writer = writing.await??;
    if let Some(syncing) = syncing {
        syncing.await??;
    }
    let written = spawn_blocking(move || writer.finish());
    let md5 = hashing.await?.finalize().into();
    let written = written.await??;
    let data_key = storing.data_key.map(|(_, wrapped)| wrapped);
    Ok(StoredBody { size: written.size, md5, place: Place::File(written.blob), data_key })
}

/// A batch that is written and hashed, each on a thread: either takes about as long as the disk, which a third waits for.
struct UnderWay {
    writing: JoinHandle<Result<BlobWriter, Error>>,
    hashing: JoinHandle<Md5>,
    /// What was written up to some batch; a failure is told once, and not when the file is finished.
    syncing: Option<JoinHandle<Result<(), Error>>>,
    /// Bytes that were written since that batch.
    unsynced: u64,
}

/// Writes and hashes a batch once this is done with the one before, while the next one comes in.
async fn write(
    blobs: &Blobs,
    before: Option<UnderWay>,
    storing: &Storing,
    batch: Vec<Bytes>,
) -> Result<UnderWay, Error> {
    let bytes = batch.iter().map(|piece| piece.len() as u64).sum();
    storing.disk.check(bytes)?;
    let (mut writer, mut md5, mut syncing, mut unsynced) = (None, Md5::new(), None, 0);
    if let Some(before) = before {
        let written = before.writing.await??;
        (md5, syncing, unsynced) = (before.hashing.await?, before.syncing, before.unsynced);
        if unsynced >= SYNCED_BYTES && syncing.as_ref().is_none_or(JoinHandle::is_finished) {
            if let Some(synced) = syncing {
                synced.await??;
            }
            let sync = written.syncing()?;
            (syncing, unsynced) = (Some(spawn_blocking(sync)), 0);
        }
        writer = Some(written);
    }
    let blobs = blobs.clone();
    let data_key = storing.data_key.as_ref().map(|(data_key, _)| data_key.clone());
    let hashed = batch.clone();
    let hashing = spawn_blocking(move || {
        for piece in hashed {
            md5.update(&piece);
        }
        md5
    });
    let writing = spawn_blocking(move || {
        let mut writer = match writer {
            Some(writer) => writer,
            None => blobs.create(data_key)?,
        };
        for piece in batch {
            writer.write(&piece)?;
        }
        Ok(writer)
    });
    Ok(UnderWay { writing, hashing, syncing, unsynced: unsynced + bytes })
}

fn small(pieces: &[Bytes], data_key: Option<(DataKey, Vec<u8>)>) -> StoredBody {
    let mut bytes = pieces.concat();
    let size = bytes.len() as u64;
    let md5 = Md5::digest(&bytes).into();
    // A body in a row has one segment at most.
    const { assert!(MAX_ROW_BYTES <= SEGMENT_BYTES) };
    let data_key = data_key.map(|(data_key, wrapped)| {
        if !bytes.is_empty() {
            data_key.seal(0, &mut bytes);
        }
        wrapped
    });
    StoredBody { size, md5, place: Place::Row(bytes), data_key }
}

#[derive(Default)]
struct Batch {
    pieces: Vec<Bytes>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, piece: Bytes) {
        self.bytes += piece.len();
        self.pieces.push(piece);
    }

    fn take(&mut self) -> Vec<Bytes> {
        self.bytes = 0;
        std::mem::take(&mut self.pieces)
    }
}
