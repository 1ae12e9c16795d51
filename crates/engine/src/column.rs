//! The batch that every fold takes: some rows of a table, cut into cells.
//!
//! A cell is a start and a length in the batch's one buffer, so that nothing is copied between reading a file and
//! folding its columns. Readers fill a buffer of [`BATCH_BYTES`]: much smaller and the cost of a batch shows, much
//! larger and its text falls out of the processor's second-level cache before the last column has been folded.
//!
//! Cells lie row by row, as a reader meets them; a fold walks one column with the row's width as its stride.
//!
//! Decided against: Arrow's string views, which cost half as much again for the same fold (each cell is checked
//! as UTF-8 on its own, and a view is sixteen bytes).

/// How much text a reader puts into one batch, unless a single record is longer.
pub const BATCH_BYTES: usize = 128 * 1024;

/// How a cell's value stood in its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    /// Text, whose type is to be inferred (CSV, JSON strings).
    Text,
    /// A number of the source's own (JSON, Parquet), in its text form.
    Number,
    /// A boolean of the source's own, as `true` or `false`.
    Boolean,
}

/// One value: a piece of the batch's buffer, or a missing value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    start: u32,
    /// Length in the lower 30 bits, kind in the upper two; all ones when missing.
    length_and_kind: u32,
}

impl Cell {
    /// The missing value.
    pub const MISSING: Self = Self { start: 0, length_and_kind: u32::MAX };

    /// The longest cell there can be, in bytes.
    pub const MAX_LENGTH: usize = (1 << 30) - 1;

    /// The piece of `length` bytes at `start`. An empty text is a value like any other: a format in which it means a
    /// missing one says [`Self::MISSING`].
    ///
    /// # Panics
    /// When the piece is longer than [`Self::MAX_LENGTH`] or starts beyond 4 GiB: readers limit a record's length.
    #[inline]
    pub fn new(start: usize, length: usize, kind: CellKind) -> Self {
        assert!(
            length <= Self::MAX_LENGTH && u32::try_from(start).is_ok(),
            "a cell must lie within its batch's limits"
        );
        let kind = match kind {
            CellKind::Text => 0,
            CellKind::Number => 1 << 30,
            CellKind::Boolean => 2 << 30,
        };
        Self { start: start as u32, length_and_kind: length as u32 | kind }
    }

    /// True for a missing value.
    #[inline]
    pub fn is_missing(self) -> bool {
        self.length_and_kind == u32::MAX
    }

    /// How the value stood in its source; [`CellKind::Text`] is meaningless for a missing one.
    #[inline]
    pub fn kind(self) -> CellKind {
        match self.length_and_kind >> 30 {
            1 => CellKind::Number,
            2 => CellKind::Boolean,
            _ => CellKind::Text,
        }
    }

    /// Where the value's text begins in the batch's buffer.
    #[inline]
    pub fn start(self) -> usize {
        self.start as usize
    }

    /// Length of the value's text in bytes, 0 when missing.
    #[inline]
    pub fn length(self) -> usize {
        if self.is_missing() { 0 } else { (self.length_and_kind & ((1 << 30) - 1)) as usize }
    }
}

/// Some rows of a table.
///
/// Invariants kept by the readers: every cell's piece lies within `text` and is UTF-8; `cells` holds whole rows of
/// `columns` cells each.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The buffer that cells point into. What lies outside of cells has no meaning.
    pub text: Vec<u8>,
    /// Cells, row after row.
    pub cells: Vec<Cell>,
    /// Cells a row.
    pub columns: usize,
    /// Rows. Kept beside `cells`, as a row may have no column at all (an empty JSON object).
    pub rows: usize,
}

impl Batch {
    /// Forgets all rows. The text keeps its length: a reader overwrites it, and would otherwise clear it first.
    pub fn reset(&mut self) {
        self.cells.clear();
        self.columns = 0;
        self.rows = 0;
    }

    /// The cells of one column, from the first row to the last.
    ///
    /// # Panics
    /// When there is no such column.
    #[inline]
    pub fn column(&self, index: usize) -> impl Iterator<Item = Cell> + '_ {
        assert!(index < self.columns, "a batch of {} columns has no column {index}", self.columns);
        self.cells.get(index..).unwrap_or_default().iter().step_by(self.columns).copied()
    }

    /// The text of a cell, empty for a missing one.
    #[inline]
    pub fn text_of(&self, cell: Cell) -> &[u8] {
        &self.text[cell.start()..cell.start() + cell.length()]
    }
}
