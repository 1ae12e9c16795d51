//! Rows as points: numbers in standard deviations, texts and booleans as codes.

use std::collections::HashSet;

use rand_chacha::ChaCha8Rng;

use crate::random::below;
use crate::table::{Column, ColumnKind, Distinct, MISSING, Table, Values};

/// What a mismatch of texts or booleans adds to the squared distance: half the mean standard deviation of the numbers (Huang's
/// choice for k-prototypes), which is 1.
const MISMATCH: f64 = 0.5;
/// Numbers that distances are summed in at a time.
const LANES: usize = 8;

/// Rows of numbers and codes. Missing cells are left out of distances.
#[derive(Clone, Debug)]
pub(super) struct Points {
    /// Row after row, `width` each; missing ones are NaN, and what fills a row up is 0.
    numbers: Vec<f64>,
    width: usize,
    /// Row after row, one for each of `distinct`.
    codes: Vec<u32>,
    /// How many codes each column of texts or booleans has.
    distinct: Vec<usize>,
    rows: usize,
}

/// A row, or the centre of some: numbers and codes.
#[derive(Clone, Copy)]
pub(super) struct Point<'a> {
    pub numbers: &'a [f64],
    pub codes: &'a [u32],
}

impl Points {
    /// The rows of a table.
    pub fn of(table: &Table) -> Self {
        let numeric: Vec<Vec<f64>> = table.columns.iter().filter_map(standardised).collect();
        let is_categorical = |column: &&Column| matches!(column.kind(), ColumnKind::Boolean | ColumnKind::Text);
        let categorical: Vec<Distinct> = table.columns.iter().filter(is_categorical).map(Distinct::of).collect();
        let width = numeric.len().next_multiple_of(LANES);
        let mut numbers = vec![0.0; width * table.rows];
        for (place, column) in numeric.iter().enumerate() {
            numbers.iter_mut().skip(place).step_by(width).zip(column).for_each(|(cell, value)| *cell = *value);
        }
        let mut codes = vec![MISSING; categorical.len() * table.rows];
        for (place, column) in categorical.iter().enumerate() {
            let cells = codes.iter_mut().skip(place).step_by(categorical.len());
            cells.zip(&column.codes).for_each(|(cell, code)| *cell = *code);
        }
        let distinct = categorical.iter().map(Distinct::len).collect();
        Self { numbers, width, codes, distinct, rows: table.rows }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers of a row, what fills it up included.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many codes each column of texts or booleans has.
    pub fn distinct(&self) -> &[usize] {
        &self.distinct
    }

    pub fn row(&self, row: usize) -> Point<'_> {
        Point {
            numbers: &self.numbers[row * self.width..][..self.width],
            codes: &self.codes[row * self.distinct.len()..][..self.distinct.len()],
        }
    }

    /// At most so many rows: any one of each of so many stretches of equal length. (Evenly spaced ones would fall in step with data that
    /// repeats.)
    pub fn spread(&self, most: usize, random: &mut ChaCha8Rng) -> Self {
        if self.rows <= most {
            return self.clone();
        }
        let mut sample =
            Self { numbers: Vec::new(), codes: Vec::new(), distinct: self.distinct.clone(), rows: most, ..*self };
        let start = |stretch: usize| (stretch as u128 * self.rows as u128 / most as u128) as usize;
        for stretch in 0..most {
            let rows = start(stretch + 1) - start(stretch);
            let point = self.row(start(stretch) + below(rows as u64, random) as usize);
            sample.numbers.extend_from_slice(point.numbers);
            sample.codes.extend_from_slice(point.codes);
        }
        sample
    }

    /// How many distinct rows there are, but not more than `most`.
    pub fn distinct_rows(&self, most: usize) -> usize {
        let mut seen = HashSet::new();
        for row in 0..self.rows {
            if seen.len() >= most {
                break;
            }
            let point = self.row(row);
            seen.insert((point.numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>(), point.codes));
        }
        seen.len().min(most)
    }
}

impl Point<'_> {
    /// The squared distance; what is missing on either side is left out.
    pub fn distance(self, other: Point<'_>) -> f64 {
        let mut sums = [0.0; LANES];
        for (ours, theirs) in self.numbers.chunks_exact(LANES).zip(other.numbers.chunks_exact(LANES)) {
            for ((sum, our), their) in sums.iter_mut().zip(ours).zip(theirs) {
                let square = (our - their) * (our - their);
                // Not a number where one is missing.
                *sum += if square >= 0.0 { square } else { 0.0 };
            }
        }
        let differ = |(our, their): &(&u32, &u32)| our != their && **our != MISSING && **their != MISSING;
        let mismatches = self.codes.iter().zip(other.codes).filter(differ).count();
        sums.iter().sum::<f64>() + MISMATCH * mismatches as f64
    }
}

/// The numbers of a column, NaN where there is none that is finite; None for texts and booleans.
pub(super) fn numbers(column: &Column) -> Option<Vec<f64>> {
    match &column.values {
        Values::Integer(values) => Some(values.iter().map(|value| *value as f64).collect()),
        Values::Float(values) => {
            Some(values.iter().map(|value| if value.is_finite() { *value } else { f64::NAN }).collect())
        }
        Values::Boolean(_) | Values::Text(_) => None,
    }
}

/// Numbers in standard deviations from their mean; a constant column is zeros.
fn standardised(column: &Column) -> Option<Vec<f64>> {
    let mut numbers = numbers(column)?;
    let there = || numbers.iter().filter(|number| !number.is_nan());
    let rows = there().count() as f64;
    let mean = there().sum::<f64>() / rows;
    let deviation = (there().map(|number| (number - mean) * (number - mean)).sum::<f64>() / rows).sqrt();
    for number in numbers.iter_mut().filter(|number| !number.is_nan()) {
        *number = if deviation > 0.0 { (*number - mean) / deviation } else { 0.0 };
    }
    Some(numbers)
}
