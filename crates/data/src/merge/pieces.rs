//! Files as pieces of whole lines, for threads to work on.
//!
//! The first piece of a file is read as its turn comes, and so are all of a stream. Of the rest of a plain file a thread is only told
//! which bytes are next, and reads the lines that begin there while others read theirs.
//!
//! Where a file may be one JSON text over many lines, and its first line is no value of its own, the whole file is one piece,
//! if it is not too long for that.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::{memchr, memrchr};

use super::hours::HourFile;
use super::scan::{PADDING, is_value};
use crate::Error;
use crate::files::{DatasetFile, OpenFile};
use crate::text::MAX_RECORD_BYTES;

/// Bytes read at a time: what is read, found and written stays in the second-level cache.
const PIECE_BYTES: usize = 128 * 1024;

/// What is read at a time to find the end of a piece's last line.
const TAIL_BYTES: usize = 2 * 1024;

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
}

/// A piece of a file.
#[derive(Default)]
pub(super) struct Piece {
    /// The text and [`PADDING`] zeros behind it; more than that may be allocated.
    bytes: Vec<u8>,
    /// Where the text begins.
    start: usize,
    filled: usize,
    /// What is still to be read.
    claim: Option<Claim>,
    pub(super) kind: Kind,
    /// Whether a line follows that is too long to be read.
    pub(super) is_before_overlong: bool,
    /// Which of the files.
    pub(super) file: usize,
    /// Whether it is the file's first.
    pub(super) begins_file: bool,
}

impl Piece {
    /// The text.
    pub(super) fn text(&self) -> &[u8] {
        &self.bytes[self.start..self.filled]
    }

    /// The text and [`PADDING`] zeros.
    pub(super) fn padded(&self) -> &[u8] {
        &self.bytes[self.start..self.filled + PADDING]
    }

    fn resize(&mut self, size: usize) {
        if self.bytes.len() < size + PADDING {
            self.bytes.reserve_exact(size + PADDING - self.bytes.len());
            self.bytes.resize(size + PADDING, 0);
        }
    }

    fn fill(&mut self, start: usize, filled: usize, kind: Kind) {
        self.start = start;
        self.filled = filled;
        self.kind = kind;
        self.bytes[filled..filled + PADDING].fill(0);
    }

    /// Reads what is still to be read.
    pub(super) fn load(&mut self) -> Result<(), Error> {
        let Some(Claim { file, start, end }) = self.claim.take() else { return Ok(()) };
        // With the byte before, as it says whether a line begins at the first.
        let before = start - 1;
        let length = (end - before) as usize;
        self.resize(length + TAIL_BYTES);
        file.count.fetch_add(end - start, Ordering::Relaxed);
        let mut filled = file.fill(&mut self.bytes[..length], before)?;
        let Some(first) = memchr(b'\n', &self.bytes[..filled.min(length - 1)]) else {
            self.fill(0, 0, Kind::Lines);
            return Ok(());
        };
        let first = first + 1;
        while self.bytes[filled - 1] != b'\n' {
            let last = memrchr(b'\n', &self.bytes[..filled]).map_or(first, |end| end + 1);
            if filled - last >= MAX_RECORD_BYTES {
                self.is_before_overlong = true;
                filled = last;
                break;
            }
            // As much again as there is of a long line.
            let size = (filled + TAIL_BYTES.max(filled - last)).min(last + MAX_RECORD_BYTES);
            self.resize(size);
            let read = file.fill(&mut self.bytes[filled..size], before + filled as u64)?;
            if read == 0 {
                break;
            }
            filled += memchr(b'\n', &self.bytes[filled..filled + read]).map_or(read, |end| end + 1);
        }
        self.fill(first, filled, Kind::Lines);
        Ok(())
    }
}

/// The lines of a file that begin in a range of it, not its first.
struct Claim {
    file: Arc<PlainFile>,
    start: u64,
    end: u64,
}

/// A file that can be read from anywhere.
struct PlainFile {
    path: PathBuf,
    file: File,
    size: u64,
    count: Arc<AtomicU64>,
}

impl PlainFile {
    /// Reads until the buffer is full or the file ends; returns how many bytes.
    fn fill(&self, buffer: &mut [u8], at: u64) -> Result<usize, Error> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], at + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io(&self.path, error)),
            }
        }
        Ok(filled)
    }
}

/// An open file.
enum Open {
    Stream(OpenFile),
    Plain { file: Arc<PlainFile>, at: u64, has_ended: bool },
}

impl Open {
    fn new(file: &DatasetFile, count: &Arc<AtomicU64>) -> Result<Self, Error> {
        if file.size.is_none() || file.is_compressed() {
            return Ok(Self::Stream(OpenFile::open(file, count)?));
        }
        let path = file.path.clone();
        let file = File::open(&path).map_err(|error| Error::io(&path, error))?;
        let size = file.metadata().map_err(|error| Error::io(&path, error))?.len();
        let file = PlainFile { path, file, size, count: Arc::clone(count) };
        Ok(Self::Plain { file: Arc::new(file), at: 0, has_ended: false })
    }

    /// As [`OpenFile::fill`].
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        match self {
            Self::Stream(open) => open.fill(buffer),
            Self::Plain { file, at, has_ended } => {
                let filled = file.fill(buffer, *at)?;
                *at += filled as u64;
                *has_ended = filled < buffer.len();
                file.count.fetch_add(filled as u64, Ordering::Relaxed);
                Ok(filled)
            }
        }
    }

    /// As [`OpenFile::has_ended`].
    fn has_ended(&self) -> bool {
        match self {
            Self::Stream(open) => open.has_ended(),
            Self::Plain { has_ended, .. } => *has_ended,
        }
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
    open: Open,
    /// What was read beyond the last whole line.
    carry: Vec<u8>,
    begins: bool,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(files: &'a [HourFile], documents: bool, count: &Arc<AtomicU64>) -> Self {
        Self { files, next: 0, current: None, documents, count: Arc::clone(count) }
    }

    /// Begins the next piece, which is to be loaded; false after the last.
    pub(super) fn next(&mut self, piece: &mut Piece) -> Result<bool, Error> {
        loop {
            if self.current.is_none() {
                let Some(file) = self.files.get(self.next) else { return Ok(false) };
                let open = Open::new(&file.file, &self.count)?;
                self.current = Some(Current { open, carry: Vec::new(), begins: true });
                self.next += 1;
            }
            let Some(current) = &mut self.current else { continue };
            piece.file = self.next - 1;
            piece.begins_file = current.begins;
            piece.is_before_overlong = false;
            if let Some(claim) = current.claim() {
                piece.claim = Some(claim);
                return Ok(true);
            }
            if current.open.has_ended() && current.carry.is_empty() {
                self.current = None;
                continue;
            }
            current.read(piece, self.documents)?;
            if !piece.text().is_empty() || piece.is_before_overlong {
                return Ok(true);
            }
        }
    }
}

impl Current {
    /// The next bytes behind the first piece of a plain file.
    fn claim(&mut self) -> Option<Claim> {
        let Open::Plain { file, at, has_ended } = &mut self.open else { return None };
        if self.begins || *has_ended {
            return None;
        }
        let start = *at - self.carry.len() as u64;
        if start >= file.size {
            // Unless it has grown since.
            *has_ended = *at == file.size;
            return None;
        }
        // They are read again.
        file.count.fetch_sub(self.carry.len() as u64, Ordering::Relaxed);
        self.carry.clear();
        let end = file.size.min(start + PIECE_BYTES as u64);
        *at = end;
        Some(Claim { file: Arc::clone(file), start, end })
    }

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
        piece.fill(0, filled, Kind::Lines);
        if begins && documents && begins_document(piece) {
            while !self.open.has_ended() && size < MAX_DOCUMENT_BYTES {
                size *= 2;
                piece.resize(size);
                filled += self.open.fill(&mut piece.bytes[filled..size])?;
            }
            if self.open.has_ended() {
                piece.fill(0, filled, Kind::Document);
                return Ok(());
            }
        }
        loop {
            if self.open.has_ended() {
                piece.fill(0, filled, Kind::Lines);
                return Ok(());
            }
            if let Some(end) = memrchr(b'\n', &piece.bytes[..filled]) {
                self.carry.extend_from_slice(&piece.bytes[end + 1..filled]);
                piece.fill(0, end + 1, Kind::Lines);
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

    /// Reads to the end of a line that is too long.
    fn skip_line(&mut self, piece: &mut Piece) -> Result<(), Error> {
        piece.fill(0, 0, Kind::Lines);
        piece.is_before_overlong = true;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// Lengths of lines, most of them such that lines end near the ends of what is read at a time.
    fn lengths() -> impl Strategy<Value = Vec<usize>> {
        let near = |size: usize| size - 3..size + 3;
        prop::collection::vec(
            prop_oneof![0..100_usize, near(PIECE_BYTES), near(PIECE_BYTES / 2), near(TAIL_BYTES), 0..3 * PIECE_BYTES],
            0..12,
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn pieces_are_whole_lines_and_together_the_file(lengths in lengths(), ends in any::<bool>()) {
            let lines: Vec<String> = lengths.iter().enumerate().map(|(line, &length)| "x".repeat(length) + &line.to_string()).collect();
            let text = lines.join("\n") + if ends && !lines.is_empty() { "\n" } else { "" };
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("a.jsonl"), &text).unwrap();
            let files = super::super::hours::hour_files(folder.path()).unwrap();
            let count = Arc::default();
            let mut pieces = Pieces::new(&files, false, &count);
            let (mut piece, mut together, mut begins) = (Piece::default(), Vec::new(), 0);
            while pieces.next(&mut piece).unwrap() {
                piece.load().unwrap();
                prop_assert_eq!(piece.padded(), [piece.text(), &[0; PADDING]].concat());
                prop_assert!(!piece.is_before_overlong && piece.kind == Kind::Lines);
                together.extend_from_slice(piece.text());
                prop_assert!(together.ends_with(b"\n") || together.len() == text.len());
                begins += usize::from(piece.begins_file);
            }
            prop_assert!(together == text.as_bytes());
            prop_assert_eq!(begins, usize::from(!text.is_empty()));
            prop_assert_eq!(count.load(Ordering::Relaxed), text.len() as u64);
        }
    }
}
