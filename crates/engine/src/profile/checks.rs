//! A profile against the constraints and statistics of a baseline (sections 7 and 8).
//!
//! The profile's columns stand in the order of the baseline's features and carry their names; whoever drives the fold
//! has seen to that.

use std::collections::HashMap;

use watchkeeper_formats::number::java_double;
use watchkeeper_formats::{
    CheckType, Constraints, DriftRule, FeatureConstraints, FeatureStatistics, InferredType, MonitoringConfig,
    Statistics, Switch, Violation,
};

use super::Profile;
use super::column_profile::ColumnProfile;
use super::comparison::{DriftComparison, compare};
use super::statistics::completeness;

/// Where our judgement may leave AWS's, each off by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// An Integral value is Fractional as well, and any value is String.
    pub lenient_types: bool,
    /// Negative values in a column that is constrained to be non-negative are a violation.
    pub check_non_negative: bool,
    /// How ranks of repeated values count in a drift distance.
    pub drift: DriftRule,
}

/// What a check has found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// Violations: of types, of completeness, of categories, then drift, each in the order of the baseline.
    pub violations: Vec<Violation>,
    /// Every drift comparison that was made or skipped, in the order of the baseline.
    pub drift: Vec<DriftComparison>,
}

/// Judges a profile, and its `current` statistics, by a baseline. Without the baseline's statistics there is no drift.
pub fn judge(
    profile: &Profile,
    current: &Statistics,
    constraints: &Constraints,
    baseline: Option<&Statistics>,
    rules: Rules,
) -> Judgement {
    if let Some(violation) = column_count(profile.columns.len(), constraints.features.len()) {
        return Judgement { violations: vec![violation], drift: Vec::new() };
    }
    let global = &constraints.monitoring_config;
    let features: Vec<Feature<'_>> = constraints
        .features
        .iter()
        .zip(&profile.columns)
        .map(|(constraints, (_, column))| Feature {
            constraints,
            column,
            config: constraints.monitoring_config(global),
            records: profile.records,
        })
        .collect();
    let enabled = |feature: &&Feature<'_>| feature.config.evaluate_constraints == Switch::Enabled;
    let mut violations = Vec::new();
    violations.extend(features.iter().filter(enabled).filter_map(|feature| feature.data_type(rules.lenient_types)));
    violations.extend(features.iter().filter(enabled).filter_map(Feature::completeness));
    violations.extend(features.iter().filter(enabled).filter_map(Feature::categorical_values));
    if rules.check_non_negative {
        violations.extend(features.iter().filter(enabled).filter_map(Feature::non_negative));
    }
    let drift =
        baseline.map_or_else(Vec::new, |baseline| compare_distributions(current, baseline, constraints, rules.drift));
    violations.extend(drift.iter().filter_map(DriftComparison::violation));
    Judgement { violations, drift }
}

/// A different number of columns is the only violation of its run (section 7.2).
fn column_count(current: usize, baseline: usize) -> Option<Violation> {
    let (constraint_check_type, name, which) = match current.cmp(&baseline) {
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Less => (CheckType::MissingColumn, "Missing columns", "missing"),
        std::cmp::Ordering::Greater => (CheckType::ExtraColumn, "Extra columns", "extra"),
    };
    Some(Violation {
        feature_name: name.to_owned(),
        constraint_check_type,
        description: format!(
            "There are {which} columns in current dataset. Number of columns in current dataset: {current}, Number of \
             columns in baseline constraints: {baseline}"
        ),
    })
}

/// Compares the distributions of the features that both documents have, in the order of the constraints, which say
/// which features are compared and how.
pub fn compare_distributions(
    current: &Statistics,
    baseline: &Statistics,
    constraints: &Constraints,
    rule: DriftRule,
) -> Vec<DriftComparison> {
    let current = by_name(current);
    let baseline = by_name(baseline);
    let global = &constraints.monitoring_config;
    let mut comparisons = Vec::new();
    for feature in &constraints.features {
        let config = feature.monitoring_config(global);
        // Off for a feature whose own checks are switched off, even where it is on for the rest.
        let switched_off =
            config.evaluate_constraints == Switch::Disabled && global.evaluate_constraints == Switch::Enabled;
        if config.distribution_constraints.perform_comparison == Switch::Disabled || switched_off {
            continue;
        }
        let name = feature.name.as_str();
        if let (Some(current), Some(baseline)) = (current.get(name), baseline.get(name)) {
            comparisons.push(compare(name, current, baseline, &config.distribution_constraints, rule));
        }
    }
    comparisons
}

/// Features by their names; of several with the same name the first.
fn by_name(document: &Statistics) -> HashMap<&str, &FeatureStatistics> {
    document.features.iter().rev().map(|feature| (feature.name.as_str(), feature)).collect()
}

/// One feature of the baseline beside the column that bears its name.
struct Feature<'a> {
    constraints: &'a FeatureConstraints,
    column: &'a ColumnProfile,
    /// The monitoring configuration with this feature's overrides.
    config: MonitoringConfig,
    records: u64,
}

impl Feature<'_> {
    fn violation(&self, constraint_check_type: CheckType, description: String) -> Violation {
        Violation { feature_name: self.constraints.name.clone(), constraint_check_type, description }
    }

    fn data_type(&self, lenient: bool) -> Option<Violation> {
        let expected = self.constraints.inferred_type;
        if expected == InferredType::Unknown {
            return None;
        }
        let ratio = self.column.share_of_type(expected, lenient);
        let threshold = self.config.datatype_check_threshold;
        (ratio < threshold).then(|| {
            let (threshold, ratio) = (java_double(threshold * 100.0), java_double(ratio * 100.0));
            let description = format!(
                "Data type match requirement is not met. Expected data type: {expected}, Expected match: \
                 {threshold}%. Observed: Only {ratio}% of data is {expected}."
            );
            self.violation(CheckType::DataType, description)
        })
    }

    fn completeness(&self) -> Option<Violation> {
        let expected = self.constraints.completeness?;
        let observed = completeness(self.column.present(), self.records);
        (observed < expected).then(|| {
            let (expected, observed) = (java_double(expected * 100.0), java_double(observed * 100.0));
            let description =
                format!("Data completeness requirement is not met. Expected: {expected}%. Observed: Only {observed}%.");
            self.violation(CheckType::Completeness, description)
        })
    }

    fn categorical_values(&self) -> Option<Violation> {
        let domains = &self.constraints.string_constraints.as_ref()?.domains;
        let present = self.column.present();
        if present == 0 || domains.is_empty() {
            return None;
        }
        let share = self.column.count_in_domain(domains) as f64 / present as f64;
        (share < self.config.domain_content_threshold).then(|| {
            // The trailing space is AWS's.
            let description = format!("Value: {} does not meet the constraint requirement! ", java_double(share));
            self.violation(CheckType::CategoricalValues, description)
        })
    }

    fn non_negative(&self) -> Option<Violation> {
        if !self.constraints.num_constraints.as_ref()?.is_non_negative {
            return None;
        }
        let minimum = self.column.numbers()?.reading.moments.min();
        (minimum < 0.0).then(|| {
            let description = format!("Non-negative requirement is not met. Smallest value: {}.", java_double(minimum));
            self.violation(CheckType::Other("non_negative_check".to_owned()), description)
        })
    }
}
