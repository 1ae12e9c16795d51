//! Lines that differ from the last one in a few texts only.
//!
//! Lines of one file come from one program, and look alike but for ids, times and payloads. So the last line that was walked over is
//! kept with the places of these, and the next one is compared with what stands between them: where that is equal, the line is as valid
//! as the last one, and what was found in that is found in this one. First it is compared as if its ids and times had the same lengths as
//! those of the last one, which takes no decision for any of them; then text by text.

use std::ops::Range;

use super::run::Run;
use super::scan::{self, CaptureLine, LabelLine, Scanner, Varying};

/// Texts that may differ, at most.
pub(super) const MOST_VARYING: usize = 8;

/// How many lines of other runs come before the next are learnt, which takes as long as a few lines do.
const LINES_BETWEEN: u32 = 16;

/// A line that was walked over.
#[derive(Default)]
struct Shape {
    line: Vec<u8>,
    /// Where its texts are that may differ, in their order.
    varying: Vec<Text>,
    /// What stands before each payload, and behind the last; nothing where they are not known.
    runs: Vec<Run>,
    /// The texts of the line that was found last, by their numbers.
    texts: [Range<usize>; MOST_VARYING],
    /// How many lines of other runs there have to be until these are learnt.
    until_learnt: u32,
}

/// A text that may differ.
struct Text {
    range: Range<usize>,
    /// A payload, in which there may be escapes; or an id or a time.
    is_payload: bool,
}

/// Another line of the same shape.
struct Found<'a> {
    /// Whether there are escapes in a payload.
    has_escapes: bool,
    /// Behind the last brace.
    scanner: Scanner<'a>,
}

impl Shape {
    /// Remembers the line from `start` to `end`.
    fn learn(&mut self, padded: &[u8], start: usize, end: usize, varying: &Varying) {
        self.forget();
        // A shape whose id is empty would be one without it.
        if varying.is_complete && varying.texts().iter().all(|(text, is_payload)| *is_payload || !text.is_empty()) {
            self.line.clear();
            self.line.extend_from_slice(&padded[start..end]);
            let text = |(range, is_payload): &(Range<usize>, bool)| Text {
                range: range.start - start..range.end - start,
                is_payload: *is_payload,
            };
            self.varying.extend(varying.texts().iter().map(text));
            if self.is_to_learn() {
                self.learn_runs();
            }
        }
    }

    fn forget(&mut self) {
        self.varying.clear();
        self.runs.clear();
    }

    /// Whether runs are to be learnt from this line, which was of others.
    fn is_to_learn(&mut self) -> bool {
        let is_due = self.until_learnt == 0;
        self.until_learnt = if is_due { LINES_BETWEEN } else { self.until_learnt - 1 };
        is_due
    }

    /// Takes the runs from the line.
    fn learn_runs(&mut self) {
        self.runs.clear();
        let (mut start, mut texts) = (0, Vec::new());
        for Text { range, is_payload } in &self.varying {
            if *is_payload {
                self.runs.push(Run::new(&self.line[start..range.start], &texts));
                start = range.end + 1;
                texts.clear();
            } else {
                texts.push(range.start - start..range.end - start);
            }
        }
        self.runs.push(Run::new(&self.line[start..], &texts));
    }

    /// Another line of this shape; where its texts are is in `texts`.
    #[inline]
    fn follow<'a>(&mut self, padded: &'a [u8], start: usize) -> Option<Found<'a>> {
        let found = if self.runs.is_empty() { None } else { self.follow_runs(padded, start) };
        found.or_else(|| self.follow_texts(padded, start))
    }

    /// As [`Shape::follow`], if ids and times have the same lengths.
    #[inline]
    fn follow_runs<'a>(&mut self, padded: &'a [u8], start: usize) -> Option<Found<'a>> {
        let mut found = Found { has_escapes: false, scanner: Scanner::new(padded, start) };
        let mut texts = self.varying.iter().zip(&mut self.texts);
        // Where the run begins in the line that it was learnt from.
        let mut learnt_begin = 0;
        for run in &self.runs {
            let begin = found.scanner.place();
            found.scanner.run(run)?;
            for (text, found_text) in texts.by_ref() {
                if text.is_payload {
                    let (range, has_escapes) = found.scanner.rest_of_string()?;
                    *found_text = range;
                    found.has_escapes |= has_escapes;
                    learnt_begin = text.range.end + 1;
                    break;
                }
                *found_text = begin + text.range.start - learnt_begin..begin + text.range.end - learnt_begin;
            }
        }
        Some(found)
    }

    #[inline(never)]
    fn follow_texts<'a>(&mut self, padded: &'a [u8], start: usize) -> Option<Found<'a>> {
        if self.varying.is_empty() {
            return None;
        }
        let mut found = Found { has_escapes: false, scanner: Scanner::new(padded, start) };
        let mut done = 0;
        for (text, found_text) in self.varying.iter().zip(&mut self.texts) {
            found.scanner.literal(&self.line[done..text.range.start])?;
            let (range, has_escapes) = found.scanner.rest_of_string()?;
            if !text.is_payload && (has_escapes || range.is_empty()) {
                return None;
            }
            *found_text = range;
            found.has_escapes |= has_escapes;
            done = text.range.end + 1;
        }
        found.scanner.literal(&self.line[done..])?;
        if self.is_to_learn() {
            for (text, range) in self.varying.iter_mut().zip(&self.texts) {
                text.range = range.start - start..range.end - start;
            }
            self.line.clear();
            self.line.extend_from_slice(&padded[start..found.scanner.place()]);
            self.learn_runs();
        }
        Some(found)
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
        if let Some(Found { mut scanner, .. }) = self.shape.follow(padded, start) {
            let close = scanner.place() - 1;
            if let Some(end) = scanner.line_end() {
                let texts = &self.shape.texts;
                let time = self.time.map_or(0..0, |time| texts[time].clone());
                return Some(CaptureLine { id: texts[self.id].clone(), time, close, end });
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
            self.shape.forget();
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
        if let Some(Found { has_escapes: false, mut scanner }) = self.shape.follow(padded, start)
            && let Some(end) = scanner.line_end()
        {
            let texts = &self.shape.texts;
            let data = texts[self.data].start - 1..texts[self.data].end + 1;
            return Some(LabelLine { id: texts[self.id].clone(), data, is_json: self.is_json, end });
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
            self.shape.forget();
        }
        Some(line)
    }
}
