//! ROC and precision-recall curves, and the area under the former, exact: from scores in order, ties in one step.

use watchkeeper_formats::{Metric, PrecisionRecallCurve, ReceiverOperatingCharacteristicCurve};

use super::SUBSAMPLES;
use super::spread::{SAMPLES, metric, ratio, samples};

/// Points that curves keep of the steps of all rows, about.
const MOST_POINTS: u64 = 100_000;

/// A row as the curves take it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoredRow {
    /// The score, finite.
    pub score: f64,
    /// Whether it is of the positive class.
    pub is_positive: bool,
    /// The subsamples that it is in.
    pub subsamples: u8,
}

/// The curves of all rows, and the area under the ROC curve with its spread.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // the field's standard names
pub struct MeasuredCurves {
    pub receiver_operating_characteristic: ReceiverOperatingCharacteristicCurve,
    pub precision_recall: PrecisionRecallCurve,
    pub auc: Metric,
}

/// The curves in the making.
pub struct Curves {
    positives: [u64; SAMPLES],
    negatives: [u64; SAMPLES],
    /// Samples that there are: all rows, or these and the subsamples.
    samples: usize,
    true_positives: [u64; SAMPLES],
    false_positives: [u64; SAMPLES],
    /// The last point of each ROC curve: false and true positive rate.
    last: [(f64, f64); SAMPLES],
    area: [f64; SAMPLES],
    /// The score of the rows that have come since the last step.
    score: Option<f64>,
    steps: u64,
    /// Every so many steps a point is kept.
    interval: u64,
    roc: ReceiverOperatingCharacteristicCurve,
    precision_recall: PrecisionRecallCurve,
}

impl Curves {
    /// `class_counts` are those of [`super::Measures::class_counts`], `distinct_scores` the number of different scores of all rows, which
    /// says how many points are kept.
    pub fn new(class_counts: [(u64, u64); SUBSAMPLES + 1], distinct_scores: u64) -> Self {
        let has_subsamples = class_counts[1..].iter().any(|&(positives, negatives)| positives + negatives > 0);
        let mut curves = Self {
            positives: class_counts.map(|(positives, _)| positives),
            negatives: class_counts.map(|(_, negatives)| negatives),
            samples: if has_subsamples { SAMPLES } else { 1 },
            true_positives: [0; SAMPLES],
            false_positives: [0; SAMPLES],
            last: [(0.0, 0.0); SAMPLES],
            area: [0.0; SAMPLES],
            score: None,
            steps: 0,
            interval: distinct_scores.div_ceil(MOST_POINTS).max(1),
            roc: ReceiverOperatingCharacteristicCurve::default(),
            precision_recall: PrecisionRecallCurve::default(),
        };
        curves.keep_roc((0.0, 0.0));
        curves
    }

    /// Takes the next row; scores never rise.
    #[inline]
    pub fn add(&mut self, row: ScoredRow) {
        if self.score != Some(row.score) {
            if self.score.is_some() {
                self.step();
            }
            self.score = Some(row.score);
        }
        let samples = samples(row.subsamples);
        let counts = if row.is_positive { &mut self.true_positives } else { &mut self.false_positives };
        for (index, count) in counts.iter_mut().enumerate() {
            *count += u64::from(samples >> index & 1);
        }
    }

    /// The curves.
    pub fn finish(mut self) -> MeasuredCurves {
        if self.score.is_some() {
            self.step();
            let is_kept = (self.steps - 1).is_multiple_of(self.interval);
            if !is_kept {
                self.keep();
            }
        }
        for sample in 0..self.samples {
            self.advance(sample, (1.0, 1.0));
        }
        self.keep_roc((1.0, 1.0));
        MeasuredCurves {
            receiver_operating_characteristic: self.roc,
            precision_recall: self.precision_recall,
            auc: metric(&self.area, self.samples == SAMPLES),
        }
    }

    /// Ends the rows of a score.
    fn step(&mut self) {
        for sample in 0..self.samples {
            let false_positive_rate = ratio(self.false_positives[sample], self.negatives[sample]);
            let true_positive_rate = ratio(self.true_positives[sample], self.positives[sample]);
            self.advance(sample, (false_positive_rate, true_positive_rate));
        }
        if self.steps.is_multiple_of(self.interval) {
            self.keep();
        }
        self.steps += 1;
    }

    /// Adds the trapezoid below the line to the next point.
    #[inline]
    fn advance(&mut self, sample: usize, (x, y): (f64, f64)) {
        let (last_x, last_y) = self.last[sample];
        self.area[sample] += (x - last_x) * (y + last_y) / 2.0;
        self.last[sample] = (x, y);
    }

    /// Keeps the point of all rows.
    fn keep(&mut self) {
        self.keep_roc(self.last[0]);
        let predicted = self.true_positives[0] + self.false_positives[0];
        let precision = ratio(self.true_positives[0], predicted);
        let curve = &mut self.precision_recall;
        if curve.recalls.is_empty() {
            curve.recalls.push(0.0);
            curve.precisions.push(precision);
        }
        curve.recalls.push(self.last[0].1);
        curve.precisions.push(precision);
    }

    fn keep_roc(&mut self, (false_positive_rate, true_positive_rate): (f64, f64)) {
        self.roc.false_positive_rates.push(false_positive_rate);
        self.roc.true_positive_rates.push(true_positive_rate);
    }
}

impl ScoredRow {
    /// Ten bytes whose order as bytes is that of falling scores; rows of one score are together.
    #[inline]
    pub fn to_bytes(self) -> [u8; 10] {
        // The order of the bits is that of the numbers once those of negative ones are turned round; 0 and -0 are one score.
        let bits = (self.score + 0.0).to_bits();
        let rising = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&(!rising).to_be_bytes());
        bytes[8] = u8::from(self.is_positive);
        bytes[9] = self.subsamples;
        bytes
    }

    /// The reverse of [`Self::to_bytes`].
    #[inline]
    pub fn from_bytes(bytes: [u8; 10]) -> Self {
        let [a, b, c, d, e, f, g, h, is_positive, subsamples] = bytes;
        let rising = !u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let bits = if rising >> 63 == 1 { rising & !(1 << 63) } else { !rising };
        Self { score: f64::from_bits(bits), is_positive: is_positive == 1, subsamples }
    }
}
