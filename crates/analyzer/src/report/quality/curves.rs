//! ROC and precision-recall curves, the baseline's below the current ones.
//!
//! A curve may have a hundred thousand points; the drawing keeps what can be seen of them.

use std::fmt::Write;

use watchkeeper_formats::{BinaryClassificationMetrics, ModelQualityMetrics};

use super::QualityDocuments;
use crate::report::figures::{Figure, Prose};

/// Sides of the box that curves are drawn in.
const SIDE: f64 = 400.0;
/// Where the table reads the ROC curve.
const FALSE_POSITIVE_RATES: [f64; 6] = [0.01, 0.05, 0.1, 0.2, 0.3, 0.5];
/// Where the table reads the precision-recall curve.
const RECALLS: [f64; 6] = [0.1, 0.25, 0.5, 0.75, 0.9, 1.0];

/// One drawing with its table.
pub(super) struct CurvePanel {
    /// `roc` or `precision-recall`.
    pub(super) class: &'static str,
    pub(super) caption: &'static str,
    pub(super) horizontal: &'static str,
    pub(super) vertical: &'static str,
    /// What guessing would have.
    pub(super) guessing: String,
    pub(super) baseline: Option<Curve>,
    pub(super) current: Option<Curve>,
    /// What the drawing says in words.
    pub(super) prose: Prose,
    pub(super) reading: &'static str,
    pub(super) rows: Vec<ReadingRow>,
}

/// A curve and the point of the predictions as they were made.
pub(super) struct Curve {
    pub(super) path: String,
    pub(super) dot: String,
}

/// The curves at one place.
pub(super) struct ReadingRow {
    pub(super) at: Figure,
    pub(super) baseline: Option<Figure>,
    pub(super) current: Option<Figure>,
}

/// Points with the horizontal coordinate ascending, and the point of the predictions.
struct Points {
    curve: Vec<(f64, f64)>,
    predictions: (f64, f64),
}

fn binary(documents: &QualityDocuments) -> Option<&BinaryClassificationMetrics> {
    match &documents.statistics.metrics {
        ModelQualityMetrics::BinaryClassification(metrics) => Some(metrics),
        _ => None,
    }
}

/// Both drawings, those of them that there are points for.
pub(super) fn panels(baseline: Option<&QualityDocuments>, current: &QualityDocuments) -> Vec<CurvePanel> {
    let (baseline, current) = (baseline.and_then(binary), binary(current));
    let points = |read: fn(&BinaryClassificationMetrics) -> Option<Points>| {
        let sides = (baseline.and_then(read), current.and_then(read));
        (sides.0.is_some() || sides.1.is_some()).then_some(sides)
    };
    let roc = points(roc_points).map(|(before, now)| CurvePanel {
        class: "roc",
        caption: "ROC curve",
        horizontal: "False positive rate",
        vertical: "True positive rate",
        guessing: format!("M0 {SIDE}L{SIDE} 0"),
        prose: areas(baseline, current),
        reading: "True positive rate reached at a false positive rate of at most",
        rows: readings(&FALSE_POSITIVE_RATES, before.as_ref(), now.as_ref(), |points, at| highest(points, |x| x <= at)),
        baseline: before.map(|it| it.draw()),
        current: now.map(|it| it.draw()),
    });
    let precision_recall = points(precision_recall_points).map(|(before, now)| CurvePanel {
        class: "precision-recall",
        caption: "Precision-recall curve",
        horizontal: "Recall",
        vertical: "Precision",
        guessing: current.or(baseline).and_then(positive_share).map_or_else(String::new, |share| {
            let (_, y) = place((0.0, share));
            format!("M0 {y}H{SIDE}")
        }),
        prose: positives(baseline, current),
        reading: "Best precision at a recall of at least",
        rows: readings(&RECALLS, before.as_ref(), now.as_ref(), |points, at| highest(points, |x| x >= at)),
        baseline: before.map(|it| it.draw()),
        current: now.map(|it| it.draw()),
    });
    roc.into_iter().chain(precision_recall).collect()
}

fn roc_points(metrics: &BinaryClassificationMetrics) -> Option<Points> {
    let curve = metrics.receiver_operating_characteristic_curve.as_ref()?;
    let predictions = (metrics.false_positive_rate.value, metrics.true_positive_rate.value);
    Points::new(&curve.false_positive_rates, &curve.true_positive_rates, predictions)
}

fn precision_recall_points(metrics: &BinaryClassificationMetrics) -> Option<Points> {
    let curve = metrics.precision_recall_curve.as_ref()?;
    Points::new(&curve.recalls, &curve.precisions, (metrics.recall.value, metrics.precision.value))
}

/// The share of rows that are truly 1.
pub(super) fn positive_share(metrics: &BinaryClassificationMetrics) -> Option<f64> {
    let matrix = &metrics.confusion_matrix;
    let rows = |counts: &Vec<u64>| counts.iter().map(|&count| count as f64).sum::<f64>();
    let all: f64 = matrix.counts.iter().map(rows).sum();
    let place = matrix.classes.iter().position(|class| class == "1")?;
    (all > 0.0).then(|| matrix.counts.get(place).map_or(0.0, rows) / all)
}

fn areas(baseline: Option<&BinaryClassificationMetrics>, current: Option<&BinaryClassificationMetrics>) -> Prose {
    let area = |metrics: Option<&BinaryClassificationMetrics>| metrics.and_then(|it| it.auc).map(|auc| auc.value);
    match (area(current), area(baseline)) {
        (Some(current), Some(baseline)) => {
            Prose::new("Area ").number(current).words(", baseline ").number(baseline).words("; guessing has 0.5.")
        }
        (Some(only), None) | (None, Some(only)) => Prose::new("Area ").number(only).words("; guessing has 0.5."),
        (None, None) => Prose::default(),
    }
}

fn positives(baseline: Option<&BinaryClassificationMetrics>, current: Option<&BinaryClassificationMetrics>) -> Prose {
    let share = |metrics: Option<&BinaryClassificationMetrics>| metrics.and_then(positive_share);
    let prose = Prose::new("Guessing has the share of true 1 as its precision, ");
    match (share(current), share(baseline)) {
        (Some(current), Some(baseline)) => prose.share(current).words(" (baseline ").share(baseline).words(")."),
        (Some(only), None) | (None, Some(only)) => prose.share(only).words("."),
        (None, None) => Prose::default(),
    }
}

fn highest(points: &Points, is_wanted: impl Fn(f64) -> bool) -> Option<f64> {
    points.curve.iter().filter(|(x, _)| is_wanted(*x)).map(|(_, y)| *y).reduce(f64::max)
}

fn readings(
    places: &[f64],
    baseline: Option<&Points>,
    current: Option<&Points>,
    read: impl Fn(&Points, f64) -> Option<f64>,
) -> Vec<ReadingRow> {
    let figure = |points: Option<&Points>, at| points.and_then(|points| read(points, at)).map(Figure::share);
    let row =
        |&at: &f64| ReadingRow { at: Figure::share(at), baseline: figure(baseline, at), current: figure(current, at) };
    places.iter().map(row).collect()
}

impl Points {
    /// What of a file is no point of the unit square is left out. None when nothing is left.
    fn new(horizontal: &[f64], vertical: &[f64], predictions: (f64, f64)) -> Option<Self> {
        let is_share = |share: &f64| (0.0..=1.0).contains(share);
        let points = horizontal.iter().copied().zip(vertical.iter().copied());
        let curve: Vec<(f64, f64)> = points.filter(|(x, y)| is_share(x) && is_share(y)).collect();
        (!curve.is_empty()).then_some(Self { curve, predictions })
    }

    fn draw(&self) -> Curve {
        let (x, y) = place(self.predictions);
        Curve { path: path(&self.curve), dot: format!("M{x} {y}h0") }
    }
}

/// In the box: whole numbers, the vertical one from the top.
fn place((x, y): (f64, f64)) -> (i32, i32) {
    let whole = |share: f64| (share.clamp(0.0, 1.0) * SIDE).round() as i32;
    (whole(x), SIDE as i32 - whole(y))
}

/// The line through points of ascending horizontal coordinate. Of those in one column of the box it has the first, the highest, the
/// lowest and the last.
fn path(points: &[(f64, f64)]) -> String {
    let places: Vec<(i32, i32)> = points.iter().map(|&point| place(point)).collect();
    let mut path = String::new();
    let mut pen: Option<(i32, i32)> = None;
    for column in places.chunk_by(|left, right| left.0 == right.0) {
        let index_of = |y: Option<i32>| column.iter().position(|it| Some(it.1) == y);
        let lowest = index_of(column.iter().map(|it| it.1).max());
        let highest = index_of(column.iter().map(|it| it.1).min());
        let mut kept = [Some(0), lowest, highest, Some(column.len() - 1)];
        kept.sort_unstable();
        for (x, y) in kept.into_iter().flatten().map(|index| column[index]) {
            match pen {
                None => write!(path, "M{x} {y}"),
                Some(pen) if pen == (x, y) => Ok(()),
                Some((_, before)) if before == y => write!(path, "H{x}"),
                Some((before, _)) if before == x => write!(path, "V{y}"),
                Some(_) => write!(path, "L{x} {y}"),
            }
            .expect("a string takes any text");
            pen = Some((x, y));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_of_many_points_stays_small_and_keeps_its_extremes() {
        let point = |index: u32| {
            let x = f64::from(index) / 100_000.0;
            (x, if index == 50_050 { 1.0 } else { 0.5 * x })
        };
        let path = path(&(0..=100_000).map(point).collect::<Vec<_>>());
        assert!(path.len() < 10_000, "{} bytes", path.len());
        assert!(path.starts_with("M0 400") && path.ends_with("V200H400"), "{path}");
        assert!(path.contains("V0"), "the spike of one point is there");
    }
}
