//! CSV in the Excel dialect, as pandas reads it (section 2.4).
//!
//! A quote opens a quoted field only as the field's first character; a doubled quote inside is a quote, and a backslash a backslash. Text
//! behind a closing quote belongs to the field. Rows end at `\n`, `\r\n` or `\r`; lines of nothing but blanks are none.
//!
//! This is not the dialect of data quality, which is Spark's: there a backslash escapes, and `\r` alone ends no row.

use memchr::memchr;

use crate::csv::separators::Separators;

/// Cuts a text into rows.
pub(super) struct Records<'t> {
    text: &'t str,
    /// Where the next row begins.
    at: usize,
    separators: Separators<'t, true>,
    /// Fields whose text is not a piece of the whole.
    resolved: String,
}

/// A quote that is never closed opens at this byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unclosed(pub(super) usize);

impl<'t> Records<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, separators: Separators::new(text.as_bytes()), resolved: String::new() }
    }

    /// Gives the fields of the next row, one after the other, with their place in it; returns how many there were, None after the last
    /// row.
    pub(super) fn next(&mut self, mut field: impl FnMut(usize, &str)) -> Result<Option<usize>, Unclosed> {
        let bytes = self.text.as_bytes();
        let mut fields = 0;
        let mut start = self.at;
        loop {
            let end = match self.separators.next() {
                Some(at) if bytes[at] != b'"' => at,
                Some(at) if at == start => {
                    let end = self.quoted(at)?;
                    field(fields, &self.resolved);
                    fields += 1;
                    start = self.behind(end);
                    if bytes.get(end) == Some(&b',') {
                        continue;
                    }
                    self.at = start;
                    return Ok(Some(fields));
                }
                // A quote within a field is text.
                Some(_) => continue,
                None if start == bytes.len() && fields == 0 => return Ok(None),
                None => bytes.len(),
            };
            let text = &self.text[start..end];
            start = self.behind(end);
            if bytes.get(end) == Some(&b',') {
                field(fields, text);
                fields += 1;
            } else if fields == 0 && text.bytes().all(|byte| byte == b' ' || byte == b'\t') {
                if end == bytes.len() {
                    return Ok(None);
                }
            } else {
                field(fields, text);
                self.at = start;
                return Ok(Some(fields + 1));
            }
        }
    }

    /// Where the next field or row begins behind the separator at `end`.
    fn behind(&mut self, end: usize) -> usize {
        let bytes = self.text.as_bytes();
        if bytes[end..].starts_with(b"\r\n") {
            self.separators.skip_to(end + 2);
            return end + 2;
        }
        (end + 1).min(bytes.len())
    }

    /// Resolves the quoted field that opens at `open`; returns where it ends: at a separator or the end of the text.
    fn quoted(&mut self, open: usize) -> Result<usize, Unclosed> {
        let bytes = self.text.as_bytes();
        self.resolved.clear();
        let mut from = open + 1;
        loop {
            let quote = from + memchr(b'"', &bytes[from..]).ok_or(Unclosed(open))?;
            self.resolved.push_str(&self.text[from..quote]);
            from = quote + 1;
            if bytes.get(from) != Some(&b'"') {
                break;
            }
            self.resolved.push('"');
            from += 1;
        }
        let rest = &bytes[from..];
        let end = rest.iter().position(|byte| matches!(byte, b',' | b'\n' | b'\r')).map_or(bytes.len(), |at| from + at);
        self.resolved.push_str(&self.text[from..end]);
        self.separators.skip_to((end + 1).min(bytes.len()));
        Ok(end)
    }
}
