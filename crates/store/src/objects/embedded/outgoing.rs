//! Bodies that are read: pieces in files, as one stream.

use std::fs::File;
use std::io::{Error as IoError, ErrorKind};
use std::os::unix::fs::FileExt as _;

use bytes::Bytes;
use futures::StreamExt as _;

use super::blobs::{Blobs, PinnedBlobs};
use crate::Error;
use crate::keys::{DataKey, KeyMaterial, SEGMENT_BYTES, TAG_BYTES, sealed_size};
use crate::objects::Body;

/// Bytes that are read at once; whole segments.
const CHUNK_BYTES: u64 = 4 * SEGMENT_BYTES as u64;

/// A file of a body.
pub(super) struct Piece {
    pub(super) blob: String,
    /// Bytes of the body that it holds.
    pub(super) size: u64,
    /// The wrapped data key, where it is encrypted.
    pub(super) data_key: Option<Vec<u8>>,
}

/// What is left to be read of a body.
pub(super) struct PieceReader {
    blobs: Blobs,
    pieces: std::vec::IntoIter<Piece>,
    current: Option<OpenPiece>,
    material: Option<KeyMaterial>,
    remaining: u64,
    /// Of a body in several files, which are opened one after the other.
    _pinned: Option<PinnedBlobs>,
}

struct OpenPiece {
    file: File,
    size: u64,
    position: u64,
    data_key: Option<DataKey>,
}

impl PieceReader {
    /// A reader of `length` bytes from `first` on. The first file is opened at once: this blocks.
    pub(super) fn open(
        blobs: Blobs,
        pieces: Vec<Piece>,
        material: Option<KeyMaterial>,
        pinned: Option<PinnedBlobs>,
        (mut first, length): (u64, u64),
    ) -> Result<Self, Error> {
        let mut pieces = pieces.into_iter();
        while let Some(piece) = pieces.as_slice().first()
            && piece.size <= first
            && length > 0
        {
            first -= piece.size;
            pieces.next();
        }
        let mut reader = Self { blobs, pieces, current: None, material, remaining: length, _pinned: pinned };
        if length > 0 {
            reader.open_next(first)?;
        }
        Ok(reader)
    }

    fn open_next(&mut self, position: u64) -> Result<(), Error> {
        let piece = self.pieces.next().ok_or_else(|| Error::Damaged("an object's list of files".into()))?;
        let data_key = match (&piece.data_key, &self.material) {
            (None, _) => None,
            (Some(wrapped), Some(material)) => Some(material.data_key(wrapped)?),
            (Some(_), None) => return Err(Error::Damaged("an object's encryption".into())),
        };
        let file = self.blobs.open_file(&piece.blob)?;
        self.current = Some(OpenPiece { file, size: piece.size, position, data_key });
        Ok(())
    }

    /// The next bytes; none at the end. Blocks.
    pub(super) fn read(&mut self) -> Result<Option<Bytes>, Error> {
        if self.remaining == 0 {
            return Ok(None);
        }
        while self.current.as_ref().is_none_or(|piece| piece.position >= piece.size) {
            self.open_next(0)?;
        }
        let piece = self.current.as_mut().expect("a file was opened");
        let bytes = piece.read(self.remaining)?;
        piece.position += bytes.len() as u64;
        self.remaining -= bytes.len() as u64;
        Ok(Some(bytes))
    }

    /// All that is left, as a stream that reads on other threads.
    pub(super) fn into_body(self) -> Body {
        futures::stream::try_unfold(self, |mut reader| async move {
            if reader.remaining == 0 {
                return Ok(None);
            }
            let read = move || Ok(reader.read().map_err(into_io)?.map(|bytes| (bytes, reader)));
            tokio::task::spawn_blocking(read).await.map_err(IoError::other)?
        })
        .boxed()
    }
}

impl OpenPiece {
    fn read(&self, most: u64) -> Result<Bytes, Error> {
        let Some(data_key) = &self.data_key else {
            let length = CHUNK_BYTES.min(most).min(self.size - self.position);
            return Ok(self.read_exact(self.position, length)?.into());
        };
        let segment_bytes = SEGMENT_BYTES as u64;
        let number = self.position / segment_bytes;
        let start = number * segment_bytes;
        let length = segment_bytes.min(self.size - start);
        let mut segment = self.read_exact(sealed_size(start), length + TAG_BYTES as u64)?;
        data_key.open(number, &mut segment)?;
        let offset = self.position - start;
        let length = (length - offset).min(most);
        Ok(Bytes::from(segment).slice(offset as usize..(offset + length) as usize))
    }

    fn read_exact(&self, position: u64, length: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; length as usize];
        self.file.read_exact_at(&mut bytes, position).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => Error::Damaged("the file of an object".into()),
            _ => Error::Body(error),
        })?;
        Ok(bytes)
    }
}

fn into_io(error: Error) -> IoError {
    match error {
        Error::Body(error) => error,
        error => IoError::new(ErrorKind::InvalidData, error),
    }
}
