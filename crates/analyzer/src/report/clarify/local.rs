//! Attributions of single rows, as far as they are known: the swarm of a label and the waterfalls of some rows are made of them.

use crate::clarify::LocalAttributions;

/// Attributions of single rows of which the shape has been checked.
#[derive(Clone, Copy)]
pub(super) struct Local<'a> {
    of: &'a LocalAttributions,
    pub(super) rows: usize,
}

impl<'a> Local<'a> {
    /// None where there are no rows, or values are missing.
    pub(super) fn new(of: &'a LocalAttributions) -> Option<Self> {
        let width = of.labels.len() * of.features.len();
        let rows = of.values.len().checked_div(width)?;
        (rows > 0 && rows * width == of.values.len()).then_some(Self { of, rows })
    }

    pub(super) fn features(self) -> &'a [String] {
        &self.of.features
    }

    /// The place of a label.
    pub(super) fn label(self, name: &str) -> Option<usize> {
        self.of.labels.iter().position(|label| label == name)
    }

    /// The attributions of a row to a label, feature after feature.
    pub(super) fn values(self, row: usize, label: usize) -> &'a [f64] {
        let features = self.of.features.len();
        &self.of.values[(row * self.of.labels.len() + label) * features..][..features]
    }

    /// A cell as written, where cells are known.
    pub(super) fn cell(self, row: usize, feature: usize) -> Option<&'a str> {
        let is_known = self.of.cells.len() == self.rows * self.of.features.len();
        is_known.then(|| self.of.cells[row * self.of.features.len() + feature].as_str())
    }

    /// The score of a row before the link, where scores are known.
    pub(super) fn prediction(self, row: usize, label: usize) -> Option<f64> {
        let is_known = self.of.predictions.len() == self.rows * self.of.labels.len();
        is_known.then(|| self.of.predictions[row * self.of.labels.len() + label])
    }

    /// What the row is called by its data.
    pub(super) fn join(self, row: usize) -> Option<(&'a str, &'a str)> {
        let (name, cells) = self.of.join.as_ref()?;
        Some((name, cells.get(row)?))
    }

    /// Up to so many rows, evenly spaced.
    pub(super) fn sample(self, most: usize) -> Vec<usize> {
        if self.rows <= most {
            return (0..self.rows).collect();
        }
        (0..most).map(|place| place * self.rows / most).collect()
    }
}
