//! Model quality in a terminal: what predictions are worth, beside what they should be worth.

use watchkeeper_formats::number::java_double;
use watchkeeper_formats::{
    ComparisonOperator, ConfusionMatrix, Metric, MetricConstraint, MetricViolation, MetricViolations,
    ModelQualityConstraints, ModelQualityMetrics, ModelQualityStatistics, ProblemType,
};

use super::figures::{count, counted, number, share, whole_percent};
use super::table::{Cell, Column, Cut, Row, lay_out};
use super::text::{push_left_out, push_notes, push_wrapped, visible};
use super::violations::push_headline;
use super::{Style, paints};

/// Classes of a confusion matrix that is shown as one; of more only the worst confusions are.
const MOST_CLASSES: usize = 8;
/// Confusions that are shown of larger matrices.
const MOST_CONFUSIONS: usize = 10;
/// `0.9395127993393898` and somewhat more.
const LONGEST_NUMBER: usize = 20;
/// `false negative rate`.
const LONGEST_USUAL_NAME: usize = 19;
/// What the name of a metric ends in that is of a classifier which always answers the most frequent class.
const BEST_CONSTANT: &str = "_best_constant_classifier";

/// Everything that is known of a dataset with predictions and labels.
#[derive(Clone, Copy, Debug)]
pub struct QualityView<'a> {
    /// Metrics of the dataset.
    pub statistics: &'a ModelQualityStatistics,
    /// Those of the baseline, if there are any.
    pub baseline: Option<&'a ModelQualityStatistics>,
    /// What is demanded.
    pub constraints: Option<&'a ModelQualityConstraints>,
    /// What is violated; None where nothing was judged.
    pub violations: Option<&'a [MetricViolation]>,
    /// What else the person should know, a line each.
    pub notes: &'a [String],
}

/// A headline, the metrics with their spread beside baseline and threshold, the confusion matrix, and notes. Where the terminal
/// is too narrow, the columns spread, baseline and threshold are left out, in this order.
pub fn quality(view: &QualityView<'_>, style: &Style) -> String {
    let metrics = &view.statistics.metrics;
    let mut text = String::new();
    let place = format!("{} of a {}", counted(view.statistics.item_count, "row"), problem(metrics.problem_type()));
    match view.violations {
        None => push_headline(&mut text, &place, paints::TITLE, style),
        Some(_) if !is_anything_judged(view) => {
            push_headline(&mut text, &format!("nothing judged in {place}"), paints::NOTICE, style);
        }
        Some([]) => push_headline(&mut text, &format!("no violations in {place}"), paints::GOOD, style),
        Some(found) => {
            let violations = counted(found.len() as u64, "violation");
            push_headline(&mut text, &format!("{violations} in {place}"), paints::BAD, style);
        }
    }
    text.push('\n');
    push_metrics(&mut text, view, style);
    if let Some(matrix) = metrics.confusion_matrix() {
        push_confusions(&mut text, matrix, style);
    }
    push_notes(&mut text, &notes(view), style);
    text
}

/// False where no constraint demands anything of a metric that there is: that nothing is violated means nothing then.
fn is_anything_judged(view: &QualityView<'_>) -> bool {
    let constraints = view.constraints.map_or(&[][..], |constraints| &constraints.constraints);
    let is_demanded = |name| constraints.iter().any(|demand| demand.metric == name && demand.threshold.is_some());
    view.statistics.metrics.scalars().iter().any(|(name, metric)| metric.value.is_finite() && is_demanded(*name))
}

/// `statistics.json` of model quality as a table.
pub fn quality_statistics(document: &ModelQualityStatistics, style: &Style) -> String {
    let view = QualityView { statistics: document, baseline: None, constraints: None, violations: None, notes: &[] };
    quality(&view, style)
}

/// `constraints.json` of model quality as a table, in the order of the file.
pub fn quality_constraints(document: &ModelQualityConstraints, style: &Style) -> String {
    let columns = [Column::text("metric").cut(Cut::Middle(12)), Column::text("must be").cut(Cut::End(8))];
    let rows: Vec<Row> = document
        .constraints
        .iter()
        .map(|constraint| {
            let demanded = constraint.threshold.map_or_else(
                || "anything".to_owned(),
                |threshold| format!("{} {}", demanded(constraint.comparison_operator, style), java_double(threshold)),
            );
            Row { cells: vec![Cell::of_document(&constraint.metric, style), Cell::new(demanded)], below: Vec::new() }
        })
        .collect();
    let mut text = lay_out(&columns, &rows, style).text;
    text.push('\n');
    let constraints = counted(document.constraints.len() as u64, "constraint");
    push_wrapped(&mut text, &format!("{constraints} of a {}", problem(document.problem_type)), 0, style);
    text
}

/// `constraint_violations.json` of model quality: a sentence a metric, in the order of the file.
pub fn quality_violations(document: &MetricViolations, style: &Style) -> String {
    let mut text = String::new();
    let violations = counted(document.violations.len() as u64, "violation");
    push_headline(&mut text, &violations, paints::BAD, style);
    text.push('\n');
    for violation in &document.violations {
        push_wrapped(&mut text, &visible(&violation.description, style), 0, style);
    }
    text
}

fn problem(problem_type: ProblemType) -> &'static str {
    match problem_type {
        ProblemType::Regression => "regression",
        ProblemType::BinaryClassification => "binary classification",
        ProblemType::MulticlassClassification => "multiclass classification",
    }
}

/// What a value must be so that it does not violate a threshold.
fn demanded(operator: ComparisonOperator, style: &Style) -> &'static str {
    match operator {
        ComparisonOperator::LessThanThreshold if style.unicode => "≥",
        ComparisonOperator::LessThanThreshold => ">=",
        ComparisonOperator::GreaterThanThreshold => style.at_most(),
        ComparisonOperator::LessThanOrEqualToThreshold => ">",
        ComparisonOperator::GreaterThanOrEqualToThreshold => "<",
    }
}

fn push_metrics(text: &mut String, view: &QualityView<'_>, style: &Style) {
    let columns = [
        Column::text("metric").cut(Cut::Middle(LONGEST_USUAL_NAME)),
        Column::number("value").cut(Cut::End(LONGEST_NUMBER)),
        Column::number(if style.unicode { "± spread" } else { "+/- spread" }).leaves(1),
        Column::number("baseline").leaves(2),
        Column::text("threshold").leaves(3),
        Column::text("verdict"),
        Column::number("best constant").leaves(0),
    ];
    let scalars = view.statistics.metrics.scalars();
    let baseline = view.baseline.map(|baseline| baseline.metrics.scalars()).unwrap_or_default();
    let constraints = view.constraints.map_or(&[][..], |constraints| &constraints.constraints);
    let value = |metrics: &[(&str, Metric)], name: &str| {
        metrics.iter().find(|(other, _)| *other == name).map(|(_, metric)| metric.value)
    };
    let rows: Vec<Row> = scalars
        .iter()
        .filter_map(|&(name, metric)| {
            let constraint = constraints.iter().find(|constraint| constraint.metric == name);
            if name.ends_with(BEST_CONSTANT) && constraint.is_none() {
                // Beside the metric that it is of.
                return None;
            }
            let best_constant = value(&scalars, &format!("{name}{BEST_CONSTANT}"));
            Some(row(name, metric, [value(&baseline, name), best_constant], constraint, style))
        })
        .collect();
    let table = lay_out(&columns, &rows, style);
    text.push_str(&table.text);
    push_left_out(text, &table.left_out, style);
}

fn row(
    name: &str,
    metric: Metric,
    [baseline, best_constant]: [Option<f64>; 2],
    constraint: Option<&MetricConstraint>,
    style: &Style,
) -> Row {
    let threshold = constraint.and_then(|constraint| Some((constraint.comparison_operator, constraint.threshold?)));
    let is_violated = threshold.is_some_and(|(operator, threshold)| operator.is_violated(metric.value, threshold));
    // A difference in digits that are not shown would look like none.
    let looks_equal = threshold.is_some_and(|(_, threshold)| number(threshold) == number(metric.value));
    let figure = |value: f64| {
        if is_violated && looks_equal { java_double(value) } else { number(value) }
    };
    let verdict = match threshold {
        None => Cell::default(),
        Some(_) if !metric.value.is_finite() => Cell::new("not a number").paint(paints::NOTICE),
        Some(_) if is_violated => Cell::new("violation").paint(paints::BAD),
        Some(_) => Cell::new("ok").paint(paints::GOOD),
    };
    let spread = Some(metric.standard_deviation).filter(|spread| !spread.is_nan());
    let value = Cell::new(figure(metric.value));
    let cells = vec![
        Cell::new(name.replace('_', " ").replace("f0 5", "f0.5")),
        if is_violated { value.paint(paints::BAD) } else { value },
        Cell::from(spread.map(number)).paint(paints::QUIET),
        Cell::from(baseline.map(number)),
        Cell::from(threshold.map(|(operator, value)| format!("{} {}", demanded(operator, style), figure(value)))),
        verdict,
        Cell::from(best_constant.map(number)).paint(paints::QUIET),
    ];
    Row { cells, below: Vec::new() }
}

fn push_confusions(text: &mut String, matrix: &ConfusionMatrix, style: &Style) {
    text.push('\n');
    if matrix.classes.len() <= MOST_CLASSES
        && let Some(table) = matrix_table(matrix, style)
    {
        push_headline(text, "confusion matrix: rows by true class, and their share of it", paints::TITLE, style);
        text.push_str(&table);
        return;
    }
    push_most_frequent_confusions(text, matrix, style);
}

/// The matrix as a table; None where it does not fit.
fn matrix_table(matrix: &ConfusionMatrix, style: &Style) -> Option<String> {
    let mut columns = vec![Column::text("true class").cut(Cut::Middle(8))];
    let place = |index: usize| if index == 0 { "predicted" } else { "" };
    columns.extend((0..matrix.classes.len()).map(|index| Column::number(place(index)).leaves(0)));
    let names = matrix.classes.iter().map(|class| Cell::of_document(class, style).paint(paints::TITLE));
    let mut rows = vec![Row { cells: std::iter::once(Cell::default()).chain(names).collect(), below: Vec::new() }];
    for (actual, counts) in matrix.counts.iter().enumerate() {
        let total = counts.iter().sum();
        let cell = |(predicted, rows): (usize, &u64)| {
            if *rows == 0 {
                return Cell::new("0").paint(paints::QUIET);
            }
            let cell = Cell::new(format!("{} ({})", count(*rows), whole_percent(share(*rows, total))));
            if predicted == actual { cell.paint(paints::GOOD) } else { cell }
        };
        let class = Cell::of_document(matrix.classes.get(actual)?, style);
        let cells = std::iter::once(class).chain(counts.iter().enumerate().map(cell)).collect();
        rows.push(Row { cells, below: Vec::new() });
    }
    let table = lay_out(&columns, &rows, style);
    table.left_out.is_empty().then_some(table.text)
}

/// The wrong predictions that are made most often.
fn push_most_frequent_confusions(text: &mut String, matrix: &ConfusionMatrix, style: &Style) {
    let mut confusions: Vec<(usize, usize, u64)> = Vec::new();
    for (actual, counts) in matrix.counts.iter().enumerate() {
        let wrong = counts.iter().enumerate().filter(|&(predicted, rows)| predicted != actual && *rows > 0);
        confusions.extend(wrong.map(|(predicted, rows)| (actual, predicted, *rows)));
    }
    // A stable sort: of equal counts the first in the file is first.
    confusions.sort_by_key(|(_, _, rows)| std::cmp::Reverse(*rows));
    if confusions.is_empty() {
        push_wrapped(text, "no row is confused", 0, style);
        return;
    }
    push_headline(text, "most frequent confusions", paints::TITLE, style);
    let columns = [
        Column::text("true class").cut(Cut::Middle(8)),
        Column::text("predicted").cut(Cut::Middle(8)),
        Column::number("rows").leaves(1),
        Column::number("of true class").leaves(0),
    ];
    let row = |&(actual, predicted, rows): &(usize, usize, u64)| {
        let total = matrix.counts[actual].iter().sum();
        let cells = vec![
            Cell::of_document(&matrix.classes[actual], style),
            Cell::of_document(&matrix.classes[predicted], style),
            Cell::new(count(rows)),
            Cell::new(whole_percent(share(rows, total))),
        ];
        Row { cells, below: Vec::new() }
    };
    let rows: Vec<Row> = confusions.iter().take(MOST_CONFUSIONS).map(row).collect();
    let table = lay_out(&columns, &rows, style);
    text.push_str(&table.text);
    push_left_out(text, &table.left_out, style);
    let more = confusions.len().saturating_sub(MOST_CONFUSIONS);
    if more > 0 {
        push_wrapped(text, &format!("and {} more, less frequent", count(more as u64)), 0, style);
    }
}

fn notes<'a>(view: &QualityView<'a>) -> Vec<&'a str> {
    let has_no_spread = view.statistics.metrics.scalars().iter().all(|(_, metric)| metric.standard_deviation.is_nan());
    let mut notes: Vec<&str> = view.notes.iter().map(String::as_str).collect();
    if has_no_spread && view.statistics.item_count < 200 {
        notes.push("metrics have no spread, which takes 200 rows");
    }
    if view.violations.is_some() && view.baseline.is_none() {
        notes.push("the baseline has no statistics.json to compare with, only constraints");
    }
    if let ModelQualityMetrics::BinaryClassification(metrics) = &view.statistics.metrics
        && metrics.auc.is_none()
    {
        notes.push("no auc and no curves, which take a probability for each row");
    }
    notes
}
