//! `analysis.json` as it stands in the file: names and order of its members.

use serde::{Deserialize, Serialize};

use super::super::members::Members;
use super::{BiasMetric, BiasSection, DataType, FacetMetrics, LabelAttributions, PartialDependenceCurve};
use crate::lenient;

#[derive(Serialize, Deserialize)]
pub(super) struct Analysis {
    #[serde(default = "version")]
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    explanations: Option<Explanations>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    post_training_bias_metrics: Option<Section>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pre_training_bias_metrics: Option<Section>,
}

fn version() -> String {
    "1.0".to_owned()
}

#[derive(Serialize, Deserialize)]
struct Section {
    #[serde(default)]
    label: String,
    facets: Members<Vec<Entry>>,
    #[serde(default)]
    label_value_or_threshold: String,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    value_or_threshold: String,
    metrics: Vec<Metric>,
}

#[derive(Serialize, Deserialize)]
struct Metric {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default, with = "lenient::optional_double")]
    value: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Explanations {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kernel_shap: Option<Members<Attributions>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pdp: Option<Vec<Dependence>>,
}

#[derive(Serialize, Deserialize)]
struct Attributions {
    global_shap_values: Members<lenient::Double>,
    #[serde(default, with = "lenient::double")]
    expected_value: f64,
}

/// The members of a curve, or `error`.
#[derive(Serialize, Deserialize)]
struct Dependence {
    feature_name: String,
    data_type: DataType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    feature_values: Option<Vec<serde_json::Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data_distribution: Option<Vec<lenient::Double>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model_predictions: Option<Vec<Vec<lenient::Double>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label_headers: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<Analysis> for super::Analysis {
    fn from(file: Analysis) -> Self {
        Self {
            explanations: file.explanations.map(Into::into),
            post_training_bias: file.post_training_bias_metrics.map(Into::into),
            pre_training_bias: file.pre_training_bias_metrics.map(Into::into),
        }
    }
}

impl From<&super::Analysis> for Analysis {
    fn from(analysis: &super::Analysis) -> Self {
        Self {
            version: version(),
            explanations: analysis.explanations.as_ref().map(Into::into),
            post_training_bias_metrics: analysis.post_training_bias.as_ref().map(Into::into),
            pre_training_bias_metrics: analysis.pre_training_bias.as_ref().map(Into::into),
        }
    }
}

impl From<Section> for BiasSection {
    fn from(file: Section) -> Self {
        let entries = |entries: Vec<Entry>| entries.into_iter().map(Into::into).collect();
        Self {
            label: file.label,
            facets: file.facets.0.into_iter().map(|(facet, of_facet)| (facet, entries(of_facet))).collect(),
            label_value_or_threshold: file.label_value_or_threshold,
        }
    }
}

impl From<&BiasSection> for Section {
    fn from(section: &BiasSection) -> Self {
        let entries = |entries: &[FacetMetrics]| entries.iter().map(Into::into).collect();
        Self {
            label: section.label.clone(),
            facets: Members(section.facets.iter().map(|(facet, found)| (facet.clone(), entries(found))).collect()),
            label_value_or_threshold: section.label_value_or_threshold.clone(),
        }
    }
}

impl From<Entry> for FacetMetrics {
    fn from(file: Entry) -> Self {
        let metrics = file.metrics.into_iter().map(|metric| {
            let Metric { name, description, value, error } = metric;
            BiasMetric { name, description, value, error }
        });
        Self { value_or_threshold: file.value_or_threshold, metrics: metrics.collect() }
    }
}

impl From<&FacetMetrics> for Entry {
    fn from(entry: &FacetMetrics) -> Self {
        let metrics = entry.metrics.iter().map(|metric| {
            let BiasMetric { name, description, value, error } = metric.clone();
            Metric { name, description, value, error }
        });
        Self { value_or_threshold: entry.value_or_threshold.clone(), metrics: metrics.collect() }
    }
}

impl From<Explanations> for super::Explanations {
    fn from(file: Explanations) -> Self {
        let label = |(label, attributions): (String, Attributions)| {
            let values = attributions.global_shap_values.0.into_iter().map(|(feature, value)| (feature, value.0));
            let global_shap_values = values.collect();
            (label, LabelAttributions { global_shap_values, expected_value: attributions.expected_value })
        };
        Self {
            kernel_shap: file.kernel_shap.map(|labels| labels.0.into_iter().map(label).collect()),
            pdp: file.pdp.map(|features| features.into_iter().map(Into::into).collect()),
        }
    }
}

impl From<&super::Explanations> for Explanations {
    fn from(explanations: &super::Explanations) -> Self {
        let label = |(label, attributions): &(String, LabelAttributions)| {
            let values = attributions.global_shap_values.iter();
            let values = values.map(|(feature, value)| (feature.clone(), lenient::Double(*value))).collect();
            let expected_value = attributions.expected_value;
            (label.clone(), Attributions { global_shap_values: Members(values), expected_value })
        };
        let labels = explanations.kernel_shap.as_ref();
        Self {
            kernel_shap: labels.map(|labels| Members(labels.iter().map(label).collect())),
            pdp: explanations.pdp.as_ref().map(|features| features.iter().map(Into::into).collect()),
        }
    }
}

impl From<Dependence> for super::PartialDependence {
    fn from(file: Dependence) -> Self {
        let numbers = |numbers: Vec<lenient::Double>| numbers.into_iter().map(|number| number.0).collect::<Vec<_>>();
        let predictions = file.model_predictions.unwrap_or_default().into_iter().map(numbers).collect();
        let curve = match file.error {
            Some(error) => Err(error),
            None => Ok(PartialDependenceCurve {
                feature_values: file.feature_values.unwrap_or_default(),
                data_distribution: file.data_distribution.map(numbers).unwrap_or_default(),
                model_predictions: predictions,
                label_headers: file.label_headers.unwrap_or_default(),
            }),
        };
        Self { feature_name: file.feature_name, data_type: file.data_type, curve }
    }
}

impl From<&super::PartialDependence> for Dependence {
    fn from(dependence: &super::PartialDependence) -> Self {
        let numbers = |numbers: &[f64]| numbers.iter().map(|&number| lenient::Double(number)).collect::<Vec<_>>();
        let curve = dependence.curve.as_ref().ok();
        Self {
            feature_name: dependence.feature_name.clone(),
            data_type: dependence.data_type,
            feature_values: curve.map(|curve| curve.feature_values.clone()),
            data_distribution: curve.map(|curve| numbers(&curve.data_distribution)),
            model_predictions: curve
                .map(|curve| curve.model_predictions.iter().map(|of_score| numbers(of_score)).collect()),
            label_headers: curve.map(|curve| curve.label_headers.clone()),
            error: dependence.curve.as_ref().err().cloned(),
        }
    }
}
