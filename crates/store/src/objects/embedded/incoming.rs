//! Bodies that come in: into memory while they are small, into a file when they are not.

use bytes::Bytes;
use futures::StreamExt as _;
use md5::{Digest as _, Md5};

use super::blobs::{BlobWriter, Blobs, NewBlob};
use crate::Error;
use crate::keys::{DataKey, SEGMENT_BYTES};
use crate::objects::Body;

/// The most bytes of a body that is kept in its row.
pub(super) const MAX_ROW_BYTES: usize = 64 << 10;
/// Bytes that are gathered before they are written.
const BATCH_BYTES: usize = 512 << 10;

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
}

/// Reads a body to its end and stores it.
pub(super) async fn store(blobs: &Blobs, mut body: Body, storing: Storing) -> Result<StoredBody, Error> {
    let mut batch = Batch::default();
    let mut size = 0;
    let mut file: Option<FileTask> = None;
    let threshold = if storing.in_row { MAX_ROW_BYTES } else { 0 };
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(Error::Body)?;
        size += piece.len() as u64;
        if size > storing.limit {
            return Err(Error::EntityTooLarge { limit: storing.limit });
        }
        batch.push(piece);
        if file.is_some() && batch.bytes < BATCH_BYTES || batch.bytes <= threshold {
            continue;
        }
        file = Some(write(blobs, file, &storing, batch.take()).await?);
    }
    if file.is_none() && storing.in_row {
        return Ok(small(&batch.pieces, storing.data_key));
    }
    let task = write(blobs, file, &storing, batch.take()).await?;
    let writer = task.await??;
    let written = tokio::task::spawn_blocking(move || writer.finish()).await??;
    let data_key = storing.data_key.map(|(_, wrapped)| wrapped);
    Ok(StoredBody { size: written.size, md5: written.md5, place: Place::File(written.blob), data_key })
}

type FileTask = tokio::task::JoinHandle<Result<BlobWriter, Error>>;

/// Writes a batch on another thread once the one before is written, while the next one comes in.
async fn write(
    blobs: &Blobs,
    before: Option<FileTask>,
    storing: &Storing,
    batch: Vec<Bytes>,
) -> Result<FileTask, Error> {
    let writer = match before {
        Some(task) => Some(task.await??),
        None => None,
    };
    let blobs = blobs.clone();
    let data_key = storing.data_key.as_ref().map(|(data_key, _)| data_key.clone());
    Ok(tokio::task::spawn_blocking(move || {
        let mut writer = match writer {
            Some(writer) => writer,
            None => blobs.create(data_key)?,
        };
        for piece in batch {
            writer.write(&piece)?;
        }
        Ok(writer)
    }))
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
