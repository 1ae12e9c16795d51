//! Which class was taken for which: a matrix for a few classes, the worst confusions for many.

use std::collections::HashMap;

use watchkeeper_formats::ConfusionMatrix;

use super::QualityDocuments;
use crate::report::figures::{Figure, readable};

/// Classes up to which the matrix is drawn.
const MOST_CLASSES_DRAWN: usize = 8;
/// Rows of the tables of many classes.
const MOST_ROWS: usize = 20;
/// How much of a cell's colour the class's rows all together have, in per cent: texts stay readable on it.
const STRONGEST: f64 = 38.0;

/// The confusions of a run.
pub(super) struct Confusion {
    /// The current matrix and the baseline's, of a few classes.
    pub(super) matrices: Vec<Matrix>,
    /// Of many classes or several sides: what goes wrong, worst first.
    pub(super) pairs: Vec<PairRow>,
    pub(super) left_out: Option<String>,
    /// Each class by itself, of more than two: the ones recognised worst first.
    pub(super) classes: Vec<ClassRow>,
    pub(super) has_baseline: bool,
}

pub(super) struct Matrix {
    pub(super) name: &'static str,
    pub(super) classes: Vec<String>,
    pub(super) rows: Vec<MatrixRow>,
}

pub(super) struct MatrixRow {
    pub(super) class: String,
    pub(super) total: Figure,
    pub(super) cells: Vec<Cell>,
}

pub(super) struct Cell {
    pub(super) count: Figure,
    /// Of the rows of the true class.
    pub(super) share: Option<Figure>,
    /// Strength of the colour in per cent.
    pub(super) strength: String,
    pub(super) is_right: bool,
}

/// Rows of one class that were taken for another.
pub(super) struct PairRow {
    pub(super) truth: String,
    pub(super) prediction: String,
    pub(super) count: Figure,
    pub(super) share: Figure,
    pub(super) baseline: Option<Figure>,
    pub(super) change: Option<Figure>,
}

/// How well one class is recognised.
pub(super) struct ClassRow {
    pub(super) class: String,
    pub(super) rows: Figure,
    pub(super) recall: Option<Figure>,
    pub(super) precision: Option<Figure>,
    pub(super) baseline: Option<Figure>,
    pub(super) change: Option<Figure>,
}

/// A matrix with what is asked of it at hand.
struct Counts<'a> {
    matrix: &'a ConfusionMatrix,
    places: HashMap<&'a str, usize>,
    true_rows: Vec<u64>,
    predicted_rows: Vec<u64>,
}

impl<'a> Counts<'a> {
    fn of(documents: &'a QualityDocuments) -> Option<Self> {
        let matrix = documents.statistics.metrics.confusion_matrix()?;
        let count = matrix.classes.len();
        let cell = |truth: usize, prediction: usize| count_in(matrix, truth, prediction);
        let sum = |counts: &mut dyn Iterator<Item = u64>| counts.fold(0, u64::saturating_add);
        Some(Self {
            matrix,
            places: matrix.classes.iter().enumerate().map(|(place, class)| (class.as_str(), place)).collect(),
            true_rows: (0..count).map(|truth| sum(&mut (0..count).map(|it| cell(truth, it)))).collect(),
            predicted_rows: (0..count).map(|it| sum(&mut (0..count).map(|truth| cell(truth, it)))).collect(),
        })
    }

    fn count(&self, truth: usize, prediction: usize) -> u64 {
        count_in(self.matrix, truth, prediction)
    }

    /// The share of a true class's rows that were taken for a class; none for a class without rows.
    fn share(&self, truth: usize, prediction: usize) -> Option<f64> {
        share(self.count(truth, prediction), self.true_rows[truth])
    }

    /// The same by name; a class that is not in the matrix was never predicted.
    fn share_of(&self, truth: &str, prediction: &str) -> Option<f64> {
        let truth = *self.places.get(truth)?;
        match self.places.get(prediction) {
            Some(&prediction) => self.share(truth, prediction),
            None => (self.true_rows[truth] > 0).then_some(0.0),
        }
    }
}

fn count_in(matrix: &ConfusionMatrix, truth: usize, prediction: usize) -> u64 {
    matrix.counts.get(truth).and_then(|counts| counts.get(prediction)).copied().unwrap_or(0)
}

fn share(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

impl Confusion {
    /// None for regressions.
    pub(super) fn new(baseline: Option<&QualityDocuments>, current: &QualityDocuments) -> Option<Self> {
        let counts = Counts::of(current)?;
        let before = baseline.and_then(Counts::of);
        let name = if before.is_some() { "Current" } else { "Labels and predictions" };
        let is_drawn = |counts: &Counts<'_>| counts.matrix.classes.len() <= MOST_CLASSES_DRAWN;
        let mut matrices = Vec::new();
        if is_drawn(&counts) && before.as_ref().is_none_or(is_drawn) {
            matrices.extend(before.as_ref().map(|before| Matrix::new("Baseline", before)));
            matrices.push(Matrix::new(name, &counts));
        }
        let has_many = counts.matrix.classes.len() > 2;
        let (pairs, count) = if has_many { pairs(&counts, before.as_ref()) } else { (Vec::new(), 0) };
        Some(Self {
            left_out: (count > pairs.len()).then(|| format!("The worst {} of {count} confusions.", pairs.len())),
            pairs,
            classes: if has_many { classes(&counts, before.as_ref()) } else { Vec::new() },
            has_baseline: before.is_some(),
            matrices,
        })
    }
}

impl Matrix {
    fn new(name: &'static str, counts: &Counts<'_>) -> Self {
        let classes = &counts.matrix.classes;
        let cell = |truth: usize, prediction: usize| {
            let share = counts.share(truth, prediction);
            Cell {
                count: Figure::count(counts.count(truth, prediction)),
                share: share.map(|share| Figure::rounded_share(share, 3)),
                strength: format!("{:.0}", share.unwrap_or(0.0) * STRONGEST),
                is_right: truth == prediction,
            }
        };
        let row = |truth: usize| MatrixRow {
            class: readable(&classes[truth]),
            total: Figure::count(counts.true_rows[truth]),
            cells: (0..classes.len()).map(|prediction| cell(truth, prediction)).collect(),
        };
        Self {
            name,
            classes: classes.iter().map(|class| readable(class)).collect(),
            rows: (0..classes.len()).map(row).collect(),
        }
    }
}

/// The worst confusions and how many there are. Against a baseline the worst are those with the most rows beyond what its shares
/// would have made, so a large class that was always confused a little does not hide a small one that is confused now.
fn pairs(counts: &Counts<'_>, before: Option<&Counts<'_>>) -> (Vec<PairRow>, usize) {
    struct Pair {
        truth: usize,
        prediction: usize,
        count: u64,
        baseline: Option<f64>,
        weight: f64,
    }
    let classes = &counts.matrix.classes;
    let mut found = Vec::new();
    for truth in 0..classes.len() {
        for prediction in (0..classes.len()).filter(|&it| it != truth) {
            let count = counts.count(truth, prediction);
            if count == 0 {
                continue;
            }
            let baseline = before.and_then(|before| before.share_of(&classes[truth], &classes[prediction]));
            let weight = count as f64 - baseline.unwrap_or(0.0) * counts.true_rows[truth] as f64;
            found.push(Pair { truth, prediction, count, baseline, weight });
        }
    }
    let total = found.len();
    found.sort_by(|left, right| right.weight.total_cmp(&left.weight).then(right.count.cmp(&left.count)));
    let row = |pair: Pair| {
        let share = pair.count as f64 / counts.true_rows[pair.truth] as f64;
        PairRow {
            truth: readable(&classes[pair.truth]),
            prediction: readable(&classes[pair.prediction]),
            count: Figure::count(pair.count),
            share: Figure::rounded_share(share, 3),
            baseline: pair.baseline.map(|share| Figure::rounded_share(share, 3)),
            change: pair.baseline.map(|baseline| Figure::signed_tenths_of_points(share - baseline)),
        }
    };
    (found.into_iter().take(MOST_ROWS).map(row).collect(), total)
}

/// The classes, first those with the most rows not recognised that the baseline's recall would have recognised; without a baseline
/// those with the most rows not recognised.
fn classes(counts: &Counts<'_>, before: Option<&Counts<'_>>) -> Vec<ClassRow> {
    let classes = &counts.matrix.classes;
    let recall = |place: usize| counts.share(place, place);
    let baseline = |place: usize| before.and_then(|it| it.share_of(&classes[place], &classes[place]));
    let change = |place: usize| Some(recall(place)? - baseline(place)?);
    let mut places: Vec<usize> = (0..classes.len()).collect();
    let missed = |place: usize| {
        let share = if before.is_some() { change(place) } else { recall(place).map(|recall| recall - 1.0) };
        share.map_or(f64::NEG_INFINITY, |share| -share * counts.true_rows[place] as f64)
    };
    places.sort_by(|&left, &right| missed(right).total_cmp(&missed(left)));
    let figure = |share: Option<f64>| share.map(|share| Figure::rounded_share(share, 3));
    let row = |place: usize| ClassRow {
        class: readable(&classes[place]),
        rows: Figure::count(counts.true_rows[place]),
        recall: figure(recall(place)),
        precision: figure(share(counts.count(place, place), counts.predicted_rows[place])),
        baseline: figure(baseline(place)),
        change: change(place).map(Figure::signed_tenths_of_points),
    };
    places.into_iter().take(MOST_ROWS).map(row).collect()
}
