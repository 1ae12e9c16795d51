//! One run: how good the model is, held against what is asked of it.

use askama::Template;
use watchkeeper_formats::{MetricViolation, ModelQualityMetrics, ProblemType};

use super::comparison::{Comparison, MetricTable, comparisons, with_spread};
use super::confusion::Confusion;
use super::curves::{CurvePanel, panels, positive_share};
use super::residuals::ResidualsView;
use super::{QualityDocuments, QualityRun, metric};
use crate::report::chapter::{Verdict, VerdictKind};
use crate::report::figures::{Figure, Prose, counted, readable};
use crate::report::settings::Entry;

/// Everything about one run, or about a baseline alone.
#[derive(Template)]
#[template(path = "quality/chapter.html")]
pub(super) struct Chapter {
    pub(super) id: String,
    /// Makes ids differ between the runs of a report; empty for the first.
    pub(super) suffix: String,
    /// Level of the chapter's headings.
    pub(super) level: u8,
    /// Where the report has several.
    pub(super) heading: Option<Heading>,
    pub(super) verdict: Verdict,
    pub(super) lead: Vec<Prose>,
    pub(super) notes: Vec<String>,
    pub(super) facts: Vec<Entry>,
    pub(super) table: MetricTable,
    pub(super) violations: Vec<ViolationView>,
    pub(super) curves: Vec<CurvePanel>,
    pub(super) confusion: Option<Confusion>,
    pub(super) residuals: Option<ResidualsView>,
    /// Something stands beside the dataset.
    pub(super) has_baseline: bool,
    /// The dataset was held against limits.
    pub(super) is_judged: bool,
}

/// What stands above a run that is one of several.
pub(super) struct Heading {
    /// Of the dataset.
    pub(super) name: String,
    pub(super) is_open: bool,
}

/// A violation in the words of its file.
pub(super) struct ViolationView {
    pub(super) metric: String,
    pub(super) check: String,
    pub(super) label: String,
    pub(super) description: String,
    /// It is of a metric that the table does not have.
    pub(super) is_of_other: bool,
}

/// Which chapter this is.
pub(super) struct Position {
    /// Number of the run, from 1.
    pub(super) number: usize,
    pub(super) is_only: bool,
    /// The last run is open, the others are closed until someone wants them.
    pub(super) is_last: bool,
}

impl Chapter {
    pub(super) fn of_run(baseline: Option<&QualityDocuments>, run: &QualityRun, position: &Position) -> Self {
        let compared = comparisons(baseline, run);
        let documents = &run.documents;
        let problem_type = documents.statistics.metrics.problem_type();
        let label = |violation: &MetricViolation| {
            let metric = compared.iter().find(|it| violation.is_of(it.name));
            metric.map_or_else(|| readable(&violation.metric_name), |it| metric::label(it.name))
        };
        let is_of_other = |violation: &MetricViolation| !compared.iter().any(|it| violation.is_of(it.name));
        Self {
            heading: (!position.is_only)
                .then(|| Heading { name: readable(&documents.name), is_open: position.is_last }),
            verdict: verdict(run, &compared),
            lead: lead(run, &compared),
            notes: run.notes.clone(),
            facts: facts(baseline, documents),
            table: MetricTable::new(&compared, problem_type),
            violations: run
                .violations
                .iter()
                .map(|violation| ViolationView {
                    metric: violation.metric_name.clone(),
                    check: violation.constraint_check_type.clone(),
                    label: label(violation),
                    description: violation.description.clone(),
                    is_of_other: is_of_other(violation),
                })
                .collect(),
            curves: panels(baseline, documents),
            confusion: Confusion::new(baseline, documents),
            residuals: run.residuals.as_ref().and_then(ResidualsView::new),
            has_baseline: baseline.is_some(),
            is_judged: true,
            ..Self::empty(position)
        }
    }

    /// A baseline by itself: its constraints are what it suggests, and nothing is held against anything.
    pub(super) fn of_baseline(baseline: &QualityRun, position: &Position) -> Self {
        let documents = &baseline.documents;
        let held_against_itself = comparisons(Some(documents), baseline).into_iter();
        let compared: Vec<Comparison<'_>> =
            held_against_itself.map(|comparison| Comparison { baseline: None, ..comparison }).collect();
        let problem_type = documents.statistics.metrics.problem_type();
        Self {
            lead: vec![summary(&documents.statistics.metrics)],
            notes: baseline.notes.clone(),
            facts: facts(None, documents),
            table: MetricTable { axis: None, ..MetricTable::new(&compared, problem_type) },
            curves: panels(None, documents),
            confusion: Confusion::new(None, documents),
            residuals: baseline.residuals.as_ref().and_then(ResidualsView::new),
            ..Self::empty(position)
        }
    }

    /// The table does not show every violation.
    fn has_others(&self) -> bool {
        self.violations.iter().any(|violation| violation.is_of_other)
    }

    fn empty(position: &Position) -> Self {
        Self {
            id: format!("run-{}", position.number),
            suffix: if position.number == 1 { String::new() } else { format!("-{}", position.number) },
            level: if position.is_only { 2 } else { 4 },
            heading: None,
            verdict: nothing_checked(),
            lead: Vec::new(),
            notes: Vec::new(),
            facts: Vec::new(),
            table: MetricTable::new(&[], ProblemType::Regression),
            violations: Vec::new(),
            curves: Vec::new(),
            confusion: None,
            residuals: None,
            has_baseline: false,
            is_judged: false,
        }
    }
}

pub(super) fn nothing_checked() -> Verdict {
    Verdict { text: "A baseline; nothing was checked".to_owned(), kind: VerdictKind::Profile }
}

/// The result in a few words.
fn verdict(run: &QualityRun, compared: &[Comparison<'_>]) -> Verdict {
    let limits = compared.iter().filter(|it| it.reference.is_some_and(|it| it.is_limit)).count();
    let count = run.violations.len();
    if count == 0 {
        let text = match limits {
            0 => "No violations".to_owned(),
            1 => "No violations: the one limit is kept".to_owned(),
            _ => format!("No violations: all {limits} limits are kept"),
        };
        return Verdict { text, kind: VerdictKind::Clean };
    }
    let within = compared.iter().filter(|it| it.violation.is_some() && it.is_within_spread()).count();
    let found = if limits >= count {
        let verb = if count == 1 { "is" } else { "are" };
        format!("{count} of {} {verb} worse than allowed", counted(limits, "metric", "metrics"))
    } else {
        counted(count, "violation", "violations")
    };
    let text = match within {
        0 => found,
        _ if within == count && count == 1 => format!("{found}, within its spread"),
        _ if within == count => format!("{found}, all within their spread"),
        _ => format!("{found}, {within} of them within their spread"),
    };
    Verdict { text, kind: VerdictKind::Violations }
}

/// What the reader must know first: the worst metric, or the one nearest to its limit; and a model that a constant beats.
fn lead(run: &QualityRun, compared: &[Comparison<'_>]) -> Vec<Prose> {
    let mut lead = Vec::new();
    let worst = compared.iter().find(|it| it.violation.is_some());
    let nearest = || {
        let limited = compared.iter().filter(|it| it.reference.is_some_and(|it| it.is_limit));
        limited.filter(|it| it.shortfall().is_some()).max_by(|left, right| left.severity().total_cmp(&right.severity()))
    };
    if let Some(worst) = worst {
        let prefix = if run.violations.len() > 1 { "Worst: " } else { "" };
        lead.push(worst.sentence(Prose::new(prefix)).words("."));
    } else if let Some(nearest) = nearest() {
        lead.push(nearest.sentence(Prose::new("Nearest to its limit: ")).words("."));
    } else {
        lead.push(summary(&run.documents.statistics.metrics));
    }
    lead.extend(beaten_by_constant(&run.documents.statistics.metrics));
    lead
}

/// Says so where always giving the most frequent answer would be right more often than the model is.
fn beaten_by_constant(metrics: &ModelQualityMetrics) -> Option<Prose> {
    let accuracy = metric::find(metrics, "accuracy")?.value;
    let constant = metric::best_constant(metrics, "accuracy")?.value;
    (constant > accuracy).then(|| {
        let prose = Prose::new("Always answering the most frequent class would be right more often: accuracy ");
        prose.number(constant).words(" instead of ").number(accuracy).words(".")
    })
}

/// The metrics that say most, in a sentence.
fn summary(metrics: &ModelQualityMetrics) -> Prose {
    let names: &[&str] = match metrics.problem_type() {
        ProblemType::Regression => &["rmse", "mae", "r2"],
        ProblemType::BinaryClassification => &["auc", "accuracy", "precision", "recall"],
        ProblemType::MulticlassClassification => &["accuracy", "weighted_f1"],
    };
    let mut prose = Prose::default();
    let found = names.iter().filter_map(|name| metric::find(metrics, name).map(|metric| (name, metric)));
    for (index, (name, measured)) in found.enumerate() {
        prose = if index > 0 { prose.words(", ") } else { prose }.words(&metric::label(name)).words(" ");
        prose = with_spread(prose, Figure::number(measured.value), measured);
    }
    prose.words(".")
}

fn facts(baseline: Option<&QualityDocuments>, documents: &QualityDocuments) -> Vec<Entry> {
    let mut facts = vec![("Dataset", Prose::default().name(&documents.name))];
    if let Some(baseline) = baseline {
        facts.push(("Baseline", Prose::default().name(&baseline.name)));
    }
    let metrics = &documents.statistics.metrics;
    facts.push(("Problem", Prose::new(metric::problem(metrics.problem_type()))));
    let rows = Prose::default().count(documents.statistics.item_count);
    facts.push(match baseline {
        Some(baseline) => ("Rows", rows.words(" (baseline ").count(baseline.statistics.item_count).words(")")),
        None => ("Rows", rows),
    });
    let share = |documents: &QualityDocuments| match &documents.statistics.metrics {
        ModelQualityMetrics::BinaryClassification(metrics) => positive_share(metrics),
        _ => None,
    };
    if let Some(current) = share(documents) {
        let prose = Prose::default().share(current).words(" of the rows");
        facts.push(match baseline.and_then(share) {
            Some(baseline) => ("Truly 1", prose.words(" (baseline ").share(baseline).words(")")),
            None => ("Truly 1", prose),
        });
    }
    if let Some(constant) = metric::best_constant(metrics, "accuracy") {
        let prose = Prose::new("accuracy ").number(constant.value);
        facts.push(("Always the most frequent class", prose));
    }
    if let Some(time) = &documents.statistics.evaluation_time {
        facts.push(("Evaluated", Prose::default().name(time)));
    }
    facts
}
