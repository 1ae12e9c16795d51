//! `analysis_config.json` of the configurations: Python's `_AnalysisConfigGenerator`, its members in the same order.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    BiasConfig, BiasMethods, DataConfig, ExplainabilityConfigs, ModelConfig, ModelPredictedLabelConfig, ModelScores,
    PostTrainingMethod, PreTrainingMethod,
};
use crate::{Error, Result};

pub(crate) type Config = Map<String, Value>;

/// Sets a member that has a value.
pub(crate) fn set<T: Serialize + ?Sized>(config: &mut Config, name: &str, value: Option<&T>) {
    if let Some(value) = value {
        let value = serde_json::to_value(value).expect("texts, numbers, lists and maps of text keys are JSON");
        config.insert(name.to_owned(), value);
    }
}

/// What is computed. A stage without methods is left out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Methods<'a> {
    pub(crate) pre_training: Option<&'a BiasMethods<PreTrainingMethod>>,
    pub(crate) post_training: Option<&'a BiasMethods<PostTrainingMethod>>,
    pub(crate) explainability: Option<&'a ExplainabilityConfigs>,
}

impl Methods<'static> {
    /// Every metric of bias.
    pub(crate) fn all_of_bias() -> Self {
        Self { pre_training: Some(&BiasMethods::All), post_training: Some(&BiasMethods::All), explainability: None }
    }
}

/// Who predicts, and what its predictions mean.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Predictions<'a> {
    pub(crate) model: Option<&'a ModelConfig>,
    pub(crate) predicted_label: Option<&'a ModelPredictedLabelConfig>,
}

/// Of labels alone: no model is asked.
pub(super) fn bias_pre_training(
    data: &DataConfig,
    bias: &BiasConfig,
    methods: &BiasMethods<PreTrainingMethod>,
) -> Result<Config> {
    let mut config = data_and_bias(data, bias)?;
    add_methods(&mut config, Methods { pre_training: Some(methods), ..Methods::default() })?;
    Ok(config)
}

/// Of labels and predictions, and of attributions too when `methods` says so.
pub(crate) fn bias(
    data: &DataConfig,
    bias: &BiasConfig,
    predictions: Predictions<'_>,
    methods: Methods<'_>,
) -> Result<Config> {
    if let Some(explainability) = methods.explainability
        && (explainability.asymmetric_shapley_value().is_some()
            || data.time_series_data_config.is_some()
            || predictions.model.is_some_and(|model| model.time_series_model_config.is_some()))
    {
        return Err(Error::argument("bias_config", "metrics of bias are not supported for time series"));
    }
    let mut config = data_and_bias(data, bias)?;
    add_methods(&mut config, methods)?;
    add_predictor(&mut config, predictions, methods.explainability.is_some())?;
    Ok(config)
}

/// Of predictions alone: what made them.
pub(crate) fn explainability(
    data: &DataConfig,
    model: &ModelConfig,
    scores: Option<&ModelScores>,
    methods: &ExplainabilityConfigs,
) -> Result<Config> {
    check_time_series(data, model, methods)?;
    let mut config = data.get_config()?;
    let predicted_label = match scores {
        Some(ModelScores::PredictedLabel(predicted_label)) => Some(predicted_label),
        _ => None,
    };
    add_predictor(&mut config, Predictions { model: Some(model), predicted_label }, true)?;
    if let (Some(ModelScores::Place(place)), Some(Value::Object(predictor))) = (scores, config.get_mut("predictor")) {
        set(predictor, "label", Some(place));
    }
    add_methods(&mut config, Methods { explainability: Some(methods), ..Methods::default() })?;
    Ok(config)
}

fn check_time_series(data: &DataConfig, model: &ModelConfig, methods: &ExplainabilityConfigs) -> Result<()> {
    match (methods.asymmetric_shapley_value(), &data.time_series_data_config, &model.time_series_model_config) {
        (Some(_), None, _) => {
            Err(Error::argument("data_config", "provide a TimeSeriesDataConfig, which time series need"))
        }
        (Some(_), _, None) => {
            Err(Error::argument("model_config", "provide a TimeSeriesModelConfig, which time series need"))
        }
        (Some(method), Some(series), Some(_)) => method.check_static_covariates(series),
        (None, None, None) => Ok(()),
        (None, ..) => Err(Error::argument(
            "explainability_config",
            "provide an AsymmetricShapleyValueConfig for time series; for anything else, neither a TimeSeriesDataConfig nor a \
             TimeSeriesModelConfig",
        )),
    }
}

fn data_and_bias(data: &DataConfig, bias: &BiasConfig) -> Result<Config> {
    let mut config = data.get_config()?;
    config.extend(bias.get_config());
    Ok(config)
}

fn add_methods(config: &mut Config, methods: Methods<'_>) -> Result<()> {
    let mut members = Map::new();
    members.insert("report".to_owned(), json!({"name": "report", "title": "Analysis Report"}));
    if let Some(pre_training) = methods.pre_training.filter(|methods| !methods.is_none()) {
        members.insert("pre_training_bias".to_owned(), json!({ "methods": pre_training }));
    }
    if let Some(post_training) = methods.post_training.filter(|methods| !methods.is_none()) {
        members.insert("post_training_bias".to_owned(), json!({ "methods": post_training }));
    }
    if let Some(explainability) = methods.explainability {
        members.extend(explainability.get_explainability_config()?);
    }
    if members.len() == 1 {
        return Err(Error::argument(
            "pre_training_methods, post_training_methods or explainability_config",
            "there must be at least one method",
        ));
    }
    config.insert("methods".to_owned(), members.into());
    Ok(())
}

fn add_predictor(config: &mut Config, predictions: Predictions<'_>, explains: bool) -> Result<()> {
    match predictions.model {
        Some(model) => {
            let mut predictor = model.get_predictor_config()?;
            if let Some(predicted_label) = predictions.predicted_label {
                predictor.extend(predicted_label.get_predictor_config());
            }
            config.insert("predictor".to_owned(), predictor.into());
        }
        None if explains => {
            return Err(Error::argument(
                "model_config",
                "must be provided when methods of explainability are selected",
            ));
        }
        None if !config.contains_key("predicted_label_dataset_uri") && !config.contains_key("predicted_label") => {
            return Err(Error::argument(
                "model_config",
                "must be provided when data_config has neither predicted_label_dataset_uri nor predicted_label",
            ));
        }
        None => {}
    }
    let threshold = predictions.predicted_label.and_then(|predicted_label| predicted_label.probability_threshold);
    set(config, "probability_threshold", threshold.as_ref());
    Ok(())
}
