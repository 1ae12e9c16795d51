//! Lines that differ from the last one in a few texts only.
//!
//! Lines of one file come from one program, and look alike but for ids, times and payloads. So the last line that was walked over is
//! kept with the places of these, and the next one is compared with what stands between them: where that is equal, the line is as valid
//! as the last one, and what was found in that is found in this one.

use std::ops::Range;

use super::scan::{self, CaptureLine, LabelLine, Scanner, Varying};

/// Texts that may differ, at most.
pub(super) const MOST_VARYING: usize = 8;

/// A line that was walked over.
#[derive(Default)]
struct Shape {
    line: Vec<u8>,
    /// Where its texts are that may differ, in their order.
    varying: Vec<Text>,
}

/// A text that may differ.
struct Text {
    range: Range<usize>,
    /// A payload, in which there may be escapes; or an id or a time.
    is_payload: bool,
}

/// The same texts in another line.
type Found = [Range<usize>; MOST_VARYING];

impl Shape {
    /// Remembers the line from `start` to `end`.
    fn learn(&mut self, padded: &[u8], start: usize, end: usize, varying: &Varying) {
        self.varying.clear();
        self.line.clear();
        // A shape whose id is empty would be one without it.
        if varying.is_complete && varying.texts().iter().all(|(text, is_payload)| *is_payload || !text.is_empty()) {
            self.line.extend_from_slice(&padded[start..end]);
            let text = |(text, is_payload): &(Range<usize>, bool)| Text {
                range: text.start - start..text.end - start,
                is_payload: *is_payload,
            };
            self.varying.extend(varying.texts().iter().map(text));
        }
    }

    /// The line's texts, and where behind its last brace it has come to.
    #[inline]
    fn follow<'a>(&self, padded: &'a [u8], start: usize) -> Option<(Found, Scanner<'a>)> {
        let mut found = Found::default();
        let mut scanner = Scanner::new(padded, start);
        let mut done = 0;
        for (text, found) in self.varying.iter().zip(&mut found) {
            scanner.literal(&self.line[done..text.range.start])?;
            let (range, has_escapes) = scanner.rest_of_string()?;
            if !text.is_payload && (has_escapes || range.is_empty()) {
                return None;
            }
            *found = range;
            done = text.range.end + 1;
        }
        if done == 0 {
            return None;
        }
        scanner.literal(&self.line[done..])?;
        Some((found, scanner))
    }

    fn place_of(&self, range: &Range<usize>, start: usize) -> Option<usize> {
        self.varying
            .iter()
            .position(|text| text.range.start + start == range.start && text.range.end + start == range.end)
    }
}

/// Walks over lines of captures.
#[derive(Default)]
pub(super) struct CaptureScan {
    shape: Shape,
    id: usize,
    time: Option<usize>,
}

impl CaptureScan {
    /// The capture in the line that begins at `start`, as [`scan::capture`] finds it.
    #[inline]
    pub(super) fn capture(&mut self, padded: &[u8], start: usize) -> Option<CaptureLine> {
        if let Some((found, mut scanner)) = self.shape.follow(padded, start) {
            let close = scanner.place() - 1;
            if let Some(end) = scanner.line_end() {
                let time = self.time.map_or(0..0, |time| found[time].clone());
                return Some(CaptureLine { id: found[self.id].clone(), time, close, end });
            }
        }
        self.walk(padded, start)
    }

    #[inline(never)]
    fn walk(&mut self, padded: &[u8], start: usize) -> Option<CaptureLine> {
        let mut varying = Varying::default();
        let line = scan::capture(padded, start, &mut varying)?;
        self.shape.learn(padded, start, line.close + 1, &varying);
        if let Some(id) = self.shape.place_of(&line.id, start) {
            self.id = id;
            self.time = self.shape.place_of(&line.time, start);
        } else {
            self.shape.varying.clear();
        }
        Some(line)
    }
}

/// Walks over lines of labels.
#[derive(Default)]
pub(super) struct LabelScan {
    shape: Shape,
    id: usize,
    data: usize,
    is_json: bool,
}

impl LabelScan {
    /// The label in the line that begins at `start`, as [`scan::label`] finds it.
    #[inline]
    pub(super) fn label(&mut self, padded: &[u8], start: usize) -> Option<LabelLine> {
        if let Some((found, mut scanner)) = self.shape.follow(padded, start)
            && let Some(end) = scanner.line_end()
        {
            let data = found[self.data].clone();
            if !padded[data.clone()].contains(&b'\\') {
                let data = data.start - 1..data.end + 1;
                return Some(LabelLine { id: found[self.id].clone(), data, is_json: self.is_json, end });
            }
        }
        self.walk(padded, start)
    }

    #[inline(never)]
    fn walk(&mut self, padded: &[u8], start: usize) -> Option<LabelLine> {
        let mut varying = Varying::default();
        let line = scan::label(padded, start, &mut varying)?;
        let close = padded[..line.end].iter().rposition(|&byte| byte == b'}')?;
        self.shape.learn(padded, start, close + 1, &varying);
        let data = line.data.start + 1..line.data.end - 1;
        if let (Some(id), Some(data)) = (self.shape.place_of(&line.id, start), self.shape.place_of(&data, start)) {
            (self.id, self.data, self.is_json) = (id, data, line.is_json);
        } else {
            self.shape.varying.clear();
        }
        Some(line)
    }
}
