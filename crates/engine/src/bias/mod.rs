//! Bias metrics of labels and predictions between a sensitive group and all others (section 3 of the bias specification, which
//! is what the open library smclarify 0.5 computes).
//!
//! Every metric but the flip test follows from how many rows have which facet, label, prediction and group: the rows are counted
//! once, metrics and the spread of their bootstrap follow from the counts.

mod analysis;
mod counts;
mod drift;
mod flip_test;
mod interval;
mod metrics;
mod resampling;
mod selection;
mod spread;

use watchkeeper_formats::clarify::{
    BiasSection, ConfiguredValue, MetricSelection, PostTrainingMetric, PreTrainingMetric,
};

use crate::table::{Column, Table};

pub use analysis::analyze;
pub use drift::{DriftedMetric, counterpart, drift};
pub use interval::is_interval;

/// What is to be measured on a table.
pub struct BiasAnalysis<'a> {
    /// The dataset, whose columns (but facet, label, predicted label and join column) are the features of the flip test.
    pub dataset: &'a Table,
    /// Columns of `dataset` that are no features of the flip test: label, predicted label, join column, excluded ones.
    pub not_features: Vec<usize>,
    /// The observed labels.
    pub label: &'a Column,
    /// What is a positive label.
    pub label_values_or_threshold: &'a [ConfiguredValue],
    /// The predicted labels, where there are any.
    pub predicted_label: Option<&'a Column>,
    /// The facets.
    pub facets: Vec<Facet<'a>>,
    /// The groups of conditional disparities.
    pub group_variable: Option<&'a Column>,
    /// Metrics of the labels.
    pub pre_training: Option<&'a MetricSelection<PreTrainingMetric>>,
    /// Metrics of the predictions; needs `predicted_label`.
    pub post_training: Option<&'a MetricSelection<PostTrainingMetric>>,
    /// Bootstrap resamples for intervals; 0: none.
    pub resamples: u32,
}

/// A facet: a column, and which of its values are the sensitive group.
pub struct Facet<'a> {
    /// The column; it may be of another file than the dataset.
    pub column: &'a Column,
    /// Its place in the dataset where it is of that: it is no feature of its own flip test.
    pub place: Option<usize>,
    /// Values or a threshold; empty where not given.
    pub value_or_threshold: &'a [ConfiguredValue],
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct BiasResult {
    /// Metrics of the labels.
    pub pre_training: Option<BiasSection>,
    /// Metrics of the predictions.
    pub post_training: Option<BiasSection>,
    /// The standard deviations of metrics over bootstrap resamples.
    pub spreads: Vec<MetricSpread>,
    /// What the log should say: subsets, types of columns, how texts were read.
    pub notes: Vec<String>,
}

/// The bootstrap's standard deviation of one metric; None where it has no finite value.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct MetricSpread {
    pub is_post_training: bool,
    pub facet: String,
    pub value_or_threshold: String,
    pub metric: String,
    pub standard_deviation: Option<f64>,
}

/// Why nothing can be measured: an error of the whole job, in the library's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BiasError(pub String);
