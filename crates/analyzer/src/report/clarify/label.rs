//! The attributions of one score: its most important features, their ranks against the baseline, and its single rows.

use askama::Template;
use watchkeeper_engine::shap;
use watchkeeper_formats::clarify::{Analysis, AttributionViolation, LabelAttributions};

use super::ClarifyReport;
use super::local::Local;
use super::ranking::{MOST_DRAWN, RankedFeature, Slope, order, ranked};
use super::swarm::Swarm;
use super::waterfall::{Waterfall, waterfalls};
use crate::clarify::LocalAttributions;
use crate::report::figures::{Figure, Prose, readable};

/// Labels whose single rows are drawn; the others have their tables.
const MOST_WITH_ROWS: usize = 8;

/// One score.
#[derive(Template)]
#[template(path = "clarify/label.html")]
pub(super) struct Label {
    pub(super) id: String,
    /// Its name in the document.
    pub(super) header: String,
    pub(super) name: String,
    /// Whether there is a score beside this one.
    pub(super) has_heading: bool,
    pub(super) is_violated: bool,
    pub(super) expected: Prose,
    /// How the order of features agrees with the baseline's.
    pub(super) agreement: Option<Prose>,
    pub(super) ranked: Vec<RankedFeature>,
    pub(super) slope: Option<Slope>,
    pub(super) swarm: Option<Swarm>,
    pub(super) waterfalls: Vec<Waterfall>,
    /// That single rows are not drawn although they are known.
    pub(super) leaves_rows_out: bool,
}

/// All labels, in the order of the document.
pub(super) fn labels(report: &ClarifyReport<'_>) -> Vec<Label> {
    let now = attributions(report.analysis);
    let before = report.baseline.map(attributions).unwrap_or_default();
    let explains_log_odds = super::waterfall::explains_log_odds(report.parameters);
    let label = |((name, attributions), number): (&(String, LabelAttributions), usize)| {
        let place = Place { name, id: format!("attributions-{number}"), is_only: now.len() == 1, explains_log_odds };
        let local = report.local.filter(|_| number <= MOST_WITH_ROWS);
        let before = shap::counterpart(name, now, before).map(|(_, attributions)| attributions);
        let made = Label::new(&place, attributions, before, local, report.violation(name));
        Label { leaves_rows_out: report.local.is_some() && number > MOST_WITH_ROWS, ..made }
    };
    now.iter().zip(1..).map(label).collect()
}

/// Those of the labels of an analysis; none where there are no SHAP values.
fn attributions(analysis: &Analysis) -> &[(String, LabelAttributions)] {
    analysis.explanations.as_ref().and_then(|it| it.kernel_shap.as_deref()).unwrap_or_default()
}

struct Place<'a> {
    name: &'a str,
    id: String,
    is_only: bool,
    explains_log_odds: bool,
}

impl Label {
    fn new(
        place: &Place<'_>,
        now: &LabelAttributions,
        before: Option<&LabelAttributions>,
        local: Option<&LocalAttributions>,
        violation: Option<&AttributionViolation>,
    ) -> Self {
        let local = local.and_then(Local::new).and_then(|local| Some((local, local.label(place.name)?)));
        let what = if place.explains_log_odds { "The expected log-odds are " } else { "The expected value is " };
        let expected = Prose::new(what).number(now.expected_value);
        let expected = match before {
            Some(before) => expected.words(", in the baseline ").number(before.expected_value),
            None => expected,
        };
        Self {
            id: place.id.clone(),
            header: place.name.to_owned(),
            name: readable(place.name),
            has_heading: !place.is_only,
            is_violated: violation.is_some(),
            expected: expected.words(": what the model gives, on average, where no feature of a row is known."),
            agreement: before.map(|before| agreement(shap::agreement(now, before), violation)),
            ranked: ranked(now, before),
            slope: before.and_then(|before| Slope::new(now, before)),
            swarm: local.and_then(|(local, label)| Swarm::new(local, label, &drawn(now, local))),
            waterfalls: local.map_or(Vec::new(), |(local, label)| {
                waterfalls(local, label, now.expected_value, place.explains_log_odds)
            }),
            leaves_rows_out: false,
        }
    }

    /// The most important features.
    pub(super) fn first(&self) -> &[RankedFeature] {
        &self.ranked[..self.ranked.len().min(MOST_DRAWN)]
    }

    pub(super) fn has_baseline(&self) -> bool {
        self.agreement.is_some()
    }
}

/// Places among the explained features of the most important ones.
fn drawn(now: &LabelAttributions, local: Local<'_>) -> Vec<usize> {
    let names = order(now).into_iter().take(MOST_DRAWN).map(|place| &now.global_shap_values[place].0);
    names.filter_map(|name| local.features().iter().position(|feature| feature == name)).collect()
}

fn agreement(score: f64, violation: Option<&AttributionViolation>) -> Prose {
    let prose = Prose::new("The order of features agrees with the baseline’s to nDCG ");
    let Some(limit) = violation.and_then(limit_of) else {
        return prose.number(score).words(" (1: the same order).");
    };
    let (score, limit) = Figure::against_limit(score, limit);
    prose.figure(score).words(" (1: the same order), below the limit ").figure(limit).words(".")
}

/// The threshold that a violation's sentence names.
pub(super) fn limit_of(violation: &AttributionViolation) -> Option<f64> {
    violation.description.rsplit_once("threshold ")?.1.parse().ok()
}
