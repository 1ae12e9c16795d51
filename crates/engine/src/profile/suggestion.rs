//! The constraints that a profile suggests for datasets to come (section 6).

use watchkeeper_formats::{
    Constraints, FeatureConstraints, InferredType, MonitoringConfig, NumConstraints, StringConstraints,
};

use super::Profile;
use super::column_profile::ColumnProfile;
use super::statistics::{categories, completeness};

impl Profile {
    /// Constraints that this dataset obeys. They are the dataset's own shares and values, neither rounded nor relaxed,
    /// as AWS's analyzer suggests them.
    pub fn suggest_constraints(&self, monitoring_config: MonitoringConfig) -> Constraints {
        Constraints {
            version: 0.0,
            features: self.columns.iter().map(|(name, column)| feature(name, column, self.records)).collect(),
            monitoring_config,
        }
    }
}

fn feature(name: &str, column: &ColumnProfile, records: u64) -> FeatureConstraints {
    let inferred_type = column.inferred_type();
    let is_number = matches!(inferred_type, InferredType::Integral | InferredType::Fractional);
    let minimum = column.numbers().filter(|numbers| numbers.reading.moments.count() > 0);
    let minimum = minimum.map_or(0.0, |numbers| numbers.reading.moments.min());
    FeatureConstraints {
        name: name.to_owned(),
        inferred_type,
        completeness: Some(if inferred_type == InferredType::Unknown {
            0.0
        } else {
            completeness(column.present(), records)
        }),
        num_constraints: is_number
            .then_some(NumConstraints { is_non_negative: minimum >= 0.0, monitoring_config_overrides: None }),
        string_constraints: categories(name, column).map(|values| StringConstraints {
            domains: values.into_iter().map(|(value, _)| value).collect(),
            monitoring_config_overrides: None,
        }),
        monitoring_config_overrides: None,
    }
}
