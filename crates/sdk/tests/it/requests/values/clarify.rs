//! Values of SageMaker Clarify.

use serde_json::Value;
use watchkeeper::clarify::{
    AsymmetricShapleyBaseline, AsymmetricShapleyValueConfig, BiasConfig, BiasMethods, ExplainabilityConfig,
    ExplainabilityConfigs, ImageConfig, ModelConfig, ModelPredictedLabelConfig, ModelScores, NameOrIndex, PDPConfig,
    SHAPConfig, Scalar, SegmentationConfig, ShapBaseline, TextConfig, TimeSeriesBaseline, TimeSeriesDataConfig,
    TimeSeriesModelConfig,
};
use watchkeeper::model_monitor::{AnalysisConfig, BiasAnalysisConfig, ExplainabilityAnalysisConfig};

use super::{all, arguments_of, but, class_of, decimal, flag, number, set, text, texts, uri};

pub fn name_or_index(value: &Value) -> NameOrIndex {
    value.as_str().map_or_else(|| value.as_i64().unwrap().into(), NameOrIndex::from)
}

fn scalar(value: &Value) -> Scalar {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::String(value) => value.as_str().into(),
        value => value.as_i64().map_or_else(|| decimal(value).into(), Scalar::from),
    }
}

pub fn segmentation_config(value: &Value) -> SegmentationConfig {
    let arguments = arguments_of(value, "SegmentationConfig");
    let segments = all(&arguments["segments"], |segment| all(segment, scalar));
    let mut made = SegmentationConfig::new(name_or_index(&arguments["name_or_index"]), segments);
    set!(made, but(arguments, &["name_or_index", "segments"]), value => {
        config_name: text(value),
        display_aliases: texts(value),
    });
    made
}

pub fn time_series_data_config(value: &Value) -> TimeSeriesDataConfig {
    let arguments = arguments_of(value, "TimeSeriesDataConfig");
    let place = |name: &str| name_or_index(&arguments[name]);
    let mut made = TimeSeriesDataConfig::new(place("target_time_series"), place("item_id"), place("timestamp"));
    set!(made, but(arguments, &["target_time_series", "item_id", "timestamp"]), value => {
        related_time_series: all(value, name_or_index),
        static_covariates: all(value, name_or_index),
        dataset_format: text(&value["$TimeSeriesJSONDatasetFormat"]),
    });
    made
}

pub fn bias_config(value: &Value) -> BiasConfig {
    let arguments = arguments_of(value, "BiasConfig");
    let names = &arguments["facet_name"];
    let names = names.as_array().cloned().unwrap_or_else(|| vec![names.clone()]);
    let values = arguments.get("facet_values_or_threshold");
    // One facet has its values alone, several have a list of them each.
    let values_of = |number: usize| {
        let values = values?;
        let own = if arguments["facet_name"].is_array() { values.get(number)? } else { values };
        own.as_array().map(|_| all(own, scalar))
    };
    let mut made = BiasConfig::new(all(&arguments["label_values_or_threshold"], scalar), name_or_index(&names[0]));
    for (number, name) in names.iter().enumerate() {
        if number > 0 {
            made = made.facet_name(name_or_index(name));
        }
        if let Some(values) = values_of(number) {
            made = made.facet_values_or_threshold(values);
        }
    }
    let said = ["label_values_or_threshold", "facet_name", "facet_values_or_threshold"];
    set!(made, but(arguments, &said), value => {
        group_name: name_or_index(value),
    });
    made
}

pub fn model_config(value: &Value) -> ModelConfig {
    let arguments = arguments_of(value, "ModelConfig");
    let mut made = match arguments.get("endpoint_name") {
        Some(name) => ModelConfig::endpoint(text(name)),
        None => ModelConfig::new(
            text(&arguments["model_name"]),
            number(&arguments["instance_count"]),
            text(&arguments["instance_type"]),
        ),
    };
    let said = ["endpoint_name", "model_name", "instance_count", "instance_type"];
    set!(made, but(arguments, &said), value => {
        accept_type: text(value),
        content_type: text(value),
        content_template: text(value),
        record_template: text(value),
        custom_attributes: text(value),
        accelerator_type: text(value),
        endpoint_name_prefix: text(value),
        target_model: text(value),
        time_series_model_config:
            TimeSeriesModelConfig::new(text(&arguments_of(value, "TimeSeriesModelConfig")["forecast"])),
    });
    made
}

pub fn label_config(value: &Value) -> ModelPredictedLabelConfig {
    let mut made = ModelPredictedLabelConfig::new();
    set!(made, arguments_of(value, "ModelPredictedLabelConfig"), value => {
        label: name_or_index(value),
        probability: name_or_index(value),
        probability_threshold: decimal(value),
        label_headers: texts(value),
    });
    made
}

pub fn model_scores(value: &Value) -> ModelScores {
    if value.is_object() { label_config(value).into() } else { name_or_index(value).into() }
}

pub fn explainability_configs(value: &Value) -> ExplainabilityConfigs {
    if value.is_array() { all(value, explainability_config).into() } else { explainability_config(value).into() }
}

fn explainability_config(value: &Value) -> ExplainabilityConfig {
    match class_of(value).unwrap().0 {
        "SHAPConfig" => shap_config(value).into(),
        "PDPConfig" => pdp_config(value).into(),
        "AsymmetricShapleyValueConfig" => asymmetric_config(value).into(),
        other => panic!("no method {other}"),
    }
}

fn shap_config(value: &Value) -> SHAPConfig {
    let mut made = SHAPConfig::new();
    set!(made, arguments_of(value, "SHAPConfig"), value => {
        baseline: if value.is_string() { ShapBaseline::from(uri(value)) } else { value.clone().into() },
        num_samples: number(value),
        agg_method: text(value),
        use_logit: flag(value),
        save_local_shap_values: flag(value),
        seed: value.as_i64().unwrap(),
        num_clusters: number(value),
        text_config: text_config(value),
        image_config: image_config(value),
        features_to_explain: all(value, name_or_index),
    });
    made
}

fn pdp_config(value: &Value) -> PDPConfig {
    let mut made = PDPConfig::new();
    set!(made, arguments_of(value, "PDPConfig"), value => {
        features: all(value, name_or_index),
        grid_resolution: number(value),
        top_k_features: number(value),
    });
    made
}

fn text_config(value: &Value) -> TextConfig {
    let arguments = arguments_of(value, "TextConfig");
    TextConfig::new(text(&arguments["granularity"]), text(&arguments["language"]))
}

fn image_config(value: &Value) -> ImageConfig {
    let arguments = arguments_of(value, "ImageConfig");
    let mut made = ImageConfig::new(text(&arguments["model_type"]));
    set!(made, but(arguments, &["model_type"]), value => {
        num_segments: number(value),
        feature_extraction_method: text(value),
        segment_compactness: decimal(value),
        max_objects: number(value),
        iou_threshold: decimal(value),
        context: decimal(value),
    });
    made
}

fn asymmetric_config(value: &Value) -> AsymmetricShapleyValueConfig {
    let mut made = AsymmetricShapleyValueConfig::new();
    set!(made, arguments_of(value, "AsymmetricShapleyValueConfig"), value => {
        direction: text(value),
        granularity: text(value),
        num_samples: number(value),
        baseline: time_series_baseline(value),
    });
    made
}

fn time_series_baseline(value: &Value) -> AsymmetricShapleyBaseline {
    let mut made = TimeSeriesBaseline::new();
    set!(made, value.as_object().unwrap(), value => {
        target_time_series: text(value),
        related_time_series: text(value),
    });
    made.into()
}

pub fn bias_analysis(value: &Value) -> AnalysisConfig<BiasAnalysisConfig> {
    if value.is_string() {
        return uri(value).into();
    }
    let arguments = arguments_of(value, "BiasAnalysisConfig");
    let mut made = BiasAnalysisConfig::new(&bias_config(&arguments["bias_config"]));
    set!(made, but(arguments, &["bias_config"]), value => {
        headers: texts(value),
        label: name_or_index(value),
    });
    made.into()
}

pub fn explainability_analysis(value: &Value) -> AnalysisConfig<ExplainabilityAnalysisConfig> {
    if value.is_string() {
        return uri(value).into();
    }
    let arguments = arguments_of(value, "ExplainabilityAnalysisConfig");
    let methods = explainability_configs(&arguments["explainability_config"]);
    let mut made = ExplainabilityAnalysisConfig::new(methods, &model_config(&arguments["model_config"]));
    set!(made, but(arguments, &["explainability_config", "model_config"]), value => {
        headers: texts(value),
        label_headers: texts(value),
    });
    made.into()
}

pub fn methods<M: for<'a> From<&'a str>>(value: &Value) -> BiasMethods<M> {
    texts(value).into()
}
