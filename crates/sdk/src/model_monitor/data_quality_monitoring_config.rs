//! What a data quality baseline is told to suggest.

pub use watchkeeper_formats::CategoricalDriftMethod;

use crate::request::setters;

/// What replaces settings of `monitoring_config` in the constraints that a baseline suggests.
///
/// Python's checks of these values are types here: there is no value that is not valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DataQualityMonitoringConfig {
    /// How distributions are compared.
    pub distribution_constraints: Option<DataQualityDistributionConstraints>,
}

impl DataQualityMonitoringConfig {
    /// Nothing replaced.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// How distributions are compared.
        distribution_constraints: DataQualityDistributionConstraints,
    }
}

/// How distributions are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DataQualityDistributionConstraints {
    /// How the distance of two categorical distributions is taken.
    pub categorical_drift_method: Option<CategoricalDriftMethod>,
}

impl DataQualityDistributionConstraints {
    /// Nothing replaced.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// How the distance of two categorical distributions is taken.
        categorical_drift_method: CategoricalDriftMethod,
    }
}
