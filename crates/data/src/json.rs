//! JSON as batches: one object a line, or documents that are an object or an array of objects (section 3.4).

use watchkeeper_engine::column::Batch;

use crate::chunks::{Chunk, Chunks};
use crate::files::DatasetFile;
use crate::members::{BadRecord, Columns, members};
use crate::rows::Rows;
use crate::text::{MAX_COLUMNS, too_many_columns, valid_text};
use crate::{Error, Source};

/// A dataset of JSON files.
pub(crate) struct JsonSource<R> {
    chunks: Chunks,
    lines: bool,
    document: Document,
    records: R,
}

/// Makes rows of JSON records.
pub(crate) trait JsonRecords {
    /// Adds the rows of a record. `is_document`: it is the whole of its file.
    fn add(&mut self, record: &str, is_document: bool, rows: &mut Rows<'_>) -> Result<(), BadRecord>;

    /// Names of the columns met so far.
    fn names(&self) -> &[String];

    /// Places of the columns in dataset order.
    fn order(&self) -> Vec<usize>;

    /// True when an array may be a record, as an element of a document's array.
    fn takes_arrays(&self) -> bool;

    /// What is wrong with the records as a whole, after the last one.
    fn finish(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// Flat objects: a row each, a column for every key.
pub(crate) struct FlatRecords {
    flatten: bool,
    columns: Columns,
}

impl FlatRecords {
    pub(crate) fn new(flatten: bool) -> Self {
        Self { flatten, columns: Columns::default() }
    }
}

impl<R: JsonRecords> JsonSource<R> {
    pub(crate) fn new(files: Vec<DatasetFile>, lines: bool, records: R) -> Self {
        Self { chunks: Chunks::new(files, lines), lines, document: Document::Before, records }
    }

    /// What makes the rows.
    pub(crate) fn records(&self) -> &R {
        &self.records
    }
}

/// Where a reader stands in a document.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Document {
    /// Nothing but white space so far.
    Before,
    /// Behind the bracket that opens the array of the whole document.
    InArray,
    /// Behind an element of that array.
    BehindElement,
    /// Behind a comma of that array.
    BehindComma,
    /// At its end.
    Behind,
}

/// The next record of a chunk.
enum Next {
    /// Its bytes, and where to go on; `is_document`: it is the whole of its file.
    Record { from: usize, to: usize, next: usize, is_document: bool },
    /// White space up to here.
    Nothing(usize),
    /// It is cut off.
    CutOff,
}

impl<R: JsonRecords> JsonSource<R> {
    fn next_record(&mut self, text: &[u8], from: usize, whole: bool) -> Result<Next, String> {
        if self.lines {
            return Ok(next_line(text, from, whole));
        }
        let mut at = from;
        loop {
            at += text[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let Some(byte) = text.get(at) else { return Ok(Next::Nothing(at)) };
            let opens_record = *byte == b'{' || (*byte == b'[' && self.records.takes_arrays());
            self.document = match (self.document, byte) {
                (Document::Before, b'[') => Document::InArray,
                (Document::BehindElement, b',') => Document::BehindComma,
                (Document::InArray | Document::BehindElement, b']') => Document::Behind,
                (Document::Before | Document::InArray | Document::BehindComma, _) if opens_record => {
                    let Some(length) = object_length(&text[at..]) else {
                        if whole {
                            let record = if *byte == b'[' { "an array" } else { "an object" };
                            return Err(format!("the document ends within {record}: it is cut off"));
                        }
                        return Ok(Next::CutOff);
                    };
                    let is_alone = self.document == Document::Before;
                    self.document = if is_alone { Document::Behind } else { Document::BehindElement };
                    return Ok(Next::Record { from: at, to: at + length, next: at + length, is_document: is_alone });
                }
                (Document::Behind, _) => {
                    return Err("more follows behind the document; one object a line is the dataset format \
                                {\"json\": {\"lines\": true}}"
                        .to_owned());
                }
                _ => {
                    let found = String::from_utf8_lossy(&text[at..text.len().min(at + 20)]).into_owned();
                    return Err(format!("expected an object or an array of objects, found {found:?}"));
                }
            };
            at += 1;
        }
    }

    /// Takes the records of a chunk; returns where the first one that was not taken begins, and how many were.
    fn take(&mut self, text: &[u8], chunk: Chunk, rows: &mut Rows<'_>) -> Result<(usize, u64), Error> {
        // A record that the chunk cuts off may end in the middle of a character; it is looked at again later.
        let (valid, is_broken) = valid_text(text, chunk.whole);
        let mut consumed = chunk.start;
        let mut done = 0;
        while consumed < chunk.stop && !rows.is_full() {
            let before = self.document;
            let problem = match self.next_record(text, consumed, chunk.whole) {
                Ok(Next::Record { from, to, next, is_document }) if to <= valid.len() => {
                    match self.records.add(&valid[from..to], is_document, rows) {
                        Ok(()) if rows.keep() => {
                            consumed = next;
                            done += 1;
                            continue;
                        }
                        Ok(()) => {
                            self.document = before;
                            break;
                        }
                        Err(problem) => problem,
                    }
                }
                Ok(Next::Record { .. }) => BadRecord::Malformed("the record is not UTF-8".to_owned()),
                Ok(Next::Nothing(at)) if at < text.len() => {
                    consumed = at;
                    continue;
                }
                Ok(Next::Nothing(at)) => {
                    consumed = at;
                    break;
                }
                Ok(Next::CutOff) => {
                    self.document = before;
                    break;
                }
                Err(problem) => BadRecord::Malformed(problem),
            };
            // What is not text cannot be expected to be JSON.
            let to = if is_broken { text.len() } else { valid.len() };
            self.chunks.check(text, consumed, to, |_| done)?;
            return Err(self.chunks.record_error(self.chunks.rows() + done + 1, problem));
        }
        let is_open = matches!(self.document, Document::InArray | Document::BehindElement | Document::BehindComma);
        if chunk.whole && consumed == text.len() && is_open {
            let problem = "the document ends within its array: it is cut off".to_owned();
            return Err(self.chunks.record_error(self.chunks.rows() + done + 1, BadRecord::Malformed(problem)));
        }
        Ok((consumed, done))
    }
}

impl JsonRecords for FlatRecords {
    fn add(&mut self, record: &str, _is_document: bool, rows: &mut Rows<'_>) -> Result<(), BadRecord> {
        rows.begin();
        let mut guess = 0;
        members(record, self.flatten, |name, value| {
            let column = self.columns.place(name, guess);
            guess = column + 1;
            rows.set(column, &value);
        })?;
        if self.columns.names().len() > MAX_COLUMNS {
            return Err(BadRecord::Malformed(too_many_columns()));
        }
        Ok(())
    }

    fn names(&self) -> &[String] {
        self.columns.names()
    }

    fn order(&self) -> Vec<usize> {
        sorted_by_name(self.columns.names())
    }

    fn takes_arrays(&self) -> bool {
        false
    }
}

impl<R: JsonRecords> Source for JsonSource<R> {
    fn fill(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        batch.reset();
        while let Some(chunk) = self.chunks.next(&mut batch.text)? {
            if chunk.is_first {
                self.document = Document::Before;
            }
            let cells = std::mem::take(&mut batch.cells);
            let records = &batch.text[..chunk.filled];
            let mut rows = Rows::new(records, cells, self.records.names().len());
            let (consumed, done) = self.take(records, chunk, &mut rows)?;
            let built = rows.finish();
            self.chunks.used(&batch.text, chunk, consumed, done)?;
            built.put_into(batch, chunk.filled);
            if batch.rows > 0 {
                return Ok(true);
            }
        }
        let problem = |problem| Error::File { path: self.chunks.path().to_owned(), problem };
        self.records.finish().map_err(problem)?;
        Ok(false)
    }

    fn names(&self) -> &[String] {
        self.records.names()
    }

    fn has_own_names(&self) -> bool {
        true
    }

    fn order(&self) -> Vec<usize> {
        self.records.order()
    }

    fn split(&self) -> u32 {
        self.chunks.split()
    }

    fn progress(&self) -> (u64, Option<u64>) {
        self.chunks.progress()
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Places of columns by name, compared as Java compares strings: by UTF-16 code units.
pub(crate) fn sorted_by_name(names: &[String]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by(|&a, &b| names[a].encode_utf16().cmp(names[b].encode_utf16()));
    order
}

/// The next line.
fn next_line(text: &[u8], from: usize, whole: bool) -> Next {
    let (to, next) = match memchr::memchr(b'\n', &text[from..]) {
        Some(offset) => (from + offset, from + offset + 1),
        None if whole => (text.len(), text.len()),
        None => return Next::CutOff,
    };
    if text[from..to].trim_ascii().is_empty() {
        Next::Nothing(next)
    } else {
        Next::Record { from, to, next, is_document: false }
    }
}

/// Length of the object that begins the text, `None` when it does not end there. Only brackets and strings are looked
/// at: whether it is JSON is the parser's to say.
fn object_length(text: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            b'"' => {
                at += 1;
                loop {
                    at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
                    if text[at] == b'"' {
                        break;
                    }
                    at += 2;
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}
