//! JSON as batches: one object a line, or documents that are an object or an array of objects (section 3.4).

use watchkeeper_engine::column::Batch;

use crate::chunks::Chunks;
use crate::files::DatasetFile;
use crate::members::{Columns, NotFlat, Rows, members};
use crate::{Error, Source};

/// A dataset of JSON files.
pub(crate) struct JsonSource {
    chunks: Chunks,
    lines: bool,
    flatten: bool,
    columns: Columns,
    document: Document,
}

impl JsonSource {
    pub(crate) fn new(files: Vec<DatasetFile>, lines: bool, flatten: bool) -> Self {
        Self {
            chunks: Chunks::new(files, lines),
            lines,
            flatten,
            columns: Columns::default(),
            document: Document::Before,
        }
    }
}

/// Where a reader stands in a document.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Document {
    /// Nothing but white space so far.
    Before,
    /// Within the array of the whole document, before an element or its end.
    InArray,
    /// Behind an element of that array.
    BehindElement,
    /// At its end.
    Behind,
}

/// The next record of a chunk.
enum Next {
    /// Its bytes, and where to go on.
    Record { from: usize, to: usize, next: usize },
    /// White space up to here.
    Nothing(usize),
    /// It is cut off.
    CutOff,
}

impl JsonSource {
    fn next_record(&mut self, text: &[u8], from: usize, whole: bool) -> Result<Next, String> {
        if self.lines {
            return Ok(next_line(text, from, whole));
        }
        let mut at = from;
        loop {
            at += text[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let Some(byte) = text.get(at) else {
                if whole && matches!(self.document, Document::InArray | Document::BehindElement) {
                    return Err("the document ends within its array: it is cut off".to_owned());
                }
                return Ok(Next::Nothing(at));
            };
            match (self.document, byte) {
                (Document::Before, b'[') | (Document::BehindElement, b',') => self.document = Document::InArray,
                (Document::InArray | Document::BehindElement, b']') => self.document = Document::Behind,
                (Document::Before | Document::InArray, b'{') => {
                    let Some(length) = object_length(&text[at..]) else {
                        if whole {
                            return Err("the document ends within an object: it is cut off".to_owned());
                        }
                        return Ok(Next::CutOff);
                    };
                    self.document =
                        if self.document == Document::Before { Document::Behind } else { Document::BehindElement };
                    return Ok(Next::Record { from: at, to: at + length, next: at + length });
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
            }
            at += 1;
        }
    }
}

impl Source for JsonSource {
    fn fill(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        batch.reset();
        while let Some(chunk) = self.chunks.next(&mut batch.text)? {
            if chunk.is_first {
                self.document = Document::Before;
            }
            let cells = std::mem::take(&mut batch.cells);
            // A record that the chunk cuts off may end in the middle of a character; it is looked at again later.
            let valid = match std::str::from_utf8(&batch.text[chunk.start..chunk.filled]) {
                Ok(_) => chunk.filled,
                Err(error) => chunk.start + error.valid_up_to(),
            };
            let text = std::str::from_utf8(&batch.text[..valid]).unwrap_or_default();
            let mut rows = Rows::new(&batch.text[..chunk.filled], cells, self.columns.names().len());
            let mut consumed = chunk.start;
            while consumed < chunk.stop && !rows.is_full() {
                let before = self.document;
                let next = self.next_record(&batch.text[..chunk.filled], consumed, chunk.whole);
                let row = self.chunks.rows() + rows.count as u64 + 1;
                let error = |problem| Error::Row { path: self.chunks.path().to_owned(), row, problem };
                match next.map_err(error)? {
                    Next::Record { to, .. } if to > valid => {
                        let done = rows.count as u64;
                        self.chunks.check(&batch.text, consumed, to, |_| done)?;
                        self.document = before;
                        break;
                    }
                    Next::Record { from, to, next } => {
                        rows.begin();
                        let mut guess = 0;
                        members(&text[from..to], self.flatten, |name, value| {
                            let column = self.columns.place(name, guess);
                            guess = column + 1;
                            rows.set(column, &value);
                        })
                        .map_err(|problem| match problem {
                            NotFlat::Malformed(problem) => error(problem),
                            NotFlat::Nested(column) => {
                                Error::NestedJson { path: self.chunks.path().to_owned(), row, column }
                            }
                        })?;
                        consumed = next;
                    }
                    Next::Nothing(at) => {
                        consumed = at;
                        break;
                    }
                    Next::CutOff => break,
                }
            }
            let built = rows.finish();
            self.chunks.used(&batch.text, chunk, consumed, built.rows as u64)?;
            built.put_into(batch, chunk.filled);
            if batch.rows > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn names(&self) -> &[String] {
        self.columns.names()
    }

    fn has_own_names(&self) -> bool {
        true
    }

    fn order(&self) -> Vec<usize> {
        sorted_by_name(self.columns.names())
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

/// The next line that is not blank.
fn next_line(text: &[u8], from: usize, whole: bool) -> Next {
    let mut at = from;
    loop {
        let end = memchr::memchr(b'\n', &text[at..]).map(|offset| at + offset);
        let (to, next) = match end {
            Some(end) => (end, end + 1),
            None if whole => (text.len(), text.len()),
            None => return Next::CutOff,
        };
        if !text[at..to].trim_ascii().is_empty() {
            return Next::Record { from: at, to, next };
        }
        if next == text.len() {
            return Next::Nothing(next);
        }
        at = next;
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
