//! The normal equations of a row's regression, with one of its features eliminated, and their solution.
//!
//! The matrix is γ(I + J) of the complete sizes, J being all ones, and the weight of what was drawn times whole numbers: how often two
//! features were drawn together. Those are counted on columns of bits, and exact. Without draws the inverse is known; with them it
//! is Cholesky's factorisation; a singular matrix has its pseudo-inverse by Cholesky with pivots: the solution of least norm.

use super::coalitions::{Draw, Sample};
use super::explanation::Folding;

/// A pivot so much smaller than the largest entry is zero. What is zero comes out near 1e-16.
const SINGULAR: f64 = 1e-12;

/// The equations, factorised.
#[derive(Clone, Debug)]
pub(super) enum NormalEquations {
    /// γ(I + J).
    Symmetric(f64),
    /// Any that has an inverse.
    Regular(Triangle),
    /// One of lower rank, P·L·Lᵀ·Pᵀ with L of full column rank.
    Singular {
        /// The rows of L in the order of the unknowns.
        rows: Vec<Vec<f64>>,
        /// Lᵀ·L.
        inner: Triangle,
    },
}

impl NormalEquations {
    /// Of a row that needs none.
    pub fn none() -> Self {
        Self::Symmetric(1.0)
    }

    /// Of a sample; the unknowns are all varying features but the last.
    pub fn of(sample: &Sample, varying: &[usize]) -> Self {
        if sample.draws.is_empty() {
            return Self::Symmetric(sample.symmetric_weight);
        }
        let matrix = matrix(sample, varying);
        if let Some(triangle) = Triangle::factorise(matrix.clone()) {
            Self::Regular(triangle)
        } else {
            singular(&matrix)
        }
    }

    /// The unknowns for a right side.
    pub fn solve(&self, right: &[f64]) -> Vec<f64> {
        match self {
            Self::Symmetric(weight) => {
                // (I + J)⁻¹ = I − J / (unknowns + 1)
                let mean = right.iter().sum::<f64>() / (right.len() + 1) as f64;
                right.iter().map(|value| (value - mean) / weight).collect()
            }
            Self::Regular(triangle) => triangle.solve(right.to_vec()),
            Self::Singular { rows, inner } => {
                let mut reduced = vec![0.0; inner.rows.len()];
                for (row, value) in rows.iter().zip(right) {
                    add_multiple(&mut reduced, *value, row);
                }
                let reduced = inner.solve(inner.solve(reduced));
                rows.iter().map(|row| row.iter().zip(&reduced).map(|(entry, value)| entry * value).sum()).collect()
            }
        }
    }
}

/// The upper triangle, row after row from the diagonal on.
fn matrix(sample: &Sample, varying: &[usize]) -> Vec<Vec<f64>> {
    let unknowns = varying.len() - 1;
    let columns = BitColumns::new(sample, varying);
    let symmetric = sample.symmetric_weight;
    let mut row_of_columns = Vec::new();
    (0..unknowns)
        .map(|first| {
            columns.weigh(first, &mut row_of_columns);
            (first..unknowns)
                .map(|second| {
                    let both = columns.count(&row_of_columns, second) as f64;
                    let symmetric = if first == second { 2.0 * symmetric } else { symmetric };
                    both * sample.draw_weight + symmetric
                })
                .collect()
        })
        .collect()
}

/// For each unknown the draws that hold it, a bit each.
///
/// How often something was drawn (twice if its complement is there, too) is a number in binary: bit p of it says whether the draw is
/// in plane p, which counts 2ᵖ.
struct BitColumns {
    columns: Vec<u64>,
    words: usize,
    planes: Vec<Vec<u64>>,
}

impl BitColumns {
    fn new(sample: &Sample, varying: &[usize]) -> Self {
        let words = sample.draws.len().div_ceil(64);
        let features = sample.coalitions.words_each * 64;
        let folding = Folding::new(features, varying);
        let mut by_feature = vec![0_u64; features * words];
        let mut planes: Vec<Vec<u64>> = Vec::new();
        for (place, draw) in sample.draws.iter().enumerate() {
            let (index, bit) = (place / 64, 1_u64 << (place % 64));
            let set = sample.coalitions.set(draw.place);
            let is_turned = folding.is_turned(set);
            for word_index in 0..set.len() {
                let mut word = folding.word(set, word_index, is_turned);
                while word != 0 {
                    let feature = word_index * 64 + word.trailing_zeros() as usize;
                    by_feature[feature * words + index] |= bit;
                    word &= word - 1;
                }
            }
            let mut times = times(*draw);
            while times != 0 {
                let plane = times.trailing_zeros() as usize;
                planes.resize(planes.len().max(plane + 1), vec![0; words]);
                planes[plane][index] |= bit;
                times &= times - 1;
            }
        }
        let mut columns = Vec::with_capacity(varying.len() * words);
        for &feature in varying {
            columns.extend_from_slice(&by_feature[feature * words..][..words]);
        }
        Self { columns, words, planes }
    }

    fn column(&self, unknown: usize) -> &[u64] {
        &self.columns[unknown * self.words..][..self.words]
    }

    /// The unknown's column in every plane that is in use, plane after plane, into `weighed`.
    fn weigh(&self, unknown: usize, weighed: &mut Vec<u64>) {
        weighed.clear();
        for plane in &self.planes {
            weighed.extend(self.column(unknown).iter().zip(plane).map(|(column, plane)| column & plane));
        }
    }

    /// How often the unknown was drawn together with the one that was weighed.
    fn count(&self, weighed: &[u64], unknown: usize) -> u64 {
        let column = self.column(unknown);
        let in_plane = |plane: &[u64]| -> u64 {
            plane.iter().zip(column).map(|(one, other)| u64::from((one & other).count_ones())).sum()
        };
        weighed.chunks_exact(self.words).enumerate().map(|(place, plane)| in_plane(plane) << place).sum()
    }
}

fn times(draw: Draw) -> u64 {
    u64::from(draw.times) << u32::from(draw.is_paired)
}

/// An upper triangle U, row after row from the diagonal on, with Uᵀ·U the matrix.
#[derive(Clone, Debug)]
pub(super) struct Triangle {
    rows: Vec<Vec<f64>>,
}

impl Triangle {
    /// Cholesky's factorisation; None for a matrix that is singular, or nearly so.
    fn factorise(mut rows: Vec<Vec<f64>>) -> Option<Self> {
        let smallest = SINGULAR * rows.iter().map(|row| row[0]).fold(0.0, f64::max);
        for place in 0..rows.len() {
            let (done, rest) = rows.split_at_mut(place + 1);
            let row = &mut done[place];
            if !is_above(row[0], smallest) {
                return None;
            }
            let root = row[0].sqrt();
            for entry in row.iter_mut() {
                *entry /= root;
            }
            for (offset, below) in rest.iter_mut().enumerate() {
                let from_diagonal = &row[offset + 1..];
                add_multiple(below, -from_diagonal[0], from_diagonal);
            }
        }
        Some(Self { rows })
    }

    fn solve(&self, mut values: Vec<f64>) -> Vec<f64> {
        for (place, row) in self.rows.iter().enumerate() {
            values[place] /= row[0];
            let value = values[place];
            add_multiple(&mut values[place + 1..], -value, &row[1..]);
        }
        for (place, row) in self.rows.iter().enumerate().rev() {
            let known: f64 = row[1..].iter().zip(&values[place + 1..]).map(|(entry, value)| entry * value).sum();
            values[place] = (values[place] - known) / row[0];
        }
        values
    }
}

/// False, too, where there is no number.
fn is_above(value: f64, smallest: f64) -> bool {
    value > smallest
}

fn add_multiple(to: &mut [f64], factor: f64, of: &[f64]) {
    for (to, of) in to.iter_mut().zip(of) {
        *to += factor * of;
    }
}

/// Cholesky with the largest pivot first, up to the rank.
fn singular(upper: &[Vec<f64>]) -> NormalEquations {
    let unknowns = upper.len();
    let mut rest: Vec<Vec<f64>> = (0..unknowns)
        .map(|row| (0..unknowns).map(|column| upper[row.min(column)][row.abs_diff(column)]).collect())
        .collect();
    let largest =
        |rest: &[Vec<f64>]| (0..unknowns).fold(0, |at, next| if rest[next][next] > rest[at][at] { next } else { at });
    let first = largest(&rest);
    let smallest = SINGULAR * rest[first][first];
    let mut rows = vec![Vec::new(); unknowns];
    for _ in 0..unknowns {
        let pivot = largest(&rest);
        if !is_above(rest[pivot][pivot], smallest) {
            break;
        }
        let root = rest[pivot][pivot].sqrt();
        let column: Vec<f64> = rest[pivot].iter().map(|entry| entry / root).collect();
        for (row, entry) in column.iter().enumerate() {
            rows[row].push(*entry);
            add_multiple(&mut rest[row], -entry, &column);
        }
        // What is done stays zero, whatever rounding says.
        rest[pivot].fill(0.0);
        for row in &mut rest {
            row[pivot] = 0.0;
        }
    }
    let rank = rows.first().map_or(0, Vec::len);
    let inner = (0..rank)
        .map(|one| (one..rank).map(|other| rows.iter().map(|row| row[one] * row[other]).sum()).collect())
        .collect();
    match Triangle::factorise(inner) {
        Some(inner) => NormalEquations::Singular { rows, inner },
        // No number among the weights: the answer is none either.
        None => NormalEquations::Symmetric(f64::NAN),
    }
}
