//! Cuts CSV text into cells, sixty-four bytes at a glance.
//!
//! The dialect is Spark's as AWS's analyzer sets it: comma; a quote opens a quoted field only as the field's first
//! character; a doubled quote inside is a quote, and so is a quote behind a backslash; `\\"` is a backslash and the
//! closing quote, `\\\"` a backslash and a quote, as Spark pairs them. A field with text behind its closing quote is
//! taken as it stands, quotes and all.
//!
//! `simd-csv` was decided against for its dialect: it lets a quote open anywhere in a field, which joins the rows
//! behind an inch mark into one.

use memchr::memchr2;
use watchkeeper_engine::column::{Cell, CellKind};

use super::separators::Separators;
use crate::text::MAX_COLUMNS;

/// How rows of another width than the table's were met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ragged {
    /// Rows with fewer fields; padded with missing values.
    pub(crate) short: u64,
    /// Rows with more fields; cut.
    pub(crate) long: u64,
    /// Fields with text behind their closing quote.
    pub(crate) stray: u64,
}

/// What [`tokenize`] may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Nothing follows the text: what stands at its end is a row.
    pub(crate) whole: bool,
    /// A quote that the whole text does not close opens nothing: it and what follows are a field.
    pub(crate) unclosed_is_text: bool,
    /// Rows at most.
    pub(crate) rows: usize,
    /// No row that begins here or later.
    pub(crate) stop: usize,
}

/// What [`tokenize`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tokenized {
    /// Where the first row that was not taken begins.
    pub(crate) consumed: usize,
    /// Rows taken.
    pub(crate) rows: usize,
    /// Where a quote opens that the whole text does not close.
    pub(crate) unclosed: Option<usize>,
    /// The first row with more than [`MAX_COLUMNS`] fields, the one that the text cuts off included: how many rows
    /// precede it.
    pub(crate) too_wide: Option<usize>,
}

/// Appends the cells of whole rows to `cells`, each row `width` cells wide; the first row decides the width where it
/// is not known. Cells with quotes to be resolved are noted in `escaped`, for [`resolve`].
///
/// Positions in `cells` are those in `text` plus `base`.
pub(crate) fn tokenize(
    text: &[u8],
    base: usize,
    limits: Limits,
    width: &mut Option<usize>,
    cells: &mut Vec<Cell>,
    escaped: &mut Vec<usize>,
    ragged: &mut Ragged,
) -> Tokenized {
    let mut separators = Separators::<false>::new(text);
    let mut done = Tokenized { consumed: 0, rows: 0, unclosed: None, too_wide: None };
    let mut field = 0;
    let mut row_cells = cells.len();
    let mut stray = 0;
    while done.rows < limits.rows && done.consumed < limits.stop {
        // The field that begins at `field`: where its value starts and ends, where the next begins.
        let (start, end, next, ends_row) = match separators.next() {
            Some(at) if text[at] == b',' => (field, at, at + 1, false),
            Some(at) if text[at] == b'\n' => (field, without_return(text, field, at), at + 1, true),
            // A quote within a field is text.
            Some(at) if at > field => continue,
            Some(open) => match quoted(text, open, limits.whole) {
                Quoted::Ends { close, has_escapes, next, ends_row } => {
                    if has_escapes {
                        escaped.push(cells.len());
                    }
                    separators.skip_to(next);
                    (open + 1, close, next, ends_row)
                }
                Quoted::Stray { from } => {
                    stray += 1;
                    match memchr2(b',', b'\n', &text[from..]) {
                        Some(offset) => {
                            let at = from + offset;
                            separators.skip_to(at + 1);
                            let ends_row = text[at] == b'\n';
                            let end = if ends_row { without_return(text, field, at) } else { at };
                            (field, end, at + 1, ends_row)
                        }
                        None if limits.whole => {
                            separators.skip_to(text.len());
                            (field, without_return(text, field, text.len()), text.len(), true)
                        }
                        None => break,
                    }
                }
                Quoted::Open if limits.whole && limits.unclosed_is_text => {
                    separators.skip_to(text.len());
                    (field, text.len(), text.len(), true)
                }
                Quoted::Open => {
                    done.unclosed = limits.whole.then_some(open);
                    break;
                }
            },
            None if limits.whole && (field < text.len() || cells.len() > row_cells) => {
                (field, without_return(text, field, text.len()), text.len(), true)
            }
            None => {
                if limits.whole {
                    done.consumed = text.len();
                }
                break;
            }
        };
        let is_blank_line = ends_row && cells.len() == row_cells && start == field && end == start;
        field = next;
        if is_blank_line {
            done.consumed = next;
            continue;
        }
        cells.push(field_cell(base + start, end - start));
        if !ends_row {
            continue;
        }
        let fields = cells.len() - row_cells;
        let expected = *width.get_or_insert(fields.min(MAX_COLUMNS));
        if fields != expected {
            done.note_fields(fields);
            ragged.short += u64::from(fields < expected);
            ragged.long += u64::from(fields > expected);
            cells.resize(row_cells + expected, Cell::MISSING);
            forget_from(escaped, cells.len());
        }
        ragged.stray += std::mem::take(&mut stray);
        row_cells = cells.len();
        done.consumed = next;
        done.rows += 1;
    }
    done.note_fields(cells.len() - row_cells);
    cells.truncate(row_cells);
    forget_from(escaped, row_cells);
    done
}

impl Tokenized {
    /// Takes note of a row, the next one, that has these many fields.
    fn note_fields(&mut self, fields: usize) {
        if fields > MAX_COLUMNS {
            self.too_wide.get_or_insert(self.rows);
        }
    }
}

/// Leaves out the cells, in ascending order, from `end` on.
fn forget_from(escaped: &mut Vec<usize>, end: usize) {
    while escaped.last().is_some_and(|&index| index >= end) {
        escaped.pop();
    }
}

/// Appends the cells of a line that has no quotes and no line end in it; none when it is empty. Positions are those in
/// the line plus `base`.
pub(crate) fn cut_line(line: &[u8], base: usize, cells: &mut Vec<Cell>) {
    let mut field = 0;
    let mut separators = Separators::<false>::new(line);
    while let Some(at) = separators.next() {
        cells.push(field_cell(base + field, at - field));
        field = at + 1;
    }
    if !line.is_empty() {
        cells.push(field_cell(base + field, line.len() - field));
    }
}

/// The cell of a field; an empty one is a missing value, quoted or not.
#[inline]
fn field_cell(start: usize, length: usize) -> Cell {
    if length == 0 { Cell::MISSING } else { Cell::new(start, length, CellKind::Text) }
}

/// The end of a line's last field that ends at `end`, a carriage return left out.
#[inline]
fn without_return(text: &[u8], field: usize, end: usize) -> usize {
    if end > field && text[end - 1] == b'\r' { end - 1 } else { end }
}

/// Where a quoted field ends.
enum Quoted {
    /// At the quote `close`; the next field or row begins at `next`.
    Ends { close: usize, has_escapes: bool, next: usize, ends_row: bool },
    /// Something other than a separator stands behind the closing quote, at `from`.
    Stray { from: usize },
    /// Not in this text.
    Open,
}

fn quoted(text: &[u8], open: usize, whole: bool) -> Quoted {
    let mut has_escapes = false;
    let mut at = open + 1;
    let close = loop {
        let Some(offset) = text.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) else { return Quoted::Open };
        at += offset;
        let next = text.get(at + 1);
        match (text[at], next) {
            // Backslashes go in pairs: the quote behind an even number of them is as good as one without.
            (b'"' | b'\\', Some(b'"')) | (b'\\', Some(b'\\')) => {
                has_escapes = true;
                at += 2;
            }
            (b'\\', None) => return Quoted::Open,
            (b'\\', Some(_)) => at += 1,
            (_, None) if !whole => return Quoted::Open,
            _ => break at,
        }
    };
    let ends = |length, ends_row| Quoted::Ends { close, has_escapes, next: close + 1 + length, ends_row };
    match (text.get(close + 1), text.get(close + 2)) {
        (Some(b','), _) => ends(1, false),
        (Some(b'\n'), _) => ends(1, true),
        (Some(b'\r'), Some(b'\n')) => ends(2, true),
        (Some(b'\r'), None) if whole => ends(1, true),
        (None, _) if whole => ends(0, true),
        (Some(b'\r') | None, None) => Quoted::Open,
        (Some(_), _) | (None, Some(_)) => Quoted::Stray { from: close + 1 },
    }
}

/// Resolves doubled quotes and quotes behind backslashes, each within its own cell. Of backslashes before a quote half
/// are left, all others are text.
pub(crate) fn resolve(text: &mut [u8], cells: &mut [Cell], escaped: &mut Vec<usize>) {
    for index in escaped.drain(..) {
        let cell = cells[index];
        let end = cell.start() + cell.length();
        let mut read = cell.start();
        let mut write = cell.start();
        while read < end {
            match text[read] {
                // One that stands alone has been passed with the backslash before it.
                b'"' => {
                    text[write] = b'"';
                    read += 2;
                }
                b'\\' => {
                    let backslashes = text[read..end].iter().take_while(|&&byte| byte == b'\\').count();
                    let behind = read + backslashes;
                    // The cell does not hold the quote that closes it.
                    let is_before_quote = behind == end || text[behind] == b'"';
                    let kept = if is_before_quote { backslashes / 2 } else { backslashes };
                    text[write..write + kept].fill(b'\\');
                    write += kept;
                    read = behind;
                    if is_before_quote && !backslashes.is_multiple_of(2) {
                        text[write] = b'"';
                        write += 1;
                        read += 1;
                    }
                    continue;
                }
                byte => {
                    text[write] = byte;
                    read += 1;
                }
            }
            write += 1;
        }
        cells[index] = Cell::new(cell.start(), write - cell.start(), CellKind::Text);
    }
}
