//! The drift comparison of one feature (section 8): which distance applies, by both rules, and what it means.

use watchkeeper_formats::number::java_double;
use watchkeeper_formats::{
    CategoricalDriftMethod, CheckType, ComparisonMethod, DistributionConstraints, DriftRule, FeatureStatistics,
    InferredType, Violation,
};

use super::drift::{ChiSquared, chi_squared, linfinity, numeric_distance};
use crate::sketch::Kll;

/// Which distance was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftMethod {
    /// The two-sample Kolmogorov-Smirnov distance on the sketches.
    Numeric(ComparisonMethod),
    /// The largest difference of a category's share.
    LInfinity(ComparisonMethod),
    /// One less the p-value of the chi-squared test.
    ChiSquared,
}

/// Why a feature was not compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriftSkip {
    /// Its type in the baseline's statistics is not the current one.
    TypesDiffer {
        /// In the baseline's statistics.
        baseline: InferredType,
        /// In the current dataset.
        current: InferredType,
    },
    /// One side has no values, or its statistics hold no sketch or no categories.
    NoDistribution,
    /// Fewer than two categories remain after those too rare for the chi-squared test were put together.
    TooFewCategories,
    /// Not one current record is in a category that the baseline knows. Deequ's chi-squared test has no result then;
    /// by rule `exact` the distance is 1.
    NoKnownCategory,
}

/// A distance and whether it exceeds the threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// The distance, 0 to 1 (up to infinity for no method).
    pub value: f64,
    /// True when it is a violation.
    pub exceeds: bool,
}

/// What a comparison found.
#[derive(Clone, Debug, PartialEq)]
pub enum DriftOutcome {
    /// The distance by the rule in force, and by the other rule.
    Compared {
        /// By the rule in force; decides.
        distance: Distance,
        /// By the other rule; `None` where that rule would not compare.
        by_other_rule: Option<Distance>,
    },
    /// No distance by the rule in force.
    Skipped(DriftSkip, Option<Distance>),
}

/// The drift comparison of one feature.
#[derive(Clone, Debug, PartialEq)]
pub struct DriftComparison {
    /// Name of the feature in the baseline.
    pub feature: String,
    /// Which distance.
    pub method: DriftMethod,
    /// The rule in force.
    pub rule: DriftRule,
    /// The threshold that the distance is held against.
    pub threshold: f64,
    /// What came out.
    pub outcome: DriftOutcome,
}

impl DriftComparison {
    /// The distance by the rule in force.
    pub fn distance(&self) -> Option<f64> {
        match &self.outcome {
            DriftOutcome::Compared { distance, .. } => Some(distance.value),
            DriftOutcome::Skipped(..) => None,
        }
    }

    /// True when the two rules judge differently.
    pub fn rules_disagree(&self) -> bool {
        match &self.outcome {
            DriftOutcome::Compared { distance, by_other_rule } => {
                distance.exceeds != by_other_rule.is_some_and(|other| other.exceeds)
            }
            DriftOutcome::Skipped(_, by_other_rule) => by_other_rule.is_some_and(|other| other.exceeds),
        }
    }

    pub(super) fn violation(&self) -> Option<Violation> {
        let DriftOutcome::Compared { distance, .. } = &self.outcome else { return None };
        distance.exceeds.then(|| Violation {
            feature_name: self.feature.clone(),
            constraint_check_type: CheckType::BaselineDrift,
            description: format!(
                "Baseline drift distance: {} exceeds threshold: {}",
                java_double(distance.value),
                java_double(self.threshold)
            ),
        })
    }
}

pub(super) fn compare(
    name: &str,
    current: &FeatureStatistics,
    baseline: &FeatureStatistics,
    constraints: &DistributionConstraints,
    rule: DriftRule,
) -> DriftComparison {
    let is_text = current.inferred_type == InferredType::String;
    let categorical_threshold =
        constraints.categorical_comparison_threshold.unwrap_or(constraints.comparison_threshold);
    let (method, threshold) = match constraints.categorical_drift_method.unwrap_or(CategoricalDriftMethod::LInfinity) {
        _ if !is_text => (DriftMethod::Numeric(constraints.comparison_method), constraints.comparison_threshold),
        CategoricalDriftMethod::LInfinity => {
            (DriftMethod::LInfinity(constraints.comparison_method), categorical_threshold)
        }
        // A p-value below t is a distance above 1 - t, so that larger is worse for every method.
        CategoricalDriftMethod::ChiSquared => (DriftMethod::ChiSquared, 1.0 - categorical_threshold),
    };
    let other_rule = match rule {
        DriftRule::Aws => DriftRule::Exact,
        DriftRule::Exact => DriftRule::Aws,
    };
    let outcome = if current.inferred_type == baseline.inferred_type {
        let distance = |rule| {
            distance(method, current, baseline, rule).map(|value| Distance { value, exceeds: value > threshold })
        };
        let by_other_rule = distance(other_rule).ok();
        match distance(rule) {
            Ok(distance) => DriftOutcome::Compared { distance, by_other_rule },
            Err(skip) => DriftOutcome::Skipped(skip, by_other_rule),
        }
    } else {
        let types = DriftSkip::TypesDiffer { baseline: baseline.inferred_type, current: current.inferred_type };
        DriftOutcome::Skipped(types, None)
    };
    DriftComparison { feature: name.to_owned(), method, rule, threshold, outcome }
}

fn distance(
    method: DriftMethod,
    current: &FeatureStatistics,
    baseline: &FeatureStatistics,
    rule: DriftRule,
) -> Result<f64, DriftSkip> {
    match method {
        DriftMethod::Numeric(method) => {
            let (current, baseline) = sketch(current).zip(sketch(baseline)).ok_or(DriftSkip::NoDistribution)?;
            numeric_distance(&current, &baseline, rule, method).ok_or(DriftSkip::NoDistribution)
        }
        DriftMethod::LInfinity(method) => {
            let (current, baseline) = categories(current).zip(categories(baseline)).ok_or(DriftSkip::NoDistribution)?;
            linfinity(&current, &baseline, method).ok_or(DriftSkip::NoDistribution)
        }
        DriftMethod::ChiSquared => {
            let (current, baseline) = categories(current).zip(categories(baseline)).ok_or(DriftSkip::NoDistribution)?;
            match chi_squared(&current, &baseline) {
                ChiSquared::Tested { p_value, .. } => Ok(1.0 - p_value),
                ChiSquared::NoKnownCategory if rule == DriftRule::Exact => Ok(1.0),
                ChiSquared::NoKnownCategory => Err(DriftSkip::NoKnownCategory),
                ChiSquared::TooFewCategories => Err(DriftSkip::TooFewCategories),
            }
        }
    }
}

fn sketch(feature: &FeatureStatistics) -> Option<Kll> {
    let distribution = feature.numerical_statistics.as_ref()?.distribution.as_ref()?;
    Kll::from_levels(distribution.kll.sketch.as_ref()?.data.clone())
}

fn categories(feature: &FeatureStatistics) -> Option<Vec<(String, u64)>> {
    let distribution = feature.string_statistics.as_ref()?.distribution.as_ref()?;
    let buckets = &distribution.categorical.buckets;
    Some(buckets.iter().map(|bucket| (bucket.value.clone(), bucket.count)).collect())
}
