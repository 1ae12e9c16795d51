//! The section of one feature: charts, measures, quantiles and constraints, before and now.

use askama::Template;
use watchkeeper_engine::profile::DriftOutcome;
use watchkeeper_engine::sketch::Ranks;
use watchkeeper_formats::{DriftRule, MonitoringConfig};

use super::categories::Categories;
use super::charts::{Bins, Cumulative, Histogram};
use super::distribution::Distribution;
use super::drift::{ByRule, Explanation, category_derivation, skip_reason};
use super::figures::{Figure, Prose, readable};
use super::pairs::{Pair, Side};
use super::settings::{self, Entry};

/// The quantiles that are shown, in per cent.
const QUANTILES: [u8; 7] = [1, 5, 25, 50, 75, 95, 99];

/// Everything that the section of a feature shows.
#[derive(Template)]
#[template(path = "feature.html")]
pub(super) struct FeatureSection {
    /// Id of the section's content, which a link opens.
    pub(super) id: String,
    /// Level of the heading.
    pub(super) level: u8,
    /// Name as in the documents.
    pub(super) feature: String,
    pub(super) name: String,
    pub(super) inferred_type: String,
    /// Labels of its violations.
    pub(super) violations: Vec<String>,
    pub(super) distance: Option<DistanceView>,
    pub(super) rules_disagree: bool,
    pub(super) has_baseline: bool,
    pub(super) has_current: bool,
    pub(super) histogram: Option<Histogram>,
    pub(super) panels: Vec<Panel>,
    pub(super) categories: Option<Categories>,
    /// Why there is less to see than there could be.
    pub(super) remarks: Vec<Prose>,
    pub(super) measures: Vec<Measure>,
    pub(super) quantiles: Vec<Measure>,
    pub(super) constraints: Vec<Entry>,
}

/// A drift distance against its limit.
pub(super) struct DistanceView {
    pub(super) value: Figure,
    pub(super) limit: Figure,
    pub(super) exceeds: bool,
}

impl DistanceView {
    pub(super) fn of(pair: &Pair<'_>) -> Option<Self> {
        let comparison = pair.comparison?;
        let DriftOutcome::Compared { distance, .. } = comparison.outcome else { return None };
        let (value, limit) = if distance.exceeds {
            Figure::against_limit(distance.value, comparison.threshold)
        } else {
            (Figure::number(distance.value), Figure::number(comparison.threshold))
        };
        Some(Self { value, limit, exceeds: distance.exceeds })
    }
}

/// A number of the feature on both sides.
pub(super) struct Measure {
    pub(super) label: String,
    pub(super) baseline: Option<Figure>,
    pub(super) current: Option<Figure>,
}

/// A chart of both distribution functions by one rule.
pub(super) struct Panel {
    pub(super) caption: String,
    pub(super) chart: Cumulative,
    /// The gap, as the label of its mark.
    pub(super) gap: Figure,
    pub(super) derivation: Prose,
}

/// What a section is made from beside the pair.
pub(super) struct Place {
    pub(super) id: String,
    pub(super) level: u8,
    pub(super) violations: Vec<String>,
}

impl FeatureSection {
    pub(super) fn new(pair: &Pair<'_>, explanation: &Explanation<'_>, global: &MonitoringConfig, place: Place) -> Self {
        let (baseline, current) = pair.numbers();
        let (baseline, current) = (baseline.and_then(Distribution::of), current.and_then(Distribution::of));
        let sides: Vec<&Distribution> = baseline.iter().chain(&current).collect();
        let bins = Bins::over(&sides);
        let histogram = bins.as_ref().map(|bins| Histogram::new(bins, baseline.as_ref(), current.as_ref()));
        let panels = bins.as_ref().map_or(Vec::new(), |bins| panels(pair, explanation, bins));
        let texts = pair.texts();
        let domains = pair.constraints.and_then(|constraints| constraints.string_constraints.as_ref());
        let domains = domains.map(|texts| texts.domains.as_slice()).filter(|domains| !domains.is_empty());
        let categories = Categories::new(texts.0, texts.1, domains);
        let has_chart = histogram.is_some() || categories.is_some();
        Self {
            id: place.id,
            level: place.level,
            feature: pair.name.to_owned(),
            name: readable(pair.name),
            inferred_type: inferred_type(pair),
            violations: place.violations,
            distance: DistanceView::of(pair),
            rules_disagree: pair.rules_disagree(),
            has_baseline: pair.baseline.is_some(),
            has_current: pair.current.is_some(),
            histogram,
            panels,
            categories,
            remarks: remarks(pair, explanation, &sides, has_chart),
            measures: measures(pair),
            quantiles: quantiles(
                baseline.as_ref().and_then(Distribution::ranks),
                current.as_ref().and_then(Distribution::ranks),
            ),
            constraints: pair.constraints.map_or(Vec::new(), |constraints| settings::of_feature(constraints, global)),
        }
    }
}

/// The type, or both where it changed.
pub(super) fn inferred_type(pair: &Pair<'_>) -> String {
    let name = |side: Side<'_>| side.feature.inferred_type;
    match (pair.baseline.map(name), pair.current.map(name)) {
        (Some(baseline), Some(current)) if baseline != current => format!("{baseline} → {current}"),
        (_, Some(only)) | (Some(only), None) => only.to_string(),
        (None, None) => String::new(),
    }
}

fn panels(pair: &Pair<'_>, explanation: &Explanation<'_>, bins: &Bins) -> Vec<Panel> {
    let limit = pair.comparison.map(|comparison| comparison.threshold);
    let charted = explanation.charted(pair.rules_disagree());
    let rule = |by_rule: &ByRule| match by_rule.rule {
        DriftRule::Aws => "AWS's rule",
        DriftRule::Exact => "exact rule",
    };
    let panel = |(index, by_rule): (usize, &ByRule)| Panel {
        caption: match (pair.comparison, index) {
            (None, _) => "Cumulative share".to_owned(),
            (Some(_), _) if by_rule.distance.is_none() => "Cumulative share".to_owned(),
            (Some(_), 0) => format!("Cumulative share, {} (in force)", rule(by_rule)),
            (Some(_), _) => format!("Cumulative share, {}", rule(by_rule)),
        },
        chart: Cumulative::new(bins, &by_rule.baseline, &by_rule.current, &by_rule.gap),
        gap: Figure::number(by_rule.gap.size()),
        derivation: by_rule.derivation(limit),
    };
    charted.iter().enumerate().map(panel).collect()
}

fn remarks(pair: &Pair<'_>, explanation: &Explanation<'_>, sides: &[&Distribution], has_chart: bool) -> Vec<Prose> {
    let mut remarks = Vec::new();
    if let Some(DriftOutcome::Skipped(skip, _)) = pair.comparison.map(|comparison| &comparison.outcome) {
        remarks.push(Prose::new("Not compared. ").words(&skip_reason(skip)));
    }
    if let Some(change) = &explanation.category {
        remarks.push(category_derivation(change, pair.comparison));
    }
    if sides.iter().any(|distribution| distribution.ranks().is_none()) {
        let prose = Prose::new(
            "A side's statistics have no usable sketch: its histogram is drawn from ten buckets, and there ",
        );
        remarks.push(prose.words("are no quantiles and no cumulative curves."));
    }
    if !has_chart {
        remarks.push(Prose::new(no_chart(pair)));
    }
    remarks
}

fn no_chart(pair: &Pair<'_>) -> &'static str {
    let sides = || pair.baseline.into_iter().chain(pair.current);
    let is_empty = |side: Side<'_>| side.counts().is_none_or(|counts| counts.num_present == 0);
    if sides().all(is_empty) {
        "No values, so there is no distribution to draw."
    } else if sides().any(|side| side.texts().is_some()) {
        "The statistics hold no distribution: texts are counted one by one only while there are few different ones."
    } else {
        "The statistics hold no distribution, or no finite number."
    }
}

fn measures(pair: &Pair<'_>) -> Vec<Measure> {
    type Read = fn(Side<'_>) -> Option<Figure>;
    let reads: [(&str, Read); 9] = [
        ("Values", |side| Some(Figure::count(side.counts()?.num_present))),
        ("Missing", |side| Some(Figure::count(side.counts()?.num_missing))),
        ("Completeness", |side| Some(Figure::share(1.0 - side.missing()?))),
        ("Different values (estimated)", distinct),
        ("Mean", |side| Some(Figure::number(side.numbers()?.mean))),
        ("Standard deviation", |side| Some(Figure::number(side.numbers()?.std_dev))),
        ("Sum", |side| Some(Figure::number(side.numbers()?.sum))),
        ("Smallest", |side| Some(Figure::number(side.numbers()?.min))),
        ("Largest", |side| Some(Figure::number(side.numbers()?.max))),
    ];
    let measure = |(label, read): (&str, Read)| Measure {
        label: label.to_owned(),
        baseline: pair.baseline.and_then(read),
        current: pair.current.and_then(read),
    };
    reads.into_iter().map(measure).filter(|measure| measure.baseline.is_some() || measure.current.is_some()).collect()
}

fn distinct(side: Side<'_>) -> Option<Figure> {
    match side.texts() {
        Some(texts) => Some(Figure::number(texts.distinct_count)),
        None => side.numbers()?.approximate_num_distinct_values.map(Figure::count),
    }
}

fn quantiles(baseline: Option<&Ranks>, current: Option<&Ranks>) -> Vec<Measure> {
    if baseline.is_none() && current.is_none() {
        return Vec::new();
    }
    let at = |ranks: Option<&Ranks>, percent: u8| ranks?.quantile(f64::from(percent) / 100.0).map(Figure::number);
    let measure = |percent: u8| Measure {
        label: if percent == 50 { "50 % (median)".to_owned() } else { format!("{percent} %") },
        baseline: at(baseline, percent),
        current: at(current, percent),
    };
    QUANTILES.into_iter().map(measure).collect()
}
