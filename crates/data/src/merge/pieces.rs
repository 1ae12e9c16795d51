//! Files as pieces of whole lines, for threads to work on.
//!
//! Where a file may be one JSON text over many lines, and its first line is no value of its own, the whole file is one piece,
//! if it is not too long for that.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use memchr::{memchr, memrchr};

use super::hours::HourFile;
use super::scan::{PADDING, is_value};
use crate::Error;
use crate::files::OpenFile;
use crate::text::MAX_RECORD_BYTES;

/// Bytes read at a time: what is read, found and written stays in the second-level cache.
const PIECE_BYTES: usize = 512 * 1024;

/// The longest JSON text over many lines.
const MAX_DOCUMENT_BYTES: usize = 128 * 1024 * 1024;

/// What a piece holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whole lines.
    #[default]
    Lines,
    /// A whole file, which may be one JSON text.
    Document,
    /// The beginning of a line that is too long.
    Overlong,
}

/// A piece of a file.
#[derive(Default)]
pub(super) struct Piece {
    /// The text and [`PADDING`] zeros behind it; more than that may be allocated.
    bytes: Vec<u8>,
    filled: usize,
    pub(super) kind: Kind,
    /// Which of the files.
    pub(super) file: usize,
    /// Whether it is the file's first.
    pub(super) begins_file: bool,
}

impl Piece {
    /// The text.
    pub(super) fn text(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// The text and [`PADDING`] zeros.
    pub(super) fn padded(&self) -> &[u8] {
        &self.bytes[..self.filled + PADDING]
    }

    fn resize(&mut self, size: usize) {
        if self.bytes.len() < size + PADDING {
            self.bytes.reserve_exact(size + PADDING - self.bytes.len());
            self.bytes.resize(size + PADDING, 0);
        }
    }

    fn fill(&mut self, filled: usize, kind: Kind) {
        self.filled = filled;
        self.kind = kind;
        self.bytes[filled..filled + PADDING].fill(0);
    }
}

/// Reads files piece by piece.
pub(super) struct Pieces<'a> {
    files: &'a [HourFile],
    next: usize,
    current: Option<Current>,
    /// Whether a file may be one JSON text.
    documents: bool,
    count: Arc<AtomicU64>,
}

struct Current {
    open: OpenFile,
    /// What was read beyond the last whole line.
    carry: Vec<u8>,
    begins: bool,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(files: &'a [HourFile], documents: bool, count: &Arc<AtomicU64>) -> Self {
        Self { files, next: 0, current: None, documents, count: Arc::clone(count) }
    }

    /// Reads the next piece; false after the last.
    pub(super) fn next(&mut self, piece: &mut Piece) -> Result<bool, Error> {
        loop {
            if self.current.is_none() {
                let Some(file) = self.files.get(self.next) else { return Ok(false) };
                let open = OpenFile::open(&file.file, &self.count)?;
                self.current = Some(Current { open, carry: Vec::new(), begins: true });
                self.next += 1;
            }
            let Some(current) = &mut self.current else { continue };
            piece.file = self.next - 1;
            piece.begins_file = current.begins;
            current.read(piece, self.documents)?;
            if current.open.has_ended() && current.carry.is_empty() {
                self.current = None;
            }
            if !piece.text().is_empty() {
                return Ok(true);
            }
        }
    }
}

impl Current {
    fn read(&mut self, piece: &mut Piece, documents: bool) -> Result<(), Error> {
        let mut size = PIECE_BYTES.max(self.carry.len());
        let mut filled = self.carry.len();
        piece.resize(size);
        piece.bytes[..filled].copy_from_slice(&self.carry);
        self.carry.clear();
        filled += self.open.fill(&mut piece.bytes[filled..size])?;
        let begins = std::mem::replace(&mut self.begins, false);
        if begins && piece.bytes[..filled].starts_with(b"\xEF\xBB\xBF") {
            piece.bytes.copy_within(3..filled, 0);
            filled -= 3;
        }
        piece.fill(filled, Kind::Lines);
        if begins && documents && begins_document(piece) {
            while !self.open.has_ended() && size < MAX_DOCUMENT_BYTES {
                size *= 2;
                piece.resize(size);
                filled += self.open.fill(&mut piece.bytes[filled..size])?;
            }
            if self.open.has_ended() {
                piece.fill(filled, Kind::Document);
                return Ok(());
            }
        }
        loop {
            if self.open.has_ended() {
                piece.fill(filled, Kind::Lines);
                return Ok(());
            }
            if let Some(end) = memrchr(b'\n', &piece.bytes[..filled]) {
                self.carry.extend_from_slice(&piece.bytes[end + 1..filled]);
                piece.fill(end + 1, Kind::Lines);
                return Ok(());
            }
            if filled >= MAX_RECORD_BYTES {
                return self.skip_line(piece);
            }
            size = (size * 2).min(MAX_RECORD_BYTES);
            piece.resize(size);
            filled += self.open.fill(&mut piece.bytes[filled..size])?;
        }
    }

    /// Reads to the end of a line that is too long; the piece keeps its beginning.
    fn skip_line(&mut self, piece: &mut Piece) -> Result<(), Error> {
        piece.fill(PIECE_BYTES, Kind::Overlong);
        let mut buffer = vec![0; PIECE_BYTES];
        while !self.open.has_ended() {
            let read = self.open.fill(&mut buffer)?;
            if let Some(end) = memchr(b'\n', &buffer[..read]) {
                self.carry.extend_from_slice(&buffer[end + 1..read]);
                break;
            }
        }
        Ok(())
    }
}

/// Whether a file's first piece looks like a JSON text over many lines.
fn begins_document(piece: &Piece) -> bool {
    let text = piece.text();
    let start = text.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(text.len());
    matches!(text.get(start), Some(b'{' | b'['))
        && memchr(b'\n', &text[start..]).is_some()
        && !is_value(piece.padded(), start)
}
