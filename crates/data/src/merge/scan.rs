//! One walk over a line of JSON that checks it and finds what the join needs, an order of magnitude faster than parsing it.
//!
//! What is accepted here is valid JSON of the usual shape, and UTF-8. Whatever is not (escapes in keys or ids, members twice, labels in a
//! capture) is left to a parser, so that this walk never has to say what is wrong with a line.

use std::ops::Range;

use wide::u8x16;

use super::run::Run;
use super::shape::MOST_VARYING;

/// Readable bytes behind a text: blocks are loaded past its end.
pub(super) const PADDING: usize = 16;

/// As deep as `serde_json` goes.
const DEEPEST: u32 = 127;

/// A captured inference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CaptureLine {
    /// Its id, a text without escapes.
    pub(super) id: Range<usize>,
    /// The time of the inference, if it is a text without escapes; empty where there is none.
    pub(super) time: Range<usize>,
    /// The brace that closes the record.
    pub(super) close: usize,
    /// Where the line ends: its line feed, or the end of the text.
    pub(super) end: usize,
}

/// A label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LabelLine {
    /// Its id, a text without escapes.
    pub(super) id: Range<usize>,
    /// The text of `data`, with its quotes.
    pub(super) data: Range<usize>,
    /// Whether the encoding is `JSON`, and not `CSV`.
    pub(super) is_json: bool,
    /// Where the line ends.
    pub(super) end: usize,
}

/// Texts of a line that other lines are likely to have others of, in their order: insides of strings, and whether it is a payload
/// (or an id or a time).
pub(super) struct Varying {
    texts: [(Range<usize>, bool); MOST_VARYING],
    count: usize,
    /// Whether there was room for all.
    pub(super) is_complete: bool,
}

impl Default for Varying {
    fn default() -> Self {
        Self { texts: Default::default(), count: 0, is_complete: true }
    }
}

impl Varying {
    pub(super) fn texts(&self) -> &[(Range<usize>, bool)] {
        &self.texts[..self.count]
    }

    fn note(&mut self, text: &Range<usize>, is_payload: bool) {
        match self.texts.get_mut(self.count) {
            Some(free) => {
                *free = (text.clone(), is_payload);
                self.count += 1;
            }
            None => self.is_complete = false,
        }
    }
}

/// The capture in the line that begins at `start`. `padded` holds the text and [`PADDING`] bytes of zero.
pub(super) fn capture(padded: &[u8], start: usize, varying: &mut Varying) -> Option<CaptureLine> {
    let mut scanner = Scanner::new(padded, start);
    scanner.skip_blanks();
    let (mut has_data, mut metadata) = (false, None);
    scanner.object(|scanner, key| {
        match &scanner.bytes[key] {
            b"captureData" if !has_data => {
                has_data = scanner.peek() == b'{';
                return if has_data { scanner.payloads(varying, 1) } else { None };
            }
            b"eventMetadata" if metadata.is_none() => {
                metadata = Some(scanner.metadata(varying)?);
                return Some(());
            }
            b"captureData" | b"eventMetadata" | b"groundTruthData" => return None,
            _ => {}
        }
        scanner.value(1)
    })?;
    let close = scanner.at - 1;
    let end = scanner.line_end()?;
    let Metadata { event_id, inference_id, time } = metadata?;
    let id = Some(inference_id).filter(|id| !id.is_empty()).or(Some(event_id).filter(|id| !id.is_empty()))?;
    has_data.then_some(CaptureLine { id, time, close, end })
}

/// The label in the line that begins at `start`; `padded` as for [`capture`].
pub(super) fn label(padded: &[u8], start: usize, varying: &mut Varying) -> Option<LabelLine> {
    let mut scanner = Scanner::new(padded, start);
    scanner.skip_blanks();
    let (mut label, mut metadata) = (None, None);
    scanner.object(|scanner, key| match &scanner.bytes[key] {
        b"groundTruthData" if label.is_none() => {
            label = Some(scanner.label_data(varying)?);
            Some(())
        }
        b"eventMetadata" if metadata.is_none() => {
            metadata = Some(scanner.metadata(varying)?);
            Some(())
        }
        b"groundTruthData" | b"eventMetadata" => None,
        _ => scanner.value(1),
    })?;
    let end = scanner.line_end()?;
    let (data, is_json) = label?;
    let id = metadata?.event_id;
    (!id.is_empty()).then_some(LabelLine { id, data, is_json, end })
}

/// Whether the line that begins at `start` holds one whole JSON value.
pub(super) fn is_value(padded: &[u8], start: usize) -> bool {
    let mut scanner = Scanner::new(padded, start);
    scanner.skip_blanks();
    scanner.value(0).is_some() && scanner.line_end().is_some()
}

/// Ids and time of a record; what is absent or null is empty.
#[derive(Default)]
struct Metadata {
    event_id: Range<usize>,
    inference_id: Range<usize>,
    time: Range<usize>,
}

/// Where in a line the walk has come to. Steps are `None` where the line is not what they expect.
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// Goes behind these very bytes.
    #[inline]
    pub(super) fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.bytes[self.at..].starts_with(literal).then(|| self.at += literal.len())
    }

    /// Goes behind such a run.
    #[inline]
    pub(super) fn run(&mut self, run: &Run) -> Option<()> {
        run.begins(&self.bytes[self.at..]).then(|| self.at += run.length())
    }

    #[inline]
    fn peek(&self) -> u8 {
        self.bytes[self.at]
    }

    /// Blanks within a line.
    #[inline]
    fn skip_blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r') {
            self.at += 1;
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek() == byte).then(|| self.at += 1)
    }

    /// Where the line ends, if there is nothing more in it.
    #[inline]
    pub(super) fn line_end(&mut self) -> Option<usize> {
        self.skip_blanks();
        (self.peek() == b'\n' || self.at + PADDING == self.bytes.len()).then_some(self.at)
    }

    /// The inside of a string, and whether something in it is escaped. Goes behind it.
    #[inline]
    fn string(&mut self) -> Option<(Range<usize>, bool)> {
        self.expect(b'"')?;
        self.rest_of_string()
    }

    /// As [`Scanner::string`], behind the quote that opens it.
    #[inline]
    pub(super) fn rest_of_string(&mut self) -> Option<(Range<usize>, bool)> {
        let start = self.at;
        let mut has_escapes = false;
        let mut beyond_ascii = u8x16::ZERO;
        loop {
            let block: [u8; 16] = *self.bytes.get(self.at..)?.first_chunk()?;
            let block = u8x16::from(block);
            // What stands behind the string may be among them, too.
            beyond_ascii |= block;
            let special = block.simd_eq(u8x16::splat(b'"'))
                | block.simd_eq(u8x16::splat(b'\\'))
                | block.min(u8x16::splat(0x1F)).simd_eq(block);
            let special = special.to_bitmask();
            if special == 0 {
                self.at += 16;
                continue;
            }
            self.at += special.trailing_zeros() as usize;
            match self.peek() {
                b'"' => {
                    let text = start..self.at;
                    self.at += 1;
                    let is_text = beyond_ascii.to_bitmask() == 0 || str::from_utf8(&self.bytes[text.clone()]).is_ok();
                    return is_text.then_some((text, has_escapes));
                }
                b'\\' => {
                    has_escapes = true;
                    self.escape()?;
                }
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        self.at += 1;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                let digits = self.bytes.get(self.at + 1..self.at + 5)?;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
                self.at += 5;
            }
            _ => return None,
        }
        Some(())
    }

    /// Goes behind an object. `member` stands at a value, whose key it is given, and goes behind it.
    #[inline]
    fn object(&mut self, mut member: impl FnMut(&mut Self, Range<usize>) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        self.skip_blanks();
        if self.peek() == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let (key, has_escapes) = self.string()?;
            if has_escapes {
                return None;
            }
            self.skip_blanks();
            self.expect(b':')?;
            self.skip_blanks();
            member(self, key)?;
            self.skip_blanks();
            match self.peek() {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
            self.skip_blanks();
        }
    }

    /// Goes behind a value.
    fn value(&mut self, depth: u32) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match self.peek() {
            b'"' => self.string().map(drop),
            b'{' => self.object(|scanner, _| scanner.value(depth + 1)),
            b'[' => self.array(depth),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number(),
        }
    }

    /// Goes behind an object and notes its payloads.
    fn payloads(&mut self, varying: &mut Varying, depth: u32) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        self.object(|scanner, key| match scanner.peek() {
            b'"' => {
                let (text, _) = scanner.string()?;
                if &scanner.bytes[key] == b"data" {
                    varying.note(&text, true);
                }
                Some(())
            }
            b'{' => scanner.payloads(varying, depth + 1),
            _ => scanner.value(depth + 1),
        })
    }

    fn array(&mut self, depth: u32) -> Option<()> {
        self.at += 1;
        self.skip_blanks();
        if self.peek() == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.value(depth + 1)?;
            self.skip_blanks();
            match self.peek() {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
            self.skip_blanks();
        }
    }

    fn number(&mut self) -> Option<()> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        match self.peek() {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// A text without escapes; an empty one where there is null.
    fn plain_text(&mut self) -> Option<Range<usize>> {
        if self.peek() == b'n' {
            self.literal(b"null")?;
            return Some(0..0);
        }
        self.string().and_then(|(text, has_escapes)| (!has_escapes).then_some(text))
    }

    fn metadata(&mut self, varying: &mut Varying) -> Option<Metadata> {
        let mut metadata = Metadata::default();
        let mut seen = [false; 3];
        self.object(|scanner, key| {
            let (seen, text) = match &scanner.bytes[key] {
                b"eventId" => (&mut seen[0], &mut metadata.event_id),
                b"inferenceId" => (&mut seen[1], &mut metadata.inference_id),
                b"inferenceTime" => (&mut seen[2], &mut metadata.time),
                _ => return scanner.value(2),
            };
            if std::mem::replace(seen, true) {
                return None;
            }
            let is_text = scanner.peek() == b'"';
            *text = scanner.plain_text()?;
            if is_text {
                varying.note(text, false);
            }
            Some(())
        })?;
        Some(metadata)
    }

    /// The text of `data` with its quotes, and whether it is said to be JSON; nothing else may be there.
    fn label_data(&mut self, varying: &mut Varying) -> Option<(Range<usize>, bool)> {
        let (mut data, mut is_json) = (None, None);
        self.object(|scanner, key| {
            let (text, has_escapes) = match &scanner.bytes[key] {
                b"data" if data.is_none() => {
                    let start = scanner.at;
                    let (text, has_escapes) = scanner.string()?;
                    data = Some(start..scanner.at);
                    varying.note(&text, true);
                    // Half of a surrogate pair is for a parser to find.
                    let may_be_half = has_escapes && memchr::memmem::find(&scanner.bytes[text], b"\\u").is_some();
                    return (!may_be_half).then_some(());
                }
                b"encoding" if is_json.is_none() => scanner.string()?,
                _ => return None,
            };
            is_json = match &scanner.bytes[text] {
                b"CSV" => Some(false),
                b"JSON" => Some(true),
                _ => None,
            };
            (!has_escapes && is_json.is_some()).then_some(())
        })?;
        Some((data?, is_json.unwrap_or(false)))
    }
}

#[cfg(test)]
mod tests;
