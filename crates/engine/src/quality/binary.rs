//! Metrics of one of two classes (sections 3.3 and 3.5), from counts alone; curves are another matter.

use watchkeeper_formats::{BinaryClassificationMetrics, ConfusionMatrix};

use super::MeasuredCurves;
use super::spread::{BETAS_SQUARED, Measured, SAMPLES, f_score, ratio, samples};

/// How many combinations of subsamples there are.
const COMBINATIONS: usize = 1 << super::SUBSAMPLES;

/// Rows by true and predicted class, for each combination of subsamples that rows are in: a row adds to one number, and the
/// samples are put together at the end.
pub(super) struct BinaryMeasures {
    counts: [[u64; 4]; COMBINATIONS],
}

/// The four cells of a confusion matrix.
#[derive(Clone, Copy, Default)]
struct Outcomes {
    true_negatives: u64,
    false_positives: u64,
    false_negatives: u64,
    true_positives: u64,
}

impl BinaryMeasures {
    pub(super) fn new() -> Self {
        Self { counts: [[0; 4]; COMBINATIONS] }
    }

    #[inline]
    pub(super) fn add(&mut self, prediction: bool, truth: bool, subsamples: u8) {
        let cell = usize::from(truth) << 1 | usize::from(prediction);
        self.counts[usize::from(subsamples) % COMBINATIONS][cell] += 1;
    }

    fn outcomes(&self) -> [Outcomes; SAMPLES] {
        std::array::from_fn(|sample| {
            let is_in_sample = |(subsamples, _): &(u8, _)| samples(*subsamples) >> sample & 1 == 1;
            let mut sum = Outcomes::default();
            for (_, [true_negatives, false_positives, false_negatives, true_positives]) in
                (0..).zip(&self.counts).filter(is_in_sample)
            {
                sum.true_negatives += true_negatives;
                sum.false_positives += false_positives;
                sum.false_negatives += false_negatives;
                sum.true_positives += true_positives;
            }
            sum
        })
    }

    /// Positive and negative rows of every sample.
    pub(super) fn class_counts(&self) -> [(u64, u64); SAMPLES] {
        self.outcomes().map(|outcomes| (outcomes.positives(), outcomes.negatives()))
    }

    pub(super) fn finish(&self, curves: Option<MeasuredCurves>, has_subsamples: bool) -> BinaryClassificationMetrics {
        let outcomes = self.outcomes();
        let measured = Measured { values: outcomes.map(Outcomes::metrics), has_subsamples };
        let best_constant = Measured { values: outcomes.map(Outcomes::best_constant), has_subsamples };
        let [recall, precision, accuracy, true_negative_rate, false_positive_rate, false_negative_rate, f0_5, f1, f2] =
            measured.metrics();
        let [
            recall_best_constant_classifier,
            precision_best_constant_classifier,
            accuracy_best_constant_classifier,
            f0_5_best_constant_classifier,
            f1_best_constant_classifier,
            f2_best_constant_classifier,
        ] = best_constant.metrics();
        let (roc, precision_recall_curve, auc) = match curves {
            Some(curves) => {
                (Some(curves.receiver_operating_characteristic), Some(curves.precision_recall), Some(curves.auc))
            }
            None => (None, None, None),
        };
        BinaryClassificationMetrics {
            confusion_matrix: outcomes[0].confusion_matrix(),
            recall,
            precision,
            accuracy,
            recall_best_constant_classifier,
            precision_best_constant_classifier,
            accuracy_best_constant_classifier,
            true_positive_rate: recall,
            true_negative_rate,
            false_positive_rate,
            false_negative_rate,
            receiver_operating_characteristic_curve: roc,
            precision_recall_curve,
            auc,
            f0_5,
            f1,
            f2,
            f0_5_best_constant_classifier,
            f1_best_constant_classifier,
            f2_best_constant_classifier,
        }
    }
}

impl Outcomes {
    fn positives(self) -> u64 {
        self.true_positives + self.false_negatives
    }

    fn negatives(self) -> u64 {
        self.true_negatives + self.false_positives
    }

    fn confusion_matrix(self) -> ConfusionMatrix {
        ConfusionMatrix {
            classes: vec!["0".to_owned(), "1".to_owned()],
            counts: vec![
                vec![self.true_negatives, self.false_positives],
                vec![self.false_negatives, self.true_positives],
            ],
        }
    }

    /// recall, precision, accuracy, true negative, false positive and false negative rate, and the three F-scores. The rates that
    /// are one minus another are so to the last digit.
    fn metrics(self) -> [f64; 9] {
        let recall = ratio(self.true_positives, self.positives());
        let precision = ratio(self.true_positives, self.true_positives + self.false_positives);
        let accuracy = ratio(self.true_positives + self.true_negatives, self.positives() + self.negatives());
        let false_positive_rate = ratio(self.false_positives, self.negatives());
        let [f0_5, f1, f2] = BETAS_SQUARED.map(|beta_squared| f_score(beta_squared, precision, recall));
        [recall, precision, accuracy, 1.0 - false_positive_rate, false_positive_rate, 1.0 - recall, f0_5, f1, f2]
    }

    /// recall, precision, accuracy and the three F-scores of always answering the majority; of as many of both that is 0.
    fn best_constant(self) -> [f64; 6] {
        let (positives, negatives) = (self.positives(), self.negatives());
        if positives <= negatives {
            return [0.0, 0.0, ratio(negatives, positives + negatives), 0.0, 0.0, 0.0];
        }
        let share = ratio(positives, positives + negatives);
        let [f0_5, f1, f2] = BETAS_SQUARED.map(|beta_squared| f_score(beta_squared, share, 1.0));
        [1.0, share, share, f0_5, f1, f2]
    }
}
