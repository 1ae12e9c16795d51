//! The thresholds in force, in words.

use watchkeeper_formats::{
    CategoricalDriftMethod, ComparisonMethod, Constraints, FeatureConstraints, InferredType, MonitoringConfig,
};

use super::figures::Prose;

/// A label and what stands beside it.
pub(super) type Entry = (&'static str, Prose);

/// Domain values that are listed.
const MOST_DOMAINS: usize = 20;

/// The settings for all features.
pub(super) fn of_all(constraints: &Constraints) -> Vec<Entry> {
    let global = &constraints.monitoring_config;
    let mut entries = of_config(global);
    let own = constraints.features.iter().filter(|feature| feature.monitoring_config(global) != *global).count();
    if own > 0 {
        let words = if own == 1 { " feature, see there" } else { " features, see there" };
        entries.push(("Own settings", Prose::new("").count(own as u64).words(words)));
    }
    entries
}

fn of_config(config: &MonitoringConfig) -> Vec<Entry> {
    let mut entries = Vec::new();
    if config.evaluate_constraints.is_enabled() {
        let share = |limit: f64, words: &str| Prose::new("at least ").share(limit).words(words);
        entries.push(("Data type", share(config.datatype_check_threshold, " of the expected type")));
        entries.push(("Completeness", Prose::new("as in the constraints of each feature")));
        entries.push(("Categories", share(config.domain_content_threshold, " in the baseline's categories")));
    } else {
        entries.push(("Types, completeness, categories", Prose::new("not checked (evaluate_constraints is Disabled)")));
    }
    let distribution = &config.distribution_constraints;
    if !distribution.perform_comparison.is_enabled() {
        entries.push(("Drift", Prose::new("not compared (perform_comparison is Disabled)")));
        return entries;
    }
    let robust = match distribution.comparison_method {
        ComparisonMethod::Robust => " (Robust: what chance explains is taken off)",
        ComparisonMethod::Simple => " (Simple: the distance as it is)",
    };
    let numeric = Prose::new("distance at most ").number(distribution.comparison_threshold).words(robust);
    entries.push(("Drift of numbers", numeric));
    let limit = distribution.categorical_comparison_threshold.unwrap_or(distribution.comparison_threshold);
    let categorical = match distribution.categorical_drift_method {
        Some(CategoricalDriftMethod::ChiSquared) => {
            Prose::new("probability at least ").number(limit).words(" (ChiSquared)")
        }
        Some(CategoricalDriftMethod::LInfinity) | None => {
            Prose::new("distance at most ").number(limit).words(" (LInfinity: largest change of a share)")
        }
    };
    entries.push(("Drift of categories", categorical));
    entries
}

/// The constraints of one feature, and the settings that it has for itself.
pub(super) fn of_feature(constraints: &FeatureConstraints, global: &MonitoringConfig) -> Vec<Entry> {
    let mut entries = Vec::new();
    if constraints.inferred_type != InferredType::Unknown {
        entries.push(("Type", Prose::new(&constraints.inferred_type.to_string())));
    }
    if let Some(completeness) = constraints.completeness {
        entries.push(("Completeness", Prose::new("at least ").share(completeness)));
    }
    if let Some(numbers) = &constraints.num_constraints {
        let words = if numbers.is_non_negative { "yes" } else { "no" };
        entries.push(("Never negative", Prose::new(words)));
    }
    if let Some(texts) = constraints.string_constraints.as_ref().filter(|texts| !texts.domains.is_empty()) {
        let domains = texts.domains.iter().map(String::as_str);
        entries.push(("Categories", Prose::new("").names(domains, MOST_DOMAINS)));
    }
    let own = constraints.monitoring_config(global);
    if own != *global {
        let of_all: Vec<String> = of_config(global).iter().map(|(label, prose)| format!("{label}{prose}")).collect();
        entries
            .extend(of_config(&own).into_iter().filter(|(label, prose)| !of_all.contains(&format!("{label}{prose}"))));
    }
    entries
}
