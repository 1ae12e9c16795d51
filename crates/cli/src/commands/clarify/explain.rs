//! `watchkeeper explain`: how much each feature adds to a model's predictions.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use watchkeeper_formats::clarify::{
    Aggregation, AnalysisConfig, PartialDependenceConfig, Reference, ShapBaseline, ShapConfig,
};

use super::DatasetAndModel;
use super::analysis::{Asked, carry_out};
use super::configuration::reference;
use crate::Ending;

#[derive(Args)]
pub(super) struct ExplainOptions {
    #[command(flatten)]
    pub(super) common: DatasetAndModel,
    /// Coalitions of features that are asked for an explained row; by the number of features unless given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    num_samples: Option<u64>,
    /// Seed of all that is drawn; the same seed gives the same bytes.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// File with the rows that stand for a feature that is not known, in the format of the dataset; centres of clusters unless given.
    #[arg(long, value_name = "FILE", conflicts_with = "num_clusters")]
    baseline_rows: Option<PathBuf>,
    /// How many clusters; by the data unless given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    num_clusters: Option<u32>,
    /// How attributions of rows become one of a feature.
    #[arg(long, value_name = "mean_abs|median|mean_sq")]
    agg_method: Option<Aggregation>,
    /// Explain log-odds; the model gives probabilities.
    #[arg(long)]
    use_logit: bool,
    /// Explain these features only.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    features: Vec<String>,
    /// Partial dependence of these features, or of the most important ones.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', num_args = 0..=1, default_missing_value = "")]
    pdp: Option<Vec<String>>,
    /// Buckets of a numerical feature's partial dependence.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), requires = "pdp")]
    grid_resolution: Option<u32>,
}

pub(super) fn run(options: &ExplainOptions, baseline: Option<(&Path, f64)>) -> anyhow::Result<Ending> {
    if let Some((_, threshold)) = baseline
        && !threshold.is_finite()
    {
        bail!("--ndcg-threshold is {threshold}, expected a number such as 0.9");
    }
    let config = configuration(options)?;
    if options.common.model.is_none() && config.predictor.is_none() {
        bail!("no --model, and no model is named by a configuration: an explanation asks the model");
    }
    let threshold = baseline.map(|(_, threshold)| threshold);
    carry_out(
        &options.common,
        config,
        &Asked {
            what: "Feature attributions",
            baseline: baseline.map(|(path, _)| path),
            bias_interval: None,
            ndcg_threshold: threshold.unwrap_or(watchkeeper_formats::ClarifyJob::DEFAULT_NDCG_THRESHOLD),
            resamples: 0,
            can_resume: true,
        },
    )
}

fn configuration(options: &ExplainOptions) -> anyhow::Result<AnalysisConfig> {
    let mut config = options.common.configuration()?;
    config.methods.pre_training_bias = None;
    config.methods.post_training_bias = None;
    dependence(options, &mut config);
    // A file that asks for partial dependence alone gets that alone.
    if config.methods.shap.is_none() && (config.methods.pdp.is_none() || options.asks_for_attributions()) {
        config.methods.shap = Some(ShapConfig::default());
    }
    if let Some(shap) = &mut config.methods.shap {
        options.go_over(shap);
    }
    if config.methods.shap.is_none() && config.methods.pdp.as_ref().is_none_or(|pdp| pdp.features.is_none()) {
        bail!("--pdp names no features, and there are no attributions to choose them by");
    }
    Ok(config)
}

fn dependence(options: &ExplainOptions, config: &mut AnalysisConfig) {
    let Some(features) = &options.pdp else { return };
    let pdp = config.methods.pdp.get_or_insert_with(PartialDependenceConfig::default);
    let named: Vec<Reference> = features.iter().filter(|name| !name.is_empty()).map(|name| reference(name)).collect();
    if named.is_empty() {
        // The most important ones, which attributions tell.
        config.methods.shap.get_or_insert_with(ShapConfig::default);
    } else {
        pdp.features = Some(named);
    }
    if let Some(resolution) = options.grid_resolution {
        pdp.grid_resolution = resolution;
    }
}

impl ExplainOptions {
    fn asks_for_attributions(&self) -> bool {
        let is_drawn = self.num_samples.is_some() || self.seed.is_some();
        let has_background = self.baseline_rows.is_some() || self.num_clusters.is_some();
        is_drawn || has_background || self.agg_method.is_some() || self.use_logit || !self.features.is_empty()
    }

    fn go_over(&self, shap: &mut ShapConfig) {
        shap.num_samples = self.num_samples.or(shap.num_samples);
        shap.seed = self.seed.or(shap.seed);
        shap.agg_method = self.agg_method.unwrap_or(shap.agg_method);
        shap.use_logit |= self.use_logit;
        // Reports show single rows, and the file costs nothing beside what it took to compute it.
        shap.save_local_shap_values = true;
        if let Some(rows) = &self.baseline_rows {
            shap.baseline = Some(ShapBaseline::Uri(rows.display().to_string()));
            shap.num_clusters = None;
        }
        if self.num_clusters.is_some() {
            shap.baseline = None;
            shap.num_clusters = self.num_clusters;
        }
        if !self.features.is_empty() {
            shap.features_to_explain = Some(self.features.iter().map(|name| reference(name)).collect());
        }
    }
}
