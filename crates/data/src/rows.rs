//! Rows of a batch in the making, whose columns come up as records bring them.

use watchkeeper_engine::column::{BATCH_BYTES, Batch, Cell, CellKind};

use crate::members::Scalar;
use crate::text::MOST_CELLS;

/// Builds the rows of a batch whose cells point into the records that were read, or into what is put behind them.
///
/// Rows are added record by record, each ended by [`Self::keep`]. A new column widens every row before it, so a record
/// that would widen a long batch is put off to the next one: rows and columns that multiply stay within
/// [`MOST_CELLS`].
pub(crate) struct Rows<'a> {
    /// The records, as they were read.
    records: &'a [u8],
    /// Text that does not stand in the records as it is: escapes resolved, payloads decoded.
    behind: Vec<u8>,
    cells: Vec<Cell>,
    columns: usize,
    /// Cells that a row has for now: room for columns to come.
    stride: usize,
    count: usize,
    /// What there was when the current record began.
    kept: Kept,
    /// The current record's columns do not fit.
    overflows: bool,
}

#[derive(Clone, Copy, Default)]
struct Kept {
    rows: usize,
    behind: usize,
}

impl<'a> Rows<'a> {
    /// Rows over `records`, with the memory of an earlier batch's cells.
    pub(crate) fn new(records: &'a [u8], cells: Vec<Cell>, columns: usize) -> Self {
        Self {
            records,
            behind: Vec::new(),
            cells,
            columns,
            stride: columns,
            count: 0,
            kept: Kept::default(),
            overflows: false,
        }
    }

    /// Begins a row; its values are missing until they are set.
    pub(crate) fn begin(&mut self) {
        self.cells.resize(self.cells.len() + self.stride, Cell::MISSING);
        self.count += 1;
    }

    /// Adds a row of the cells that `cut` appends. Told how many they are, `columns` says how many there are to be, the
    /// same for all rows: the rest is missing, or the surplus cut off.
    pub(crate) fn add<E>(
        &mut self,
        cut: impl FnOnce(&mut Vec<Cell>),
        columns: impl FnOnce(usize) -> Result<usize, E>,
    ) -> Result<(), E> {
        let start = self.cells.len();
        cut(&mut self.cells);
        self.columns = columns(self.cells.len() - start)?;
        debug_assert!(self.count == 0 || self.stride == self.columns, "all rows have the same columns");
        self.stride = self.columns;
        self.cells.resize(start + self.columns, Cell::MISSING);
        self.count += 1;
        Ok(())
    }

    /// Sets a value of the row begun last, making room for a column that is new.
    pub(crate) fn set(&mut self, column: usize, value: &Scalar<'_>) {
        let cell = self.scalar_cell(value);
        self.set_cell(column, cell);
    }

    /// As [`Self::set`], for a cell that is there already.
    pub(crate) fn set_cell(&mut self, column: usize, cell: Cell) {
        if column >= self.columns && !self.make_room(column + 1) {
            return;
        }
        let row = self.cells.len() - self.stride;
        self.cells[row + column] = cell;
    }

    pub(crate) fn scalar_cell(&mut self, value: &Scalar<'_>) -> Cell {
        value.text_and_kind().map_or(Cell::MISSING, |(text, kind)| self.cell(text, kind))
    }

    /// The cell of a text: where it stands, if it is a piece of the records, else a copy behind them.
    fn cell(&mut self, text: &str, kind: CellKind) -> Cell {
        let start = self.place_of(text).unwrap_or_else(|| self.put_behind(text.as_bytes()));
        Cell::new(start, text.len(), kind)
    }

    /// The text of a cell.
    pub(crate) fn text_of(&self, cell: Cell) -> &[u8] {
        let (from, to) = (cell.start(), cell.start() + cell.length());
        let behind = self.records.len();
        if from < behind { &self.records[from..to] } else { &self.behind[from - behind..to - behind] }
    }

    /// Where a text stands in the records, if it is a piece of them.
    pub(crate) fn place_of(&self, text: &str) -> Option<usize> {
        let offset = text.as_ptr().addr().wrapping_sub(self.records.as_ptr().addr());
        (offset <= self.records.len() && text.len() <= self.records.len() - offset).then_some(offset)
    }

    /// Copies a text behind the records; returns its place.
    pub(crate) fn put_behind(&mut self, text: &[u8]) -> usize {
        let start = self.records.len() + self.behind.len();
        self.behind.extend_from_slice(text);
        start
    }

    /// Widens the rows to `columns`; false when the current record has to go into a batch of its own.
    fn make_room(&mut self, columns: usize) -> bool {
        if columns > self.stride {
            // Room for as many again: else a record with many new keys would copy all rows for each of them.
            let stride = columns.max(self.stride * 2);
            self.overflows |= self.kept.rows > 0 && self.count * stride > MOST_CELLS;
            if self.overflows {
                return false;
            }
            let mut cells = Vec::with_capacity(self.count * stride);
            for row in 0..self.count {
                cells.extend_from_slice(&self.cells[row * self.stride..][..self.stride]);
                cells.resize((row + 1) * stride, Cell::MISSING);
            }
            self.cells = cells;
            self.stride = stride;
        }
        self.columns = columns;
        true
    }

    /// Ends a record. False when it did not fit: its rows are forgotten, and it has to be the first of the next batch.
    #[inline]
    pub(crate) fn keep(&mut self) -> bool {
        if !self.overflows {
            self.kept = Kept { rows: self.count, behind: self.behind.len() };
            return true;
        }
        self.overflows = false;
        self.count = self.kept.rows;
        self.cells.truncate(self.count * self.stride);
        self.behind.truncate(self.kept.behind);
        false
    }

    /// True when the rows take as much memory beyond the records as a batch should.
    pub(crate) fn is_full(&self) -> bool {
        self.behind.len() >= BATCH_BYTES || self.cells.len() >= MOST_CELLS
    }

    /// What is to be put into the batch: everything but the records, which are there.
    pub(crate) fn finish(mut self) -> Built {
        if self.stride > self.columns {
            for row in 1..self.count {
                let start = row * self.stride;
                self.cells.copy_within(start..start + self.columns, row * self.columns);
            }
            self.cells.truncate(self.count * self.columns);
        }
        Built { behind: self.behind, cells: self.cells, columns: self.columns, rows: self.count }
    }
}

/// Rows that have let go of their records.
pub(crate) struct Built {
    behind: Vec<u8>,
    cells: Vec<Cell>,
    columns: usize,
    pub(crate) rows: usize,
}

impl Built {
    /// Puts the rows into the batch whose text begins with their `records` bytes.
    pub(crate) fn put_into(self, batch: &mut Batch, records: usize) {
        batch.text.truncate(records);
        batch.text.extend_from_slice(&self.behind);
        batch.cells = self.cells;
        batch.columns = self.columns;
        batch.rows = self.rows;
    }
}
