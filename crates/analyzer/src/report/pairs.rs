//! Each feature of the baseline beside the current one of its name.

use std::collections::HashMap;

use watchkeeper_engine::profile::DriftComparison;
use watchkeeper_formats::{
    CommonStatistics, FeatureConstraints, FeatureStatistics, MonitoringConfig, NumericalStatistics, StringStatistics,
};

use super::{Documents, Run};

/// One feature, with what is known of it on either side.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) name: &'a str,
    pub(super) baseline: Option<Side<'a>>,
    pub(super) current: Option<Side<'a>>,
    /// The constraints in force: those of the baseline where there is one.
    pub(super) constraints: Option<&'a FeatureConstraints>,
    pub(super) comparison: Option<&'a DriftComparison>,
}

/// A feature in one dataset.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) feature: &'a FeatureStatistics,
}

impl<'a> Side<'a> {
    pub(super) fn numbers(self) -> Option<&'a NumericalStatistics> {
        self.feature.numerical_statistics.as_ref()
    }

    pub(super) fn texts(self) -> Option<&'a StringStatistics> {
        self.feature.string_statistics.as_ref()
    }

    pub(super) fn counts(self) -> Option<&'a CommonStatistics> {
        self.feature.common()
    }

    /// Share of records without a value.
    pub(super) fn missing(self) -> Option<f64> {
        let counts = self.counts()?;
        let records = counts.num_present as f64 + counts.num_missing as f64;
        Some(if records == 0.0 { 0.0 } else { counts.num_missing as f64 / records })
    }
}

impl<'a> Pair<'a> {
    /// Statistics of numbers, of the baseline and of the current data.
    pub(super) fn numbers(&self) -> (Option<&'a NumericalStatistics>, Option<&'a NumericalStatistics>) {
        (self.baseline.and_then(Side::numbers), self.current.and_then(Side::numbers))
    }

    /// Statistics of texts, of the baseline and of the current data.
    pub(super) fn texts(&self) -> (Option<&'a StringStatistics>, Option<&'a StringStatistics>) {
        (self.baseline.and_then(Side::texts), self.current.and_then(Side::texts))
    }

    /// The settings in force for this feature.
    pub(super) fn config(&self, global: &MonitoringConfig) -> MonitoringConfig {
        self.constraints.map_or_else(|| global.clone(), |constraints| constraints.monitoring_config(global))
    }

    pub(super) fn rules_disagree(&self) -> bool {
        self.comparison.is_some_and(DriftComparison::rules_disagree)
    }

    /// The distance as a multiple of its limit.
    pub(super) fn relative_distance(&self) -> f64 {
        let relative = |comparison: &DriftComparison| comparison.distance().map(|it| it / comparison.threshold);
        self.comparison.and_then(relative).unwrap_or(f64::NEG_INFINITY)
    }
}

/// The features of both sides: those of the baseline in its order, then the ones that only the current data has. Names
/// may repeat; the n-th of a name meets the n-th.
pub(super) fn pairs<'a>(baseline: Option<&'a Documents>, run: Option<&'a Run>) -> Vec<Pair<'a>> {
    let mut pairs: Vec<Pair<'a>> = Vec::new();
    let mut places: HashMap<(&str, usize), usize> = HashMap::new();
    let documents = run.map(|run| &run.documents);
    let features = |documents: Option<&'a Documents>| documents.map_or(&[][..], |it| &it.statistics.features);
    for (key, feature) in numbered(features(baseline), |feature| &feature.name) {
        places.insert(key, pairs.len());
        pairs.push(Pair { baseline: Some(Side { feature }), ..Pair::named(&feature.name) });
    }
    for (key, feature) in numbered(features(documents), |feature| &feature.name) {
        let place = *places.entry(key).or_insert(pairs.len());
        if place == pairs.len() {
            pairs.push(Pair::named(&feature.name));
        }
        pairs[place].current = Some(Side { feature });
    }
    let constraints = baseline.or(documents).and_then(|documents| documents.constraints.as_ref());
    let constraints = constraints.map_or(&[][..], |constraints| &constraints.features);
    for (key, constraints) in numbered(constraints, |feature| &feature.name) {
        if let Some(&place) = places.get(&key) {
            pairs[place].constraints = Some(constraints);
        }
    }
    for (key, comparison) in numbered(run.map_or(&[][..], |run| &run.drift), |comparison| &comparison.feature) {
        if let Some(&place) = places.get(&key) {
            pairs[place].comparison = Some(comparison);
        }
    }
    pairs
}

impl<'a> Pair<'a> {
    fn named(name: &'a str) -> Self {
        Self { name, baseline: None, current: None, constraints: None, comparison: None }
    }
}

/// Items with their name and how many of that name came before.
fn numbered<T>(items: &[T], name: fn(&T) -> &String) -> impl Iterator<Item = ((&str, usize), &T)> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    items.iter().map(move |item| {
        let name = name(item).as_str();
        let nth = seen.entry(name).or_default();
        let key = (name, *nth);
        *nth += 1;
        (key, item)
    })
}
