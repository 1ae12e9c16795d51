//! `constraints.json`: what a baseline expects of each column.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::json;
use crate::lenient;
use crate::monitoring_config::{MonitoringConfig, MonitoringConfigOverrides};
use crate::number::java_double;
use crate::statistics::InferredType;

/// The whole document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Constraints {
    /// Always 0.0.
    #[serde(default, with = "lenient::double")]
    pub version: f64,
    /// One entry per column, in the order of the dataset.
    pub features: Vec<FeatureConstraints>,
    /// The settings for all features.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub monitoring_config: MonitoringConfig,
}

/// What is expected of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "FeatureConstraintsDocument")]
pub struct FeatureConstraints {
    /// Name of the column.
    pub name: String,
    /// Expected type of the values.
    pub inferred_type: InferredType,
    /// Smallest accepted share of records with a value, 0 to 1; absent: not checked.
    #[serde(with = "lenient::optional_double", skip_serializing_if = "Option::is_none")]
    pub completeness: Option<f64>,
    /// Only for Integral and Fractional.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_constraints: Option<NumConstraints>,
    /// Only for String with few different values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub string_constraints: Option<StringConstraints>,
    /// Settings for this feature alone, from `monitoringConfigOverrides` and, for keys not given there, from
    /// `monitoring_config_overrides`. Never written by the analyzer, added by users.
    #[serde(rename = "monitoringConfigOverrides", skip_serializing_if = "Option::is_none")]
    pub monitoring_config_overrides: Option<MonitoringConfigOverrides>,
}

/// As read: both spellings of the overrides may stand side by side.
#[derive(Deserialize)]
struct FeatureConstraintsDocument {
    name: String,
    inferred_type: InferredType,
    #[serde(default, with = "lenient::optional_double")]
    completeness: Option<f64>,
    num_constraints: Option<NumConstraints>,
    string_constraints: Option<StringConstraints>,
    #[serde(rename = "monitoringConfigOverrides")]
    documented_overrides: Option<MonitoringConfigOverrides>,
    #[serde(rename = "monitoring_config_overrides")]
    underscored_overrides: Option<MonitoringConfigOverrides>,
}

impl From<FeatureConstraintsDocument> for FeatureConstraints {
    fn from(document: FeatureConstraintsDocument) -> Self {
        let overrides = match (document.documented_overrides, document.underscored_overrides) {
            (Some(documented), Some(underscored)) => Some(documented.or(&underscored)),
            (documented, underscored) => documented.or(underscored),
        };
        Self {
            name: document.name,
            inferred_type: document.inferred_type,
            completeness: document.completeness,
            num_constraints: document.num_constraints,
            string_constraints: document.string_constraints,
            monitoring_config_overrides: overrides,
        }
    }
}

/// What is expected of numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumConstraints {
    /// Whether the baseline had no negative number.
    #[serde(default)]
    pub is_non_negative: bool,
    /// Settings for this feature alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring_config_overrides: Option<MonitoringConfigOverrides>,
}

/// What is expected of texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StringConstraints {
    /// The accepted texts. Empty when the key is absent, as in an object that holds nothing but overrides.
    #[serde(default)]
    pub domains: Vec<String>,
    /// Settings for this feature alone; the Python SDK's `set_monitoring` writes them here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring_config_overrides: Option<MonitoringConfigOverrides>,
}

impl Constraints {
    /// Reads a `constraints.json` of any generation. Does not check that its numbers make sense; see
    /// [`Self::validate`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        json::parse(text)
    }

    /// The bytes of `constraints.json`.
    pub fn to_json(&self) -> String {
        json::to_string(self)
    }

    /// Refuses limits that cannot be meant: a completeness, data type or domain threshold outside 0 to 1, a distance
    /// threshold that is negative or not finite. The message names feature and field. Features may share a name.
    pub fn validate(&self) -> Result<(), Error> {
        self.monitoring_config
            .validate()
            .map_err(|(key, problem)| Error::Invalid { place: format!("monitoring_config.{key}"), problem })?;
        for feature in &self.features {
            feature.validate()?;
        }
        Ok(())
    }
}

impl FeatureConstraints {
    /// The settings for this feature: `global`, replaced by the overrides in the number constraints, those in the
    /// string constraints and those of the feature itself; the later of these wins, key by key.
    pub fn monitoring_config(&self, global: &MonitoringConfig) -> MonitoringConfig {
        self.overrides().rev().fold(global.clone(), |config, (_, overrides)| overrides.over(&config))
    }

    /// The overrides with the object that holds them, the strongest first.
    fn overrides(&self) -> impl DoubleEndedIterator<Item = (&'static str, &MonitoringConfigOverrides)> {
        let of_feature = self.monitoring_config_overrides.as_ref();
        let of_strings =
            self.string_constraints.as_ref().and_then(|strings| strings.monitoring_config_overrides.as_ref());
        let of_numbers = self.num_constraints.as_ref().and_then(|numbers| numbers.monitoring_config_overrides.as_ref());
        [
            of_feature.map(|overrides| ("monitoringConfigOverrides", overrides)),
            of_strings.map(|overrides| ("string_constraints.monitoring_config_overrides", overrides)),
            of_numbers.map(|overrides| ("num_constraints.monitoring_config_overrides", overrides)),
        ]
        .into_iter()
        .flatten()
    }

    fn validate(&self) -> Result<(), Error> {
        if let Some(share) = self.completeness.filter(|share| !(0.0..=1.0).contains(share)) {
            return Err(Error::Invalid {
                place: format!("feature `{}`, completeness", self.name),
                problem: format!("{} is not within 0 to 1", java_double(share)),
            });
        }
        for (object, overrides) in self.overrides() {
            overrides.validate().map_err(|(key, problem)| Error::Invalid {
                place: format!("feature `{}`, {object}.{key}", self.name),
                problem,
            })?;
        }
        Ok(())
    }
}
