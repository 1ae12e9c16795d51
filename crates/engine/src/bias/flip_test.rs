//! The flip test: would the model have decided otherwise for the nearest rows outside of the sensitive group (section 3.4)?
//!
//! Each row of the facet is given the majority of the predictions of its nearest neighbours in the complement, found by
//! looking at all of them: rows of the complement are laid out in blocks that stay in the processor's cache, sixteen rows
//! side by side, and all rows of the facet go past a block before the next one comes. Equal rows of the facet go once.
//!
//! Decided against: a tree of the complement. It has an order of its own among equally distant neighbours, where the
//! earlier row is to be taken, and the cost is bounded anyway.

use std::collections::HashMap;

use rand_chacha::ChaCha8Rng;
use xxhash_rust::xxh64::xxh64;

use super::metrics::MetricError;
use super::resampling::resample;
use crate::table::{Column, Table, Values};

/// Products of rows of the facet, rows of the complement and columns above which some rows of the facet stand for all.
const MOST_PRODUCTS: u64 = 200_000_000;

/// Neighbours that vote.
const NEIGHBOURS: usize = 5;
/// Up to so many rows of the complement, one neighbour decides.
const FEW_ROWS: usize = 9;

/// Rows of the complement side by side.
const LANES: usize = 16;
/// Rows of the complement that are laid out at once.
const BLOCK_ROWS: usize = 32 * LANES;
/// Rows of the facet that go past the blocks at once.
const BATCH_ROWS: usize = 4096;

const NOT_NUMERIC: MetricError = "FlipTest does not support non-numeric columns";
const NO_FEATURE: MetricError = "FlipTest needs at least one feature column";
const MISSING_VALUES: MetricError = "FlipTest does not support missing values";
const INFINITE_VALUES: MetricError = "FlipTest does not support infinite values";

/// The columns of a dataset that rows are compared by.
pub(super) struct Features<'a> {
    columns: Vec<Feature<'a>>,
}

/// A column, and why it is none to compare by.
struct Feature<'a> {
    place: usize,
    column: &'a Column,
    error: Option<MetricError>,
}

/// How many rows of the facet would have been given another prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flips {
    /// Predicted positive, their neighbours negative.
    to_negative: u64,
    /// Predicted negative, their neighbours positive.
    to_positive: u64,
    /// The neighbours decide alike.
    unchanged: u64,
    /// Rows of the facet, of which some may stand for all.
    pub(super) facet_rows: u64,
}

impl Flips {
    /// Rows of the facet that were looked at.
    pub(super) fn rows(&self) -> u64 {
        self.to_negative + self.to_positive + self.unchanged
    }

    /// The metric.
    pub(super) fn value(&self) -> f64 {
        (self.to_negative as f64 - self.to_positive as f64) / self.rows() as f64
    }

    /// As many rows drawn from these with replacement, the complement staying what it is.
    pub(super) fn resampled(mut self, random: &mut ChaCha8Rng) -> Self {
        let rows = self.rows();
        resample([&mut self.to_negative, &mut self.to_positive, &mut self.unchanged].into_iter(), rows, random);
        self
    }

    fn count(&mut self, is_positive: bool, neighbours_are_positive: bool, rows: u64) {
        *match (is_positive, neighbours_are_positive) {
            (true, false) => &mut self.to_negative,
            (false, true) => &mut self.to_positive,
            _ => &mut self.unchanged,
        } += rows;
    }
}

impl<'a> Features<'a> {
    /// The columns of a dataset but those at these places.
    pub(super) fn of(dataset: &'a Table, not_features: &[usize]) -> Self {
        let columns = dataset.columns.iter().enumerate().filter(|(place, _)| !not_features.contains(place));
        let feature = |(place, column)| Feature { place, column, error: unsuitable(column) };
        Self { columns: columns.map(feature).collect() }
    }

    /// Tests a facet, which stands at `place` of the dataset where it is of that. `is_facet` tells rows of the facet from
    /// the others; there are both.
    pub(super) fn flips(
        &self,
        place: Option<usize>,
        is_facet: impl Fn(usize) -> bool,
        predicted: &[bool],
    ) -> Result<Flips, MetricError> {
        let columns: Vec<&Feature<'_>> = self.columns.iter().filter(|feature| Some(feature.place) != place).collect();
        // In the order of the specification's table.
        let has = |error: MetricError| columns.iter().any(|feature| feature.error == Some(error));
        if let Some(error) = [NOT_NUMERIC, MISSING_VALUES, INFINITE_VALUES].into_iter().find(|error| has(error)) {
            return Err(error);
        }
        if columns.is_empty() {
            return Err(NO_FEATURE);
        }
        let columns: Vec<&Column> = columns.iter().map(|feature| feature.column).collect();
        let (facet, complement): (Vec<usize>, Vec<usize>) = (0..predicted.len()).partition(|row| is_facet(*row));
        let considered = considered(facet.len(), complement.len(), columns.len());
        let considered: Vec<usize> =
            (0..considered).map(|index| facet[evenly(index, considered, facet.len())]).collect();

        let mut flips = Flips { to_negative: 0, to_positive: 0, unchanged: 0, facet_rows: facet.len() as u64 };
        for rows in considered.chunks(BATCH_ROWS) {
            Batch::of(&columns, rows, predicted).find(&columns, &complement, predicted).count(&mut flips);
        }
        Ok(flips)
    }
}

/// How many rows of a facet are looked at.
fn considered(facet: usize, complement: usize, columns: usize) -> usize {
    let products_of_a_row = (complement as u64).saturating_mul(columns as u64).max(1);
    (facet as u64).min((MOST_PRODUCTS / products_of_a_row).max(1)) as usize
}

/// The place of one of `count` things that are evenly spaced among `all`.
fn evenly(index: usize, count: usize, all: usize) -> usize {
    (index as u128 * all as u128 / count as u128) as usize
}

fn unsuitable(column: &Column) -> Option<MetricError> {
    match &column.values {
        Values::Text(_) => Some(NOT_NUMERIC),
        Values::Boolean(values) => values.contains(&None).then_some(NOT_NUMERIC),
        Values::Integer(_) => None,
        Values::Float(values) if values.iter().any(|value| value.is_nan()) => Some(MISSING_VALUES),
        Values::Float(values) => values.iter().any(|value| value.is_infinite()).then_some(INFINITE_VALUES),
    }
}

/// Gives the numbers of some rows of a column, which has no missing ones, to `take`, with their places among the rows.
fn numbers(column: &Column, rows: &[usize], mut take: impl FnMut(usize, f64)) {
    let rows = rows.iter().enumerate();
    match &column.values {
        Values::Integer(values) => rows.for_each(|(place, row)| take(place, values[*row] as f64)),
        Values::Float(values) => rows.for_each(|(place, row)| take(place, values[*row])),
        Values::Boolean(values) => {
            rows.for_each(|(place, row)| take(place, f64::from(u8::from(values[*row] == Some(true)))));
        }
        Values::Text(_) => unreachable!("text columns are refused"),
    }
}

/// Different rows of a facet, and what was found of each.
struct Batch {
    width: usize,
    /// Row after row.
    points: Vec<f64>,
    seekers: Vec<Seeker>,
}

/// A row of the facet, which stands for all that equal it.
#[derive(Default)]
struct Seeker {
    /// Equal rows with a negative and with a positive prediction.
    rows: [u64; 2],
    /// The squares of the distances to the nearest rows yet, from the nearest on.
    distances: [f64; NEIGHBOURS],
    is_positive: [bool; NEIGHBOURS],
    found: usize,
}

impl Batch {
    fn of(columns: &[&Column], rows: &[usize], predicted: &[bool]) -> Self {
        let width = columns.len();
        let mut all = vec![0.0; rows.len() * width];
        for (index, column) in columns.iter().enumerate() {
            numbers(column, rows, |place, number| all[place * width + index] = number);
        }
        let mut batch = Self { width, points: Vec::new(), seekers: Vec::new() };
        let mut known = HashMap::<u64, usize>::new();
        let mut bytes = Vec::with_capacity(width * 8);
        for (point, row) in all.chunks(width).zip(rows) {
            bytes.clear();
            // Of the two zeros, which are equal, one has a hash.
            bytes.extend(point.iter().flat_map(|number| (number + 0.0).to_le_bytes()));
            let place = *known.entry(xxh64(&bytes, 0)).or_insert(batch.seekers.len());
            // Another row of the same hash is looked at for itself.
            let is_known = place < batch.seekers.len() && batch.points[place * width..][..width] == *point;
            let place = if is_known { place } else { batch.seekers.len() };
            if !is_known {
                batch.points.extend_from_slice(point);
                batch.seekers.push(Seeker::default());
            }
            batch.seekers[place].rows[usize::from(predicted[*row])] += 1;
        }
        batch
    }

    /// Finds the nearest rows of the complement.
    fn find(mut self, columns: &[&Column], complement: &[usize], predicted: &[bool]) -> Self {
        let wanted = if complement.len() <= FEW_ROWS { 1 } else { NEIGHBOURS };
        let mut block = vec![[0.0; LANES]; BLOCK_ROWS / LANES * self.width];
        for rows in complement.chunks(BLOCK_ROWS) {
            for (index, column) in columns.iter().enumerate() {
                numbers(column, rows, |place, number| {
                    block[place / LANES * self.width + index][place % LANES] = number;
                });
            }
            for (seeker, point) in self.seekers.iter_mut().zip(self.points.chunks(self.width)) {
                for (lanes, rows) in block.chunks(self.width).zip(rows.chunks(LANES)) {
                    seeker.look_at(&squares_of_distances(point, lanes), rows, predicted, wanted);
                }
            }
        }
        self
    }

    fn count(self, flips: &mut Flips) {
        for seeker in self.seekers {
            let positive = seeker.is_positive[..seeker.found].iter().filter(|is_positive| **is_positive).count();
            let neighbours_are_positive = positive * 2 > seeker.found;
            flips.count(false, neighbours_are_positive, seeker.rows[0]);
            flips.count(true, neighbours_are_positive, seeker.rows[1]);
        }
    }
}

impl Seeker {
    /// Takes those rows among its nearest that are nearer than the furthest of them: of equally distant rows the earlier stays.
    #[inline]
    fn look_at(&mut self, distances: &[f64; LANES], rows: &[usize], predicted: &[bool], wanted: usize) {
        if self.found == wanted {
            let furthest = self.distances[wanted - 1];
            #[allow(clippy::needless_bitwise_bool)] // without branches all lanes are compared at once
            if !distances.iter().fold(false, |is_nearer, distance| is_nearer | (*distance < furthest)) {
                return;
            }
        }
        for (distance, row) in distances.iter().zip(rows) {
            if self.found < wanted || *distance < self.distances[wanted - 1] {
                self.take(*distance, predicted[*row], wanted);
            }
        }
    }

    fn take(&mut self, distance: f64, is_positive: bool, wanted: usize) {
        let mut place = self.found.min(wanted - 1);
        while place > 0 && distance < self.distances[place - 1] {
            self.distances[place] = self.distances[place - 1];
            self.is_positive[place] = self.is_positive[place - 1];
            place -= 1;
        }
        self.distances[place] = distance;
        self.is_positive[place] = is_positive;
        self.found = (self.found + 1).min(wanted);
    }
}

/// From a point to rows side by side, of which there are as many columns as the point has.
#[inline]
fn squares_of_distances(point: &[f64], lanes: &[[f64; LANES]]) -> [f64; LANES] {
    let mut squares = [0.0; LANES];
    for (number, column) in point.iter().zip(lanes) {
        for lane in 0..LANES {
            let difference = column[lane] - number;
            squares[lane] += difference * difference;
        }
    }
    squares
}
