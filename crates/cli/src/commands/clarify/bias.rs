//! `watchkeeper bias`: what differs between a sensitive group and all others, in labels and in predictions.

use std::path::Path;

use anyhow::bail;
use clap::Args;
use watchkeeper_formats::ClarifyJob;
use watchkeeper_formats::clarify::{
    AnalysisConfig, FacetConfig, MetricSelection, PostTrainingMetric, PreTrainingMetric,
};

use super::DatasetAndModel;
use super::analysis::{Asked, carry_out};
use super::configuration::{reference, value};
use crate::Ending;

/// Bootstrap resamples behind the intervals that are shown.
const RESAMPLES: u32 = 200;

#[derive(Args)]
pub(super) struct BiasOptions {
    #[command(flatten)]
    pub(super) common: DatasetAndModel,
    /// What is a positive label: values separated by commas, or one threshold above which a label is positive.
    #[arg(long, value_name = "VALUES", value_delimiter = ',', allow_hyphen_values = true)]
    positive: Vec<String>,
    /// A column, and which of its values are the sensitive group: values, one threshold above which they begin, or nothing for each value
    /// in turn.
    #[arg(long, value_name = "NAME[=VALUES]")]
    facet: Vec<String>,
    /// The column of groups for conditional disparities.
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// The column of predicted labels or scores, where the data has one; no model is asked then.
    #[arg(long, value_name = "NAME|INDEX|JMESPATH")]
    predicted_label: Option<String>,
    /// A score above it is a positive prediction; 0.5 unless given.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    threshold: Option<f64>,
    /// Only these metrics, such as DPL,DI.
    #[arg(long, value_name = "METRICS", value_delimiter = ',')]
    metrics: Vec<String>,
}

pub(super) fn run(options: &BiasOptions, baseline: Option<(&Path, Option<f64>)>) -> anyhow::Result<Ending> {
    if let Some((_, Some(level))) = baseline
        && !(level > 0.0 && level < 1.0)
    {
        bail!("--interval is {level}, expected a level between 0 and 1 such as 0.95");
    }
    let config = configuration(options)?;
    carry_out(
        &options.common,
        config,
        &Asked {
            what: "Bias",
            baseline: baseline.map(|(path, _)| path),
            bias_interval: baseline.and_then(|(_, interval)| interval),
            ndcg_threshold: ClarifyJob::DEFAULT_NDCG_THRESHOLD,
            resamples: RESAMPLES,
            can_resume: false,
        },
    )
}

fn configuration(options: &BiasOptions) -> anyhow::Result<AnalysisConfig> {
    let mut config = options.common.configuration()?;
    if !options.positive.is_empty() {
        config.label_values_or_threshold = options.positive.iter().map(|text| value(text)).collect();
    }
    if !options.facet.is_empty() {
        config.facets = options.facet.iter().map(|text| facet(text)).collect();
    }
    if let Some(group) = &options.group {
        config.group_variable = Some(reference(group));
    }
    if let Some(predicted) = &options.predicted_label {
        config.predicted_label = Some(reference(predicted));
    }
    if let Some(threshold) = options.threshold.filter(|threshold| !threshold.is_finite()) {
        bail!("--threshold is {threshold}, expected a number such as 0.5");
    }
    config.probability_threshold = options.threshold.or(config.probability_threshold);
    config.methods.shap = None;
    config.methods.pdp = None;
    choose_metrics(options, &mut config)?;
    Ok(config)
}

/// All metrics that can be computed, unless some are named here or in the file.
fn choose_metrics(options: &BiasOptions, config: &mut AnalysisConfig) -> anyhow::Result<()> {
    let methods = &mut config.methods;
    if options.metrics.is_empty() {
        if methods.pre_training_bias.is_none() && methods.post_training_bias.is_none() {
            methods.pre_training_bias = Some(MetricSelection::All);
            let has_model = options.common.model.is_some() || config.predictor.is_some();
            let has_predictions = config.predicted_label.is_some() || config.predicted_label_dataset_uri.is_some();
            methods.post_training_bias = (has_model || has_predictions).then_some(MetricSelection::All);
        }
        return Ok(());
    }
    let (mut of_labels, mut of_predictions) = (Vec::new(), Vec::new());
    for name in &options.metrics {
        if let Ok(metric) = name.parse::<PreTrainingMetric>() {
            of_labels.push(metric);
        } else if let Ok(metric) = name.parse::<PostTrainingMetric>() {
            of_predictions.push(metric);
        } else {
            let names = PreTrainingMetric::ALL.iter().map(|metric| metric.as_str());
            let names: Vec<&str> = names.chain(PostTrainingMetric::ALL.iter().map(|metric| metric.as_str())).collect();
            bail!("--metrics has no metric `{name}`; there are {}", names.join(", "));
        }
    }
    of_labels.sort_unstable();
    of_labels.dedup();
    of_predictions.sort_unstable();
    of_predictions.dedup();
    methods.pre_training_bias = (!of_labels.is_empty()).then_some(MetricSelection::Only(of_labels));
    methods.post_training_bias = (!of_predictions.is_empty()).then_some(MetricSelection::Only(of_predictions));
    Ok(())
}

/// `age=50`, `sex=F,X`, `region`.
fn facet(text: &str) -> FacetConfig {
    let (name, values) = text.split_once('=').map_or((text, None), |(name, values)| (name, Some(values)));
    let values = values.map(|values| values.split(',').map(value).collect());
    FacetConfig { column: reference(name), value_or_threshold: values.unwrap_or_default() }
}
