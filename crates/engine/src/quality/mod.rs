//! Model quality: what predictions are worth, measured by labels (sections 2.2 and 3 of the specification).
//!
//! Three steps, because the spread of a metric is that over subsamples of a known size, and the size is known at the end:
//!
//! 1. [`Interpreter`] takes batches of the three columns prediction, probability and label and makes typed [`Row`]s of
//!    them, sixteen bytes each, which the caller keeps in order wherever it likes.
//! 2. [`Measures`] takes the rows again, each with the subsamples that [`Subsamples`] puts it into.
//! 3. [`Curves`] takes the scores of a binary classification once more, from the highest to the lowest.
//!
//! Sums go from left to right in row order, in the very order of operations that the specification gives: a value equal to
//! its threshold is no violation, so the last bit matters. No compensated sums, no fused multiply-add.

mod binary;
mod cells;
mod classes;
mod curves;
mod interpreter;
mod judgement;
mod multiclass;
mod regression;
mod residuals;
mod spread;
mod subsamples;

pub use curves::{Curves, MeasuredCurves, ScoredRow};
pub use interpreter::{Dropped, Interpreter, LabelError, Problem, Row};
pub use judgement::judge;
pub use residuals::Residuals;
pub use subsamples::{SUBSAMPLES, Subsamples};

use watchkeeper_formats::ModelQualityMetrics;

use self::binary::BinaryMeasures;
use self::multiclass::MulticlassMeasures;
use self::regression::RegressionMeasures;
use self::subsamples::has_subsamples;

/// Column of a batch that holds the prediction.
pub const INFERENCE: usize = 0;
/// Column of a batch that holds the probability.
pub const PROBABILITY: usize = 1;
/// Column of a batch that holds the label.
pub const GROUND_TRUTH: usize = 2;

/// Everything about a problem's rows but the curves, of all rows and of each subsample.
pub struct Measures {
    kind: Kind,
    has_subsamples: bool,
}

enum Kind {
    Regression(Box<RegressionMeasures>),
    Binary(Box<BinaryMeasures>),
    Multiclass(Box<MulticlassMeasures>),
}

impl Measures {
    /// Nothing yet. `interpreter` has read all rows: it knows how many there are, and the classes.
    pub fn new(interpreter: &Interpreter) -> Self {
        let kind = match interpreter.problem() {
            Problem::Regression => Kind::Regression(Box::default()),
            Problem::Binary { .. } => Kind::Binary(Box::new(BinaryMeasures::new())),
            Problem::Multiclass => Kind::Multiclass(Box::new(MulticlassMeasures::new(interpreter.class_order()))),
        };
        Self { kind, has_subsamples: has_subsamples(interpreter.rows_used()) }
    }

    /// Takes the next row, in row order, with the subsamples it is in.
    ///
    /// # Panics
    /// When it is a row of another problem, or of a class that the interpreter has not met.
    #[inline]
    pub fn add(&mut self, row: Row, subsamples: u8) {
        match (&mut self.kind, row) {
            (Kind::Regression(measures), Row::Regression { prediction, truth }) => {
                measures.add(prediction, truth, subsamples);
            }
            (Kind::Binary(measures), Row::Binary { prediction, truth, .. }) => {
                measures.add(prediction, truth, subsamples);
            }
            (Kind::Multiclass(measures), Row::Multiclass { prediction, truth }) => {
                measures.add(prediction, truth, subsamples);
            }
            _ => panic!("rows are of the problem that they were interpreted for"),
        }
    }

    /// Positive and negative rows of all rows and of each subsample, for [`Curves::new`]; zeros of other problems.
    pub fn class_counts(&self) -> [(u64, u64); SUBSAMPLES + 1] {
        match &self.kind {
            Kind::Binary(measures) => measures.class_counts(),
            Kind::Regression(_) | Kind::Multiclass(_) => [(0, 0); SUBSAMPLES + 1],
        }
    }

    /// The distribution of what predictions are off by, of a regression.
    pub fn residuals(&self) -> Option<Residuals> {
        match &self.kind {
            Kind::Regression(measures) => measures.residuals(),
            Kind::Binary(_) | Kind::Multiclass(_) => None,
        }
    }

    /// The metrics; `curves` are those of a binary classification with probabilities.
    pub fn finish(self, curves: Option<MeasuredCurves>) -> ModelQualityMetrics {
        match self.kind {
            Kind::Regression(measures) => ModelQualityMetrics::Regression(measures.finish(self.has_subsamples)),
            Kind::Binary(measures) => {
                ModelQualityMetrics::BinaryClassification(Box::new(measures.finish(curves, self.has_subsamples)))
            }
            Kind::Multiclass(measures) => {
                ModelQualityMetrics::MulticlassClassification(Box::new(measures.finish(self.has_subsamples)))
            }
        }
    }
}
