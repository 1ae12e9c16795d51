//! One run: its verdict, its violations and its features.

use std::collections::BTreeMap;

use askama::Template;
use watchkeeper_engine::profile::{DriftComparison, DriftOutcome};
use watchkeeper_formats::{DriftRule, MonitoringConfig};

use super::drift::{Explanation, disagreement, skip_reason};
use super::feature::{DistanceView, FeatureSection, Place, inferred_type};
use super::figures::{Figure, Prose, counted, readable};
use super::pairs::{Pair, Side, pairs};
use super::settings::{self, Entry};
use super::violations::{Ranked, ViolationView, check_label, features_with_violations, ranked};
use super::{Documents, Run};

/// Features up to which a report draws every one of them, and the number with the largest distances that it draws of
/// more.
pub(super) const MOST_FEATURES_DRAWN: usize = 200;
/// Features with a violation or a disagreement that are drawn at most; the worst come first.
const MOST_CONSPICUOUS_DRAWN: usize = 500;

/// Everything about one run, or about a baseline alone.
#[derive(Template)]
#[template(path = "chapter.html")]
pub(super) struct Chapter {
    pub(super) id: String,
    /// Makes ids differ between the runs of a report; empty for the first.
    pub(super) suffix: String,
    /// Level of the chapter's headings.
    pub(super) level: u8,
    /// Name of the dataset, where the report has several.
    pub(super) heading: Option<String>,
    pub(super) verdict: Verdict,
    pub(super) facts: Vec<Entry>,
    pub(super) settings: Vec<Entry>,
    pub(super) violations: Vec<ViolationView>,
    pub(super) disagreements: Vec<Remark>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) notes: Vec<String>,
    pub(super) has_baseline: bool,
    pub(super) has_current: bool,
    pub(super) has_comparison: bool,
    pub(super) rows: Vec<Row>,
    pub(super) sections: Vec<FeatureSection>,
    /// Says that not every feature is drawn.
    pub(super) left_out: Option<String>,
}

/// The result in a few words.
pub(super) struct Verdict {
    pub(super) text: String,
    pub(super) kind: VerdictKind,
}

/// What a verdict looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum VerdictKind {
    Violations,
    Clean,
    /// Nothing was checked.
    Profile,
}

impl VerdictKind {
    /// Class of the verdict in the page.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Violations => "bad",
            Self::Clean => "good",
            Self::Profile => "neutral",
        }
    }
}

impl Verdict {
    pub(super) fn of(run: &Run) -> Self {
        let count = run.violations.len();
        if count == 0 {
            return Self { text: "No violations".to_owned(), kind: VerdictKind::Clean };
        }
        let features = counted(features_with_violations(&run.violations), "feature", "features");
        let text = format!("{} in {features}", counted(count, "violation", "violations"));
        Self { text, kind: VerdictKind::Violations }
    }
}

/// What is said of one feature.
pub(super) struct Remark {
    pub(super) feature: String,
    pub(super) name: String,
    pub(super) target: Option<String>,
    pub(super) prose: Prose,
}

/// Features that were not compared for one reason.
pub(super) struct Skipped {
    pub(super) reason: String,
    /// Names, and the ids of their sections.
    pub(super) features: Vec<(String, Option<String>)>,
}

/// A feature in the overview.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) target: Option<String>,
    pub(super) inferred_type: String,
    pub(super) violations: usize,
    /// How bad the worst violation is, for sorting.
    pub(super) severity: Option<String>,
    pub(super) distance: Option<DistanceView>,
    pub(super) rules_disagree: bool,
    pub(super) missing: Cells,
    pub(super) mean: Cells,
}

impl Row {
    fn exceeds(&self) -> bool {
        self.distance.as_ref().is_some_and(|distance| distance.exceeds)
    }
}

/// A number of both sides.
pub(super) struct Cells {
    pub(super) baseline: Option<Figure>,
    pub(super) current: Option<Figure>,
}

/// Which chapter this is, and how much it may draw.
pub(super) struct Position {
    /// Number of the run, from 1.
    pub(super) number: usize,
    pub(super) is_only: bool,
    /// Features to draw for their distance where there are too many to draw all; `None` to draw all.
    pub(super) most_drawn: Option<usize>,
}

impl Chapter {
    /// `run` or `baseline` is there.
    pub(super) fn new(baseline: Option<&Documents>, run: Option<&Run>, position: &Position) -> Self {
        let pairs = pairs(baseline, run);
        let constraints = baseline.or(run.map(|run| &run.documents)).and_then(|it| it.constraints.as_ref());
        let global = constraints.map(|constraints| constraints.monitoring_config.clone()).unwrap_or_default();
        let ranked = run.map_or(Vec::new(), |run| ranked(&run.violations, &pairs, &global));
        let builder = Builder { drawn: drawn(&pairs, &ranked, position.most_drawn), pairs, ranked, global, position };
        let (violations, disagreements, sections) = builder.explained();
        let left_out = (sections.len() < builder.pairs.len()).then(|| left_out(sections.len(), builder.pairs.len()));
        let profile = || Verdict { text: "A profile; nothing was checked".to_owned(), kind: VerdictKind::Profile };
        let documents = run.map(|run| &run.documents).or(baseline);
        Self {
            id: format!("run-{}", position.number),
            suffix: builder.suffix(),
            level: builder.level(),
            heading: documents.filter(|_| !position.is_only).map(|documents| readable(&documents.name)),
            verdict: run.map_or_else(profile, Verdict::of),
            facts: facts(baseline, run, builder.pairs.len()),
            // Without a baseline there are only suggestions, which nothing was held against.
            settings: constraints.filter(|_| baseline.is_some()).map_or(Vec::new(), settings::of_all),
            violations,
            disagreements,
            skipped: builder.skipped(),
            notes: run.map_or(Vec::new(), |run| run.notes.clone()),
            has_baseline: baseline.is_some(),
            has_current: run.is_some(),
            has_comparison: run.is_some_and(|run| !run.drift.is_empty()),
            rows: builder.rows(),
            sections,
            left_out,
        }
    }
}

/// What a run is made of while its chapter is built.
struct Builder<'a> {
    pairs: Vec<Pair<'a>>,
    ranked: Vec<Ranked<'a>>,
    global: MonitoringConfig,
    /// Which pairs have a section.
    drawn: Vec<bool>,
    position: &'a Position,
}

/// Chooses the features to draw: of many, those with a violation, worst first, those that the rules judge differently,
/// and those with the largest distances.
fn drawn(pairs: &[Pair<'_>], ranked: &[Ranked<'_>], most_drawn: Option<usize>) -> Vec<bool> {
    let Some(most_drawn) = most_drawn else { return vec![true; pairs.len()] };
    let mut drawn = vec![false; pairs.len()];
    let violated = ranked.iter().filter_map(|ranked| ranked.pair);
    let disagreeing = (0..pairs.len()).filter(|&index| pairs[index].rules_disagree());
    let mut count = 0;
    for index in violated.chain(disagreeing) {
        if !drawn[index] && count < MOST_CONSPICUOUS_DRAWN {
            drawn[index] = true;
            count += 1;
        }
    }
    let mut by_distance: Vec<usize> = (0..pairs.len()).collect();
    by_distance.sort_by(|&left, &right| pairs[right].relative_distance().total_cmp(&pairs[left].relative_distance()));
    for index in by_distance.into_iter().take(most_drawn) {
        drawn[index] = true;
    }
    drawn
}

fn left_out(drawn: usize, all: usize) -> String {
    format!(
        "Sections with charts are there for {} of {}: those with a violation or where the drift rules disagree (the \
         worst {MOST_CONSPICUOUS_DRAWN}), and those with the largest distances. The others have their row in this table.",
        counted(drawn, "feature", "features"),
        counted(all, "feature", "features"),
    )
}

impl<'a> Builder<'a> {
    fn suffix(&self) -> String {
        if self.position.number == 1 { String::new() } else { format!("-{}", self.position.number) }
    }

    fn level(&self) -> u8 {
        if self.position.is_only { 2 } else { 3 }
    }

    fn target(&self, index: usize) -> Option<String> {
        self.drawn[index].then(|| format!("feature-{}{}", index + 1, self.suffix()))
    }

    /// Everything that takes distributions apart, which is done once for each feature.
    fn explained(&self) -> (Vec<ViolationView>, Vec<Remark>, Vec<FeatureSection>) {
        let mut sections = Vec::new();
        let mut disagreements = Vec::new();
        let mut violations: BTreeMap<usize, ViolationView> = BTreeMap::new();
        let mut by_pair: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for (place, ranked) in self.ranked.iter().enumerate() {
            by_pair.entry(ranked.pair).or_default().push(place);
        }
        let of = |index: Option<usize>| by_pair.get(&index).map_or(&[][..], Vec::as_slice);
        let view = |place: usize, explanation: Option<&Explanation<'_>>| {
            let ranked = &self.ranked[place];
            let target = ranked.pair.and_then(|index| self.target(index));
            ViolationView::new(ranked, &self.pairs, explanation, target)
        };
        violations.extend(of(None).iter().map(|&place| (place, view(place, None))));
        for (index, pair) in self.pairs.iter().enumerate() {
            let explanation = self.drawn[index].then(|| Explanation::new(pair));
            let places = of(Some(index));
            violations.extend(places.iter().map(|&place| (place, view(place, explanation.as_ref()))));
            if let Some(comparison) = pair.comparison.filter(|comparison| comparison.rules_disagree()) {
                disagreements.push(self.remark(index, disagreement(comparison, explanation.as_ref())));
            }
            if let (Some(explanation), Some(id)) = (explanation, self.target(index)) {
                let labels =
                    places.iter().map(|&place| check_label(&self.ranked[place].violation.constraint_check_type));
                let place = Place { id, level: self.level() + 1, violations: labels.collect() };
                sections.push(FeatureSection::new(pair, &explanation, &self.global, place));
            }
        }
        (violations.into_values().collect(), disagreements, sections)
    }

    fn remark(&self, index: usize, prose: Prose) -> Remark {
        let feature = self.pairs[index].name;
        Remark { feature: feature.to_owned(), name: readable(feature), target: self.target(index), prose }
    }

    fn skipped(&self) -> Vec<Skipped> {
        let mut skipped: Vec<Skipped> = Vec::new();
        for (index, pair) in self.pairs.iter().enumerate() {
            let Some(DriftComparison { outcome: DriftOutcome::Skipped(skip, _), .. }) = pair.comparison else {
                continue;
            };
            let reason = skip_reason(skip);
            let feature = (readable(pair.name), self.target(index));
            match skipped.iter_mut().find(|skipped| skipped.reason == reason) {
                Some(same) => same.features.push(feature),
                None => skipped.push(Skipped { reason, features: vec![feature] }),
            }
        }
        skipped
    }

    fn rows(&self) -> Vec<Row> {
        let mut counts = vec![0; self.pairs.len()];
        let mut severities = vec![0.0_f64; self.pairs.len()];
        for ranked in &self.ranked {
            if let Some(index) = ranked.pair {
                counts[index] += 1;
                severities[index] = severities[index].max(ranked.finding.severity().unwrap_or(0.0));
            }
        }
        let row = |(index, pair): (usize, &Pair<'a>)| Row {
            name: readable(pair.name),
            target: self.target(index),
            inferred_type: inferred_type(pair),
            violations: counts[index],
            severity: (counts[index] > 0).then(|| format!("{:.4}", severities[index])),
            distance: DistanceView::of(pair),
            rules_disagree: pair.rules_disagree(),
            missing: Cells::of(pair, |side| side.missing().map(Figure::share)),
            mean: Cells::of(pair, |side| side.numbers().map(|numbers| Figure::number(numbers.mean))),
        };
        self.pairs.iter().enumerate().map(row).collect()
    }
}

impl Cells {
    fn of<'a>(pair: &Pair<'a>, read: fn(Side<'a>) -> Option<Figure>) -> Self {
        Self { baseline: pair.baseline.and_then(read), current: pair.current.and_then(read) }
    }
}

fn facts(baseline: Option<&Documents>, run: Option<&Run>, features: usize) -> Vec<Entry> {
    let mut facts = Vec::new();
    if let Some(run) = run {
        facts.push(("Dataset", Prose::new("").name(&run.documents.name)));
    }
    if let Some(baseline) = baseline {
        facts.push(("Baseline", Prose::new("").name(&baseline.name)));
    }
    let records = |documents: &Documents| documents.statistics.dataset.item_count;
    let prose = match (run.map(|run| records(&run.documents)), baseline.map(records)) {
        (Some(current), Some(baseline)) => {
            Prose::new("").count(current).words(" (baseline ").count(baseline).words(")")
        }
        (Some(only), None) | (None, Some(only)) => Prose::new("").count(only),
        (None, None) => Prose::default(),
    };
    facts.push(("Records", prose));
    facts.push(("Features", Prose::new("").count(features as u64)));
    if let Some(comparison) = run.and_then(|run| run.drift.first()) {
        let rule = match comparison.rule {
            DriftRule::Aws => "AWS's (a repeated value counts once)",
            DriftRule::Exact => "exact (every value counts)",
        };
        facts.push(("Drift rule in force", Prose::new(rule)));
    }
    facts
}
