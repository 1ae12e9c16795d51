//! Tables whose columns are aligned and that fit the terminal.
//!
//! A column that is blank in every row is left out. Where there is no room, columns that may be cut are narrowed, the
//! widest first, down to what they need at least; then whole columns go, in the order of [`Column::leaves`], those of
//! the same place together.

use std::borrow::Cow;

use super::text::{cut_end, cut_middle, visible, width};
use super::{Paint, Style, paints};

/// Blank cells between two columns.
const GAP: usize = 2;

/// On which side a column's cells are filled up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// Texts.
    Left,
    /// Numbers.
    Right,
}

/// How a column may be narrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Not at all.
    Never,
    /// At its end, down to so many cells.
    End(usize),
    /// In the middle, down to so many cells.
    Middle(usize),
}

impl Cut {
    fn least(self) -> Option<usize> {
        match self {
            Self::Never => None,
            Self::End(least) | Self::Middle(least) => Some(least),
        }
    }
}

/// A column of a table.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// What stands above it.
    pub(super) title: &'static str,
    /// Side of its cells.
    pub(super) align: Align,
    /// Whether it can be narrowed.
    pub(super) cut: Cut,
    /// Its place among those that are left out for want of room, the lowest first; `None` stays to the end.
    pub(super) leaves: Option<u8>,
}

impl Column {
    pub(super) fn text(title: &'static str) -> Self {
        Self { title, align: Align::Left, cut: Cut::Never, leaves: None }
    }

    pub(super) fn number(title: &'static str) -> Self {
        Self { align: Align::Right, ..Self::text(title) }
    }

    pub(super) fn cut(self, cut: Cut) -> Self {
        Self { cut, ..self }
    }

    pub(super) fn leaves(self, place: u8) -> Self {
        Self { leaves: Some(place), ..self }
    }
}

/// One value of a table.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    text: String,
    width: usize,
    paint: Option<Paint>,
}

impl Cell {
    /// A text of this program, which needs no escape.
    pub(super) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { width: width(&text), text, paint: None }
    }

    /// A text of the document.
    pub(super) fn of_document(text: &str, style: &Style) -> Self {
        Self::new(visible(text, style))
    }

    pub(super) fn paint(self, paint: Paint) -> Self {
        Self { paint: Some(paint), ..self }
    }
}

impl<T: Into<String>> From<Option<T>> for Cell {
    /// `None` is blank.
    fn from(text: Option<T>) -> Self {
        text.map_or_else(Self::default, Self::new)
    }
}

/// A row, and lines that stand below it as they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// One a column.
    pub(super) cells: Vec<Cell>,
    /// Lines below the cells.
    pub(super) below: Vec<String>,
}

/// A table, laid out.
pub(super) struct LaidOut {
    /// The lines, each ended by a line feed.
    pub(super) text: String,
    /// Titles of the columns for which there was no room.
    pub(super) left_out: Vec<&'static str>,
}

/// The table in the width of the terminal.
pub(super) fn lay_out(columns: &[Column], rows: &[Row], style: &Style) -> LaidOut {
    let (widths, left_out) = fit(columns, rows, style.width);
    let mut text = String::new();
    let titles = columns.iter().map(|column| Cell::new(column.title).paint(paints::TITLE)).collect::<Vec<_>>();
    push_line(&mut text, columns, &widths, &titles, style);
    let rule = if style.unicode { "─" } else { "-" };
    let rules = widths.iter().map(|width| Cell::new(rule.repeat(width.unwrap_or(0))).paint(paints::QUIET));
    push_line(&mut text, columns, &widths, &rules.collect::<Vec<_>>(), style);
    for row in rows {
        push_line(&mut text, columns, &widths, &row.cells, style);
        for line in &row.below {
            text.push_str(line);
            text.push('\n');
        }
    }
    LaidOut { text, left_out }
}

/// Width of each column, `None` for those left out, and the titles of those left out for want of room.
fn fit(columns: &[Column], rows: &[Row], room: usize) -> (Vec<Option<usize>>, Vec<&'static str>) {
    let mut natural: Vec<Option<usize>> = vec![None; columns.len()];
    for row in rows {
        for (natural, cell) in natural.iter_mut().zip(&row.cells).filter(|(_, cell)| cell.width > 0) {
            *natural = (*natural).max(Some(cell.width));
        }
    }
    for (natural, column) in natural.iter_mut().zip(columns) {
        let is_shown = natural.is_some() || rows.is_empty();
        let most = column.cut.least().map_or(usize::MAX, |least| room.max(least));
        *natural = is_shown.then(|| natural.unwrap_or(0).min(most).max(width(column.title)));
    }
    let mut left_out = Vec::new();
    loop {
        let shown = |&index: &usize| natural[index].is_some();
        let next = (0..columns.len()).filter(shown).filter(|&index| columns[index].leaves.is_some());
        let next = next.filter_map(|index| columns[index].leaves).min();
        let mut widths = natural.clone();
        narrow(&mut widths, columns, room, next.is_none());
        match next {
            Some(next) if total(&widths) > room => {
                for (natural, column) in natural.iter_mut().zip(columns) {
                    if column.leaves == Some(next) && natural.take().is_some() {
                        left_out.push(column.title);
                    }
                }
            }
            _ => return (widths, left_out),
        }
    }
}

fn total(widths: &[Option<usize>]) -> usize {
    let shown = widths.iter().flatten().count();
    widths.iter().flatten().sum::<usize>() + GAP * shown.saturating_sub(1)
}

/// Narrows what may be cut, the widest first; `at_any_price` below what it needs at least.
fn narrow(widths: &mut [Option<usize>], columns: &[Column], room: usize, at_any_price: bool) {
    for _ in room..total(widths) {
        let widest = widths
            .iter_mut()
            .zip(columns)
            .filter_map(|(width, column)| {
                let least = if at_any_price { 1 } else { column.cut.least()? };
                column.cut.least().and(width.as_mut()).filter(|width| **width > least)
            })
            .max_by_key(|width| **width);
        match widest {
            Some(width) => *width -= 1,
            None => return,
        }
    }
}

fn push_line(text: &mut String, columns: &[Column], widths: &[Option<usize>], cells: &[Cell], style: &Style) {
    let shown =
        columns.iter().zip(widths).zip(cells).filter_map(|((column, width), cell)| Some((column, (*width)?, cell)));
    let mut pending = 0;
    for (column, room, cell) in shown {
        let (content, taken) = if cell.width <= room {
            (Cow::Borrowed(cell.text.as_str()), cell.width)
        } else {
            let cut = match column.cut {
                Cut::Middle(_) => cut_middle(&cell.text, room, style),
                _ => cut_end(&cell.text, room, style),
            };
            let taken = width(&cut);
            (Cow::Owned(cut), taken)
        };
        let blank = room.saturating_sub(taken);
        let (before, after) = if column.align == Align::Right { (blank, 0) } else { (0, blank) };
        // Blanks wait for what follows: no line ends in them.
        pending += before;
        if taken > 0 {
            text.extend(std::iter::repeat_n(' ', pending));
            text.push_str(&cell.paint.map_or_else(|| content.to_string(), |paint| style.paint(&content, paint)));
            pending = 0;
        }
        pending += after + GAP;
    }
    text.push('\n');
}
