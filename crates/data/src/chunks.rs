//! Files as chunks of whole records.
//!
//! A chunk is read straight into a batch's buffer. The piece of a record that a read cuts off, and rows that did not
//! fit into the batch, are carried to the head of the next chunk. A record that is longer than the buffer makes it
//! grow, up to [`MAX_RECORD_BYTES`].

use std::path::{Path, PathBuf};

use watchkeeper_engine::column::BATCH_BYTES;

use crate::Error;
use crate::files::{DatasetFile, Files, OpenFile, SPLIT_BYTES};
use crate::members::BadRecord;
use crate::text::{MAX_RECORD_BYTES, check_text};

/// Where a chunk stands in its buffer and in its file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk {
    /// Where its records begin: behind a byte order mark.
    pub(crate) start: usize,
    /// How much of the buffer is filled.
    pub(crate) filled: usize,
    /// The file ends with it.
    pub(crate) whole: bool,
    /// Records that begin here or later belong to the next split.
    pub(crate) stop: usize,
    /// It is the first of its file.
    pub(crate) is_first: bool,
}

struct Current {
    open: OpenFile,
    /// Place in the file of the first byte carried.
    offset: u64,
    /// Records taken, a header counted.
    rows: u64,
    next_cut: u64,
}

/// Reads the files of a dataset chunk by chunk.
pub(crate) struct Chunks {
    files: Files,
    current: Option<Current>,
    /// Whether records may be put into splits within a file.
    can_cut: bool,
    carry: Vec<u8>,
    size: usize,
    cut: bool,
    path: PathBuf,
}

impl Chunks {
    pub(crate) fn new(files: Vec<DatasetFile>, can_cut: bool) -> Self {
        Self {
            files: Files::new(files),
            current: None,
            can_cut,
            carry: Vec::new(),
            size: BATCH_BYTES,
            cut: false,
            path: PathBuf::new(),
        }
    }

    /// Reads the next chunk into `text`, `None` after the last.
    pub(crate) fn next(&mut self, text: &mut Vec<u8>) -> Result<Option<Chunk>, Error> {
        if self.current.is_none() {
            let Some(open) = self.files.next()? else { return Ok(None) };
            let next_cut = if self.can_cut && open.can_be_cut() { SPLIT_BYTES } else { u64::MAX };
            self.path.clone_from(&open.path);
            self.current = Some(Current { open, offset: 0, rows: 0, next_cut });
        }
        if std::mem::take(&mut self.cut) {
            self.files.cut();
        }
        let current = self.current.as_mut().expect("opened above");
        let size = self.size.max(self.carry.len());
        if text.len() < size {
            // Not more than that: the longest record must not take twice its length.
            text.reserve_exact(size - text.len());
            text.resize(size, 0);
        }
        text[..self.carry.len()].copy_from_slice(&self.carry);
        let carried = self.carry.len();
        let filled = carried + current.open.fill(&mut text[carried..size])?;
        let has_mark = current.offset == 0 && text[..filled].starts_with(b"\xEF\xBB\xBF");
        Ok(Some(Chunk {
            start: if has_mark { 3 } else { 0 },
            filled,
            whole: current.open.has_ended(),
            stop: usize::try_from(current.next_cut - current.offset).unwrap_or(usize::MAX),
            is_first: current.offset == 0 && current.rows == 0,
        }))
    }

    /// Says how far the chunk was used: up to `consumed`, which were `rows` records. The rest comes again.
    pub(crate) fn used(&mut self, text: &[u8], chunk: Chunk, consumed: usize, rows: u64) -> Result<(), Error> {
        let Some(current) = &mut self.current else { return Ok(()) };
        let rest = &text[consumed..chunk.filled];
        let stuck = rows == 0 && consumed <= chunk.start;
        if stuck && !chunk.whole {
            if rest.len() >= MAX_RECORD_BYTES {
                return Err(self.error(too_long(rest)));
            }
            self.size = (chunk.filled * 2).clamp(BATCH_BYTES, chunk.start + MAX_RECORD_BYTES);
        } else {
            self.size = BATCH_BYTES;
        }
        self.carry.clear();
        self.carry.extend_from_slice(rest);
        // A byte order mark stays with the first record.
        current.offset += if stuck { 0 } else { consumed as u64 };
        if stuck && consumed > 0 {
            self.carry.splice(..0, text[..consumed].iter().copied());
        }
        current.rows += rows;
        if current.offset >= current.next_cut {
            current.next_cut += SPLIT_BYTES;
            self.cut = true;
        }
        // What is left of a file that has ended is another record, or nothing at all.
        if chunk.whole && (rest.is_empty() || stuck) {
            self.current = None;
            self.carry.clear();
            self.cut = false;
        }
        Ok(())
    }

    /// Checks that a part of the current chunk is text; `rows_before` gives the records that end before a byte of it.
    pub(crate) fn check(
        &self,
        text: &[u8],
        from: usize,
        to: usize,
        rows_before: impl FnOnce(usize) -> u64,
    ) -> Result<(), Error> {
        let (offset, rows) = self.current.as_ref().map_or((0, 0), |current| (current.offset, current.rows));
        check_text(&self.path, &text[from..to], offset + from as u64, |at| rows + 1 + rows_before(from + at))
    }

    /// The current file, or the last one.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Records taken from the current file.
    pub(crate) fn rows(&self) -> u64 {
        self.current.as_ref().map_or(0, |current| current.rows)
    }

    /// An error in the next record of the current file.
    pub(crate) fn error(&self, problem: String) -> Error {
        Error::Row { path: self.path.clone(), row: self.rows() + 1, problem }
    }

    /// The error of a record of the current file, by its row.
    pub(crate) fn record_error(&self, row: u64, problem: BadRecord) -> Error {
        let path = self.path.clone();
        match problem {
            BadRecord::Malformed(problem) => Error::Row { path, row, problem },
            BadRecord::Nested(column) => Error::NestedJson { path, row, column },
            BadRecord::Encoding(word) => Error::UnsupportedEncoding(word),
            BadRecord::EncodingMismatch { input, output } => Error::EncodingMismatch { input, output },
        }
    }

    pub(crate) fn split(&self) -> u32 {
        self.files.split()
    }

    pub(crate) fn progress(&self) -> (u64, Option<u64>) {
        self.files.progress()
    }
}

fn too_long(text: &[u8]) -> String {
    let start = String::from_utf8_lossy(&text[..text.len().min(40)]).into_owned();
    let limit = MAX_RECORD_BYTES / (1024 * 1024);
    format!(
        "the record is longer than {limit} MiB, the longest there may be; it begins {start:?} (is a quote never closed, \
         or a line end missing?)"
    )
}
