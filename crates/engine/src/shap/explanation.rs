//! The attributions of one row: which coalitions are to be scored, and what follows from their scores (section 3).
//!
//! The regression of section 3.3 in the form that is cheapest here. Its last feature is eliminated; a set that holds the last feature
//! and its complement then differ in sign alone, so that every set stands for the one of both without the last feature, and the
//! matrix of normal equations counts in how many sets two features meet.

use super::coalitions::{Coalitions, Sample, contains, set_of};
use super::least_squares::NormalEquations;

/// Attributions nearer to zero are zero, as in the shap library.
const NOTHING: f64 = 1e-10;

/// What predictions are put through before they are explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Nothing.
    Identity,
    /// Log-odds, of probabilities cut to [1e-12, 1 − 1e-12].
    Logit,
}

impl Link {
    /// The link of a mean prediction.
    pub fn of(self, prediction: f64) -> f64 {
        match self {
            Self::Identity => prediction,
            Self::Logit => {
                let probability = prediction.clamp(1e-12, 1.0 - 1e-12);
                (probability / (1.0 - probability)).ln()
            }
        }
    }
}

/// One row that is being explained.
#[derive(Clone, Debug)]
pub struct Explanation {
    features: usize,
    /// The features that vary, ascending.
    varying: Vec<usize>,
    coalitions: Coalitions,
    weights: Vec<f64>,
    equations: NormalEquations,
}

impl Explanation {
    /// Of a row of so many features. `varying`: features (ascending) that differ from at least one background row and are to be explained.
    /// `num_samples`: None for the default of so many features. `seed` and `row` make the generator.
    pub fn new(features: usize, varying: &[usize], num_samples: Option<u64>, seed: u64, row: u64) -> Self {
        let samples = Coalitions::count(features, varying.len(), num_samples);
        let varying = varying.to_vec();
        if samples == 0 {
            let coalitions = Coalitions { words: Vec::new(), words_each: features.div_ceil(64) };
            let equations = NormalEquations::none();
            return Self { features, varying, coalitions, weights: Vec::new(), equations };
        }
        let sample = Sample::new(features, &varying, samples, seed, row);
        let equations = NormalEquations::of(&sample, &varying);
        Self { features, varying, coalitions: sample.coalitions, weights: sample.weights, equations }
    }

    /// The coalitions to be scored beside the full one (the row itself) and the empty one (the background rows, but for features that
    /// are not to be explained).
    pub fn coalitions(&self) -> &Coalitions {
        &self.coalitions
    }

    /// The attributions of all features, in order, of one output. `values[i]` is the link of the mean prediction over the background of
    /// coalition i, `none` and `all` those of the empty and of the full one.
    ///
    /// # Panics
    /// When there are not as many values as coalitions.
    pub fn attributions(&self, values: &[f64], none: f64, all: f64) -> Vec<f64> {
        assert_eq!(values.len(), self.weights.len(), "every coalition has a value");
        let mut attributions = vec![0.0; self.features];
        let Some((&last, others)) = self.varying.split_last() else { return attributions };
        let total = all - none;
        if others.is_empty() {
            attributions[last] = total;
            return attributions;
        }
        let solution = self.equations.solve(&self.right_side(values, none, total));
        attributions[last] = total - solution.iter().sum::<f64>();
        for (&feature, value) in others.iter().zip(solution) {
            attributions[feature] = value;
        }
        for value in &mut attributions {
            if value.abs() < NOTHING {
                *value = 0.0;
            }
        }
        attributions
    }

    /// The right side of the normal equations, for all varying features but the last.
    fn right_side(&self, values: &[f64], none: f64, total: f64) -> Vec<f64> {
        let folding = Folding::new(self.features, &self.varying);
        let mut sums = vec![0.0; self.coalitions.words_each * 64];
        for (place, (value, weight)) in values.iter().zip(&self.weights).enumerate() {
            let set = self.coalitions.set(place);
            let value = value - none;
            let is_turned = folding.is_turned(set);
            let weighted = weight * if is_turned { total - value } else { value };
            for (index, sums) in sums.chunks_exact_mut(64).enumerate() {
                let mut word = folding.word(set, index, is_turned);
                while word != 0 {
                    sums[word.trailing_zeros() as usize] += weighted;
                    word &= word - 1;
                }
            }
        }
        self.varying[..self.varying.len() - 1].iter().map(|&feature| sums[feature]).collect()
    }
}

/// Of a set and its complement, the one without the last varying feature.
pub(super) struct Folding {
    mask: Vec<u64>,
    last: usize,
}

impl Folding {
    /// Of rows of so many features, of which these vary.
    pub fn new(features: usize, varying: &[usize]) -> Self {
        let mask = set_of(features.div_ceil(64), varying.iter().copied());
        Self { mask, last: varying.last().copied().unwrap_or(0) }
    }

    /// Whether the complement stands for the set.
    pub fn is_turned(&self, set: &[u64]) -> bool {
        contains(set, self.last)
    }

    /// A word of the varying features of what stands for the set.
    pub fn word(&self, set: &[u64], index: usize, is_turned: bool) -> u64 {
        (if is_turned { !set[index] } else { set[index] }) & self.mask[index]
    }
}
