//! `monitoring_config`: the switches and thresholds of a comparison, for all features or for one.
//!
//! A key that a file lacks takes the default of [`MonitoringConfig::default`], except the two `categorical_*` keys of
//! the second generation: they stay absent, so that a file of the first generation is written as it was read, and
//! whoever compares falls back to `comparison_threshold` and `LInfinity`.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::json;
use crate::lenient;
use crate::named_enum::named_enum;
use crate::number::java_double;

named_enum! {
    /// On or off.
    pub enum Switch {
        /// On.
        Enabled = "Enabled",
        /// Off.
        Disabled = "Disabled",
    }
}

impl Switch {
    /// True for [`Switch::Enabled`].
    pub const fn is_enabled(self) -> bool {
        matches!(self, Self::Enabled)
    }
}

named_enum! {
    /// How the distance of two numeric distributions is taken.
    pub enum ComparisonMethod {
        /// The distance as it is.
        Simple = "Simple",
        /// The distance less what chance explains at the given sample sizes.
        Robust = "Robust",
    }
}

named_enum! {
    /// How the distance of two categorical distributions is taken.
    pub enum CategoricalDriftMethod {
        /// The largest difference of a category's share.
        LInfinity = "LInfinity",
        /// Pearson's chi-squared test.
        ChiSquared = "ChiSquared",
    }
}

/// The settings for all features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MonitoringConfig {
    /// Whether types, completeness and domains are checked.
    pub evaluate_constraints: Switch,
    /// Whether metrics are written, if the job publishes any.
    pub emit_metrics: Switch,
    /// Smallest accepted share of values of the expected type, 0 to 1.
    #[serde(with = "lenient::double")]
    pub datatype_check_threshold: f64,
    /// Smallest accepted share of values inside the domain, 0 to 1.
    #[serde(with = "lenient::double")]
    pub domain_content_threshold: f64,
    /// The comparison with the baseline's distributions.
    #[serde(deserialize_with = "lenient::null_as_default")]
    pub distribution_constraints: DistributionConstraints,
}

impl Default for MonitoringConfig {
    /// What the analyzer writes.
    fn default() -> Self {
        Self {
            evaluate_constraints: Switch::Enabled,
            emit_metrics: Switch::Enabled,
            datatype_check_threshold: 1.0,
            domain_content_threshold: 1.0,
            distribution_constraints: DistributionConstraints::default(),
        }
    }
}

/// The comparison with the baseline's distributions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default = "DistributionConstraints::of_absent_keys")]
pub struct DistributionConstraints {
    /// Whether to compare at all.
    pub perform_comparison: Switch,
    /// Largest accepted distance.
    #[serde(with = "lenient::double")]
    pub comparison_threshold: f64,
    /// How the numeric distance is taken. An old page of the guide misspelt the key.
    #[serde(alias = "comparion_method")]
    pub comparison_method: ComparisonMethod,
    /// Largest accepted distance of categorical features; absent: that of `comparison_threshold`.
    #[serde(with = "lenient::optional_double", skip_serializing_if = "Option::is_none")]
    pub categorical_comparison_threshold: Option<f64>,
    /// How the categorical distance is taken; absent: `LInfinity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categorical_drift_method: Option<CategoricalDriftMethod>,
}

impl Default for DistributionConstraints {
    /// What the analyzer writes.
    fn default() -> Self {
        Self {
            perform_comparison: Switch::Enabled,
            comparison_threshold: 0.1,
            comparison_method: ComparisonMethod::Robust,
            categorical_comparison_threshold: Some(0.1),
            categorical_drift_method: Some(CategoricalDriftMethod::LInfinity),
        }
    }
}

impl DistributionConstraints {
    fn of_absent_keys() -> Self {
        Self { categorical_comparison_threshold: None, categorical_drift_method: None, ..Self::default() }
    }
}

/// Settings that replace some of [`MonitoringConfig`], for one feature or for one job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MonitoringConfigOverrides {
    /// See [`MonitoringConfig::evaluate_constraints`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluate_constraints: Option<Switch>,
    /// See [`MonitoringConfig::emit_metrics`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emit_metrics: Option<Switch>,
    /// See [`MonitoringConfig::datatype_check_threshold`].
    #[serde(with = "lenient::optional_double", skip_serializing_if = "Option::is_none")]
    pub datatype_check_threshold: Option<f64>,
    /// See [`MonitoringConfig::domain_content_threshold`].
    #[serde(with = "lenient::optional_double", skip_serializing_if = "Option::is_none")]
    pub domain_content_threshold: Option<f64>,
    /// See [`MonitoringConfig::distribution_constraints`]; replaces member by member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution_constraints: Option<DistributionConstraintsOverrides>,
}

/// Settings that replace some of [`DistributionConstraints`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DistributionConstraintsOverrides {
    /// See [`DistributionConstraints::perform_comparison`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perform_comparison: Option<Switch>,
    /// See [`DistributionConstraints::comparison_threshold`].
    #[serde(with = "lenient::optional_double", skip_serializing_if = "Option::is_none")]
    pub comparison_threshold: Option<f64>,
    /// See [`DistributionConstraints::comparison_method`].
    #[serde(alias = "comparion_method", skip_serializing_if = "Option::is_none")]
    pub comparison_method: Option<ComparisonMethod>,
    /// See [`DistributionConstraints::categorical_comparison_threshold`].
    #[serde(with = "lenient::optional_double", skip_serializing_if = "Option::is_none")]
    pub categorical_comparison_threshold: Option<f64>,
    /// See [`DistributionConstraints::categorical_drift_method`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categorical_drift_method: Option<CategoricalDriftMethod>,
}

impl MonitoringConfigOverrides {
    /// Reads the JSON object of a variable or a file.
    pub fn parse(text: &str) -> Result<Self, Error> {
        json::parse(text)
    }

    /// The settings of `base`, replaced where this has a value.
    #[must_use]
    pub fn over(&self, base: &MonitoringConfig) -> MonitoringConfig {
        MonitoringConfig {
            evaluate_constraints: self.evaluate_constraints.unwrap_or(base.evaluate_constraints),
            emit_metrics: self.emit_metrics.unwrap_or(base.emit_metrics),
            datatype_check_threshold: self.datatype_check_threshold.unwrap_or(base.datatype_check_threshold),
            domain_content_threshold: self.domain_content_threshold.unwrap_or(base.domain_content_threshold),
            distribution_constraints: match &self.distribution_constraints {
                Some(overrides) => overrides.over(&base.distribution_constraints),
                None => base.distribution_constraints.clone(),
            },
        }
    }

    /// These settings, and those of `fallback` where this has no value.
    pub(crate) fn or(&self, fallback: &Self) -> Self {
        Self {
            evaluate_constraints: self.evaluate_constraints.or(fallback.evaluate_constraints),
            emit_metrics: self.emit_metrics.or(fallback.emit_metrics),
            datatype_check_threshold: self.datatype_check_threshold.or(fallback.datatype_check_threshold),
            domain_content_threshold: self.domain_content_threshold.or(fallback.domain_content_threshold),
            distribution_constraints: match (&self.distribution_constraints, &fallback.distribution_constraints) {
                (Some(own), Some(fallback)) => Some(own.or(fallback)),
                (own, fallback) => own.as_ref().or(fallback.as_ref()).cloned(),
            },
        }
    }

    /// Checks the thresholds; the error is the key and what is wrong with its value.
    pub(crate) fn validate(&self) -> Result<(), (&'static str, String)> {
        validate_share("datatype_check_threshold", self.datatype_check_threshold)?;
        validate_share("domain_content_threshold", self.domain_content_threshold)?;
        let Some(distribution) = &self.distribution_constraints else { return Ok(()) };
        validate_distance("distribution_constraints.comparison_threshold", distribution.comparison_threshold)?;
        validate_distance(
            "distribution_constraints.categorical_comparison_threshold",
            distribution.categorical_comparison_threshold,
        )
    }
}

impl DistributionConstraintsOverrides {
    fn over(&self, base: &DistributionConstraints) -> DistributionConstraints {
        DistributionConstraints {
            perform_comparison: self.perform_comparison.unwrap_or(base.perform_comparison),
            comparison_threshold: self.comparison_threshold.unwrap_or(base.comparison_threshold),
            comparison_method: self.comparison_method.unwrap_or(base.comparison_method),
            categorical_comparison_threshold: self
                .categorical_comparison_threshold
                .or(base.categorical_comparison_threshold),
            categorical_drift_method: self.categorical_drift_method.or(base.categorical_drift_method),
        }
    }

    fn or(&self, fallback: &Self) -> Self {
        Self {
            perform_comparison: self.perform_comparison.or(fallback.perform_comparison),
            comparison_threshold: self.comparison_threshold.or(fallback.comparison_threshold),
            comparison_method: self.comparison_method.or(fallback.comparison_method),
            categorical_comparison_threshold: self
                .categorical_comparison_threshold
                .or(fallback.categorical_comparison_threshold),
            categorical_drift_method: self.categorical_drift_method.or(fallback.categorical_drift_method),
        }
    }
}

impl MonitoringConfig {
    /// Checks the thresholds; the error is the key and what is wrong with its value.
    pub(crate) fn validate(&self) -> Result<(), (&'static str, String)> {
        let distribution = &self.distribution_constraints;
        validate_share("datatype_check_threshold", Some(self.datatype_check_threshold))?;
        validate_share("domain_content_threshold", Some(self.domain_content_threshold))?;
        validate_distance("distribution_constraints.comparison_threshold", Some(distribution.comparison_threshold))?;
        validate_distance(
            "distribution_constraints.categorical_comparison_threshold",
            distribution.categorical_comparison_threshold,
        )
    }
}

fn validate_share(key: &'static str, threshold: Option<f64>) -> Result<(), (&'static str, String)> {
    match threshold {
        Some(share) if !(0.0..=1.0).contains(&share) => {
            Err((key, format!("{} is not within 0 to 1", java_double(share))))
        }
        _ => Ok(()),
    }
}

fn validate_distance(key: &'static str, threshold: Option<f64>) -> Result<(), (&'static str, String)> {
    match threshold {
        Some(distance) if !distance.is_finite() || distance < 0.0 => {
            Err((key, format!("{} is not a number from 0", java_double(distance))))
        }
        _ => Ok(()),
    }
}
