//! What a configuration comes to, checked before anything is read.

use watchkeeper_formats::clarify::{AnalysisConfig, DatasetType, MetricSelection, Reference, ReportConfig};

use super::ClarifyError;

/// The most values that a feature is set to: each is asked for with all rows, and no eye sees more.
const MOST_BUCKETS: u32 = 10_000;

/// A configuration that can be carried out, as far as that can be known without the data.
pub(super) struct Plan {
    pub(super) config: AnalysisConfig,
    /// Where the records come from.
    pub(super) origin: Origin,
}

/// Where records come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A dataset of its own.
    Dataset,
    /// What a model was asked and answered, with labels.
    MergedTraffic,
    /// What a model was asked.
    CapturedTraffic,
}

impl Plan {
    /// Checks the configuration of a processing job.
    pub(super) fn of_processing(config: AnalysisConfig) -> Result<Self, ClarifyError> {
        let plan = Self { config, origin: Origin::Dataset };
        plan.check_methods()?;
        plan.check_places()?;
        plan.check_bias()?;
        plan.check_explanations()?;
        Ok(plan)
    }

    /// Checks the configuration of a bias monitor, which measures everything.
    pub(super) fn of_bias_monitor(mut config: AnalysisConfig) -> Result<Self, ClarifyError> {
        config.methods.pre_training_bias = Some(MetricSelection::All);
        config.methods.post_training_bias = Some(MetricSelection::All);
        config.methods.shap = None;
        config.methods.pdp = None;
        let plan = Self { config, origin: Origin::MergedTraffic };
        plan.check_bias()?;
        Ok(plan)
    }

    /// Checks the configuration of an explainability monitor.
    pub(super) fn of_explainability_monitor(mut config: AnalysisConfig) -> Result<Self, ClarifyError> {
        config.methods.pre_training_bias = None;
        config.methods.post_training_bias = None;
        let plan = Self { config, origin: Origin::CapturedTraffic };
        plan.check_methods()?;
        plan.check_explanations()?;
        Ok(plan)
    }

    /// Whether bias is measured.
    pub(super) fn measures_bias(&self) -> bool {
        self.config.methods.pre_training_bias.is_some() || self.config.methods.post_training_bias.is_some()
    }

    /// Whether features are explained.
    pub(super) fn explains(&self) -> bool {
        self.config.methods.shap.is_some() || self.config.methods.pdp.is_some()
    }

    /// Whether the data brings its own predictions.
    pub(super) fn has_predictions(&self) -> bool {
        self.origin == Origin::MergedTraffic
            || self.config.predicted_label.is_some()
            || self.config.predicted_label_dataset_uri.is_some()
    }

    /// Whether a model's labels are needed to measure bias.
    pub(super) fn predicts_labels(&self) -> bool {
        self.config.methods.post_training_bias.is_some() && !self.has_predictions()
    }

    /// Whether a model is asked.
    pub(super) fn asks_model(&self) -> bool {
        self.explains() || self.predicts_labels()
    }

    /// The report that is wanted: the one that is configured, or a monitor's.
    pub(super) fn report(&self) -> Option<ReportConfig> {
        let is_of_monitor = self.origin != Origin::Dataset;
        self.config.methods.report.clone().or_else(|| is_of_monitor.then(ReportConfig::default))
    }

    /// Whether references by name are `JMESPath`s.
    pub(super) fn is_json(&self) -> bool {
        self.config.dataset_type.is_some_and(is_json)
    }

    fn check_methods(&self) -> Result<(), ClarifyError> {
        if self.measures_bias() || self.explains() {
            return Ok(());
        }
        refuse(
            "Analysis configuration has no method to compute: add at least one of pre_training_bias, post_training_bias, shap, \
             pdp to methods",
        )
    }

    fn check_places(&self) -> Result<(), ClarifyError> {
        let config = &self.config;
        let is_csv = config.dataset_type == Some(DatasetType::Csv);
        if self.is_json() && config.features.as_deref().is_none_or(|path| path.trim().is_empty()) {
            return refuse("Data must contain features. Set features to the JMESPath of the features in a record");
        }
        for (name, reference) in [("label", &config.label), ("predicted_label", &config.predicted_label)] {
            if let (true, Some(Reference::Index(index))) = (self.is_json(), reference) {
                return refuse(format!("{name} is the index {index}, but JSON data needs a JMESPath there"));
            }
        }
        for (key, is_set) in [
            ("facet_dataset_uri", config.facet_dataset_uri.is_some()),
            ("predicted_label_dataset_uri", config.predicted_label_dataset_uri.is_some()),
        ] {
            if is_set && !is_csv {
                return refuse(format!("{key} is for datasets of text/csv alone"));
            }
        }
        Ok(())
    }

    fn check_bias(&self) -> Result<(), ClarifyError> {
        let config = &self.config;
        if !self.measures_bias() {
            return Ok(());
        }
        if config.label.is_none() && self.origin == Origin::Dataset {
            return refuse("Headers must contain label. Set label, which bias metrics need");
        }
        if config.label_values_or_threshold.is_empty() {
            return refuse(
                "Positive label values or thresholds are empty for Label column; set label_values_or_threshold",
            );
        }
        if config.facets.is_empty() {
            return refuse("Unable to locate the facet. Set facet, which bias metrics need");
        }
        if self.predicts_labels() && config.predictor.is_none() {
            return refuse(
                "post_training_bias needs predictions: set predictor to ask a model, or predicted_label where the dataset \
                 has them",
            );
        }
        Ok(())
    }

    fn check_explanations(&self) -> Result<(), ClarifyError> {
        let methods = &self.config.methods;
        if !self.explains() {
            return Ok(());
        }
        if self.config.predictor.is_none() && self.origin == Origin::Dataset {
            return refuse("shap and pdp ask a model: set predictor");
        }
        if let Some(shap) = &methods.shap {
            if shap.baseline.is_some() && shap.num_clusters.is_some() {
                return refuse("shap has both baseline and num_clusters: set one of them");
            }
            if shap.num_clusters == Some(0) {
                return refuse("num_clusters of shap is 0, expected 1 or more");
            }
            if shap.num_samples == Some(0) {
                return refuse("num_samples of shap is 0, expected 1 or more");
            }
        }
        if let Some(pdp) = &methods.pdp {
            if pdp.grid_resolution == 0 {
                return refuse("grid_resolution of pdp is 0, expected 1 or more");
            }
            if pdp.grid_resolution > MOST_BUCKETS {
                let resolution = pdp.grid_resolution;
                return refuse(format!("grid_resolution of pdp is {resolution}, expected {MOST_BUCKETS} at most"));
            }
            if pdp.features.is_none() && methods.shap.is_none() {
                return refuse("PDP features must be provided when ShapConfig is not provided");
            }
        }
        Ok(())
    }
}

/// Whether the records of a format are JSON.
pub(super) fn is_json(dataset_type: DatasetType) -> bool {
    matches!(dataset_type, DatasetType::JsonLines | DatasetType::Json)
}

fn refuse<T>(text: impl Into<String>) -> Result<T, ClarifyError> {
    Err(ClarifyError::Refused(text.into()))
}
