//! Metrics of one of any number of classes (sections 3.4 and 3.5), in the order of operations of Spark's `MulticlassMetrics`.

use watchkeeper_formats::{ConfusionMatrix, MulticlassClassificationMetrics};

use super::classes::ClassOrder;
use super::spread::{BETAS_SQUARED, Measured, SAMPLES, f_score, ratio, samples};

/// The confusion matrix of all rows, and of each sample what its metrics need.
pub(super) struct MulticlassMeasures {
    order: ClassOrder,
    /// A row for each true class, classes in the order in which they were met.
    matrix: Vec<Vec<u64>>,
    samples: [Vec<ClassCounts>; SAMPLES],
}

/// Rows of one class.
#[derive(Clone, Copy, Default)]
struct ClassCounts {
    labelled: u64,
    predicted: u64,
    correct: u64,
}

impl MulticlassMeasures {
    pub(super) fn new(order: ClassOrder) -> Self {
        let classes = order.names.len();
        Self {
            matrix: (0..classes).map(|_| vec![0; classes]).collect(),
            samples: std::array::from_fn(|_| vec![ClassCounts::default(); classes]),
            order,
        }
    }

    #[inline]
    pub(super) fn add(&mut self, prediction: u32, truth: u32, subsamples: u8) {
        let (prediction, truth) = (prediction as usize, truth as usize);
        self.matrix[truth][prediction] += 1;
        let samples = samples(subsamples);
        let is_correct = u64::from(prediction == truth);
        for (index, counts) in self.samples.iter_mut().enumerate() {
            // Adding a nought is cheaper than a jump that cannot be foreseen.
            let is_in_sample = u64::from(samples >> index & 1);
            counts[truth].labelled += is_in_sample;
            counts[truth].correct += is_in_sample & is_correct;
            counts[prediction].predicted += is_in_sample;
        }
    }

    pub(super) fn finish(self, has_subsamples: bool) -> MulticlassClassificationMetrics {
        let in_order = |counts: &Vec<ClassCounts>| -> Vec<ClassCounts> {
            self.order.ids.iter().map(|&id| counts[id as usize]).collect()
        };
        let classes = self.samples.each_ref().map(in_order);
        let measured = Measured { values: classes.each_ref().map(|classes| metrics(classes)), has_subsamples };
        let best_constant =
            Measured { values: classes.each_ref().map(|classes| best_constant(classes)), has_subsamples };
        let [accuracy, weighted_recall, weighted_precision, weighted_f0_5, weighted_f1, weighted_f2] =
            measured.metrics();
        let [
            accuracy_best_constant_classifier,
            weighted_recall_best_constant_classifier,
            weighted_precision_best_constant_classifier,
            weighted_f0_5_best_constant_classifier,
            weighted_f1_best_constant_classifier,
            weighted_f2_best_constant_classifier,
        ] = best_constant.metrics();
        MulticlassClassificationMetrics {
            confusion_matrix: self.confusion_matrix(),
            accuracy,
            weighted_recall,
            weighted_precision,
            weighted_f0_5,
            weighted_f1,
            weighted_f2,
            accuracy_best_constant_classifier,
            weighted_recall_best_constant_classifier,
            weighted_precision_best_constant_classifier,
            weighted_f0_5_best_constant_classifier,
            weighted_f1_best_constant_classifier,
            weighted_f2_best_constant_classifier,
        }
    }

    /// Takes row by row, so that there is no second matrix of thousands of classes.
    fn confusion_matrix(mut self) -> ConfusionMatrix {
        let ids = &self.order.ids;
        let mut row = |truth: &u32| {
            let row = std::mem::take(&mut self.matrix[*truth as usize]);
            ids.iter().map(|&prediction| row[prediction as usize]).collect()
        };
        let counts = ids.iter().map(&mut row).collect();
        ConfusionMatrix { classes: self.order.names, counts }
    }
}

/// accuracy, and recall, precision and the three F-scores of the classes weighted by their labels.
fn metrics(classes: &[ClassCounts]) -> [f64; 6] {
    let rows: u64 = classes.iter().map(|class| class.labelled).sum();
    let correct: u64 = classes.iter().map(|class| class.correct).sum();
    let precision = |class: &ClassCounts| ratio(class.correct, class.predicted);
    let recall = |class: &ClassCounts| ratio(class.correct, class.labelled);
    let weighted = |of_class: &dyn Fn(&ClassCounts) -> f64| {
        classes.iter().fold(0.0, |sum, class| sum + of_class(class) * class.labelled as f64 / rows as f64)
    };
    let [f0_5, f1, f2] =
        BETAS_SQUARED.map(|beta_squared| weighted(&|class| f_score(beta_squared, precision(class), recall(class))));
    [ratio(correct, rows), weighted(&recall), weighted(&precision), f0_5, f1, f2]
}

/// The same of always answering the class with the most labels, which of equals is the one that sorts first.
fn best_constant(classes: &[ClassCounts]) -> [f64; 6] {
    let rows: u64 = classes.iter().map(|class| class.labelled).sum();
    let majority = classes.iter().map(|class| class.labelled).max().unwrap_or(0);
    best_constant_of(majority, rows)
}

fn best_constant_of(majority: u64, rows: u64) -> [f64; 6] {
    let share = ratio(majority, rows);
    let weighted = |value: f64| value * majority as f64 / rows as f64;
    let [f0_5, f1, f2] = BETAS_SQUARED.map(|beta_squared| weighted(f_score(beta_squared, share, 1.0)));
    [share, share, weighted(share), f0_5, f1, f2]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The numbers printed in the developer guide, of always answering a class that is not the majority.
    #[test]
    fn best_constant_is_that_of_the_guide() {
        let case: serde_json::Value = serde_json::from_str(include_str!(
            "../../../analyzer/tests/goldens/model-quality/documented-multiclass-and-regression/case.json"
        ))
        .unwrap();
        let printed = |name: &str| case["best_constant_in_document"][name].as_f64().unwrap();
        assert_eq!(
            best_constant_of(406, 2096),
            [
                printed("accuracy"),
                printed("accuracy"),
                printed("weighted_precision"),
                printed("weighted_f0_5"),
                printed("weighted_f1"),
                printed("weighted_f2"),
            ]
        );
    }
}
