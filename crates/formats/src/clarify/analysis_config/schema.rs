//! The schema of `analysis_config.json`, as the SDK checks it, milder where the specification says so.

use std::fmt::Display;
use std::str::FromStr;

use serde_json::Value;

use super::fields::{Field, Fields};
use super::{
    Aggregation, AnalysisConfig, ConfigError, DatasetType, FacetConfig, Methods, MetricSelection,
    PartialDependenceConfig, PredictorConfig, Reference, ReportConfig, ShapBaseline, ShapConfig, Template,
};
use crate::clarify::{PostTrainingMetric, PreTrainingMetric};
use crate::named_enum::word_list;

/// What a configuration is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// `dataset_type` and `methods` must be there.
    ProcessingJob,
    /// They come from elsewhere.
    Monitor,
}

impl Purpose {
    /// Takes a field out that must be there in the configuration of a processing job.
    fn take(self, fields: &mut Fields, name: &'static str) -> Result<Option<Field>, ConfigError> {
        match self {
            Self::ProcessingJob => fields.require(name).map(Some),
            Self::Monitor => Ok(fields.take(name)),
        }
    }
}

/// The longest `endpoint_name_prefix`.
const ENDPOINT_NAME_PREFIX_LENGTH: usize = 23;

const NO_TIME_SERIES: &str = "time series explainability is not supported";

pub(super) fn parse(text: &str, purpose: Purpose) -> Result<AnalysisConfig, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value: Value = serde_json::from_str(text).map_err(|error| ConfigError::NotJson(error.to_string()))?;
    let Value::Object(members) = value else {
        return Err(ConfigError::Schema("the configuration must be a JSON object".to_owned()));
    };
    let mut fields = Fields::new("", members);
    version(&mut fields)?;
    let config = AnalysisConfig {
        dataset_type: dataset_type(&mut fields, purpose)?,
        dataset_uri: fields.text("dataset_uri")?,
        headers: fields.texts("headers")?,
        label: fields.reference("label")?,
        predicted_label: fields.reference("predicted_label")?,
        features: fields.text("features")?,
        label_values_or_threshold: fields.values("label_values_or_threshold")?,
        probability_threshold: fields.take("probability_threshold").map(Field::number).transpose()?,
        facets: facets(&mut fields)?,
        group_variable: fields.reference("group_variable")?,
        facet_dataset_uri: fields.text("facet_dataset_uri")?,
        facet_headers: fields.texts("facet_headers")?,
        predicted_label_dataset_uri: fields.text("predicted_label_dataset_uri")?,
        predicted_label_headers: fields.texts("predicted_label_headers")?,
        joinsource: fields.reference("joinsource_name_or_index")?,
        excluded_columns: fields.references("excluded_columns")?.unwrap_or_default(),
        has_segment_config: fields.take("segment_config").map(Field::list).transpose()?.is_some(),
        methods: methods(&mut fields, purpose)?,
        predictor: fields.take("predictor").map(predictor).transpose()?,
    };
    if fields.take("time_series_data_config").is_some() {
        return Err(ConfigError::Refused(format!("{NO_TIME_SERIES}: remove `time_series_data_config`")));
    }
    fields.finish()?;
    Ok(config)
}

fn version(fields: &mut Fields) -> Result<(), ConfigError> {
    match fields.take("version") {
        Some(version) if version.value != "1.0" => Err(version.is_not("the text `1.0`")),
        _ => Ok(()),
    }
}

fn dataset_type(fields: &mut Fields, purpose: Purpose) -> Result<Option<DatasetType>, ConfigError> {
    let Some(field) = purpose.take(fields, "dataset_type")? else { return Ok(None) };
    let supported = word_list(&DatasetType::ALL.iter().map(|dataset_type| dataset_type.as_str()).collect::<Vec<_>>());
    let word = field.value.as_str().unwrap_or_default().to_ascii_lowercase();
    if matches!(word.as_str(), "application/sagemakercapturejson" | "application/x-image") {
        return Err(ConfigError::Refused(format!("`dataset_type` {word} is not supported, only {supported}")));
    }
    field.word(&format!("one of {supported}")).map(Some)
}

fn facets(fields: &mut Fields) -> Result<Vec<FacetConfig>, ConfigError> {
    let Some(list) = fields.take("facet") else { return Ok(Vec::new()) };
    let facet = |field: Field| {
        let mut fields = field.object()?;
        let column = fields.require("name_or_index")?.reference()?;
        let value_or_threshold = fields.values("value_or_threshold")?;
        fields.finish()?;
        Ok(FacetConfig { column, value_or_threshold })
    };
    list.list_of(facet)
}

fn methods(fields: &mut Fields, purpose: Purpose) -> Result<Methods, ConfigError> {
    let Some(field) = purpose.take(fields, "methods")? else { return Ok(Methods::default()) };
    let mut fields = field.object()?;
    let methods = Methods {
        pre_training_bias: fields
            .take("pre_training_bias")
            .map(|field| metrics(field, PreTrainingMetric::ALL))
            .transpose()?,
        post_training_bias: fields
            .take("post_training_bias")
            .map(|field| metrics(field, PostTrainingMetric::ALL))
            .transpose()?,
        shap: fields.take("shap").map(shap).transpose()?,
        pdp: fields.take("pdp").map(partial_dependence).transpose()?,
        report: fields.take("report").map(report).transpose()?,
    };
    if fields.take("asymmetric_shapley_value").is_some() {
        return Err(ConfigError::Refused(format!("{NO_TIME_SERIES}: remove `methods.asymmetric_shapley_value`")));
    }
    fields.finish()?;
    let computes = methods.pre_training_bias.is_some() || methods.post_training_bias.is_some();
    if purpose == Purpose::ProcessingJob && !computes && methods.shap.is_none() && methods.pdp.is_none() {
        let asked = "pre_training_bias, post_training_bias, shap and pdp";
        return Err(ConfigError::Refused(format!("`methods` asks for nothing: name at least one of {asked}")));
    }
    if methods.shap.is_none() && methods.pdp.as_ref().is_some_and(|pdp| pdp.features.is_none()) {
        let text = "PDP features must be provided when ShapConfig is not provided: set `methods.pdp.features` or \
                    `methods.shap`";
        return Err(ConfigError::Refused(text.to_owned()));
    }
    Ok(methods)
}

/// `all`, or names of metrics, which are computed in the order of the documents whatever the order they are named in.
fn metrics<M: Ord + Display + FromStr>(field: Field, all: &[M]) -> Result<MetricSelection<M>, ConfigError> {
    let mut fields = field.object()?;
    let field = fields.require("methods")?;
    fields.finish()?;
    let path = field.path.clone();
    let names = if field.value.is_array() { field.list_of(Field::text)? } else { vec![field.text()?] };
    if names.iter().any(|name| name.eq_ignore_ascii_case("all")) {
        return Ok(MetricSelection::All);
    }
    let metric = |name: &String| {
        name.parse().map_err(|_| {
            let registered: Vec<String> = all.iter().map(|metric| format!("'{metric}'")).collect();
            let registered = registered.join(", ");
            ConfigError::Refused(format!(
                "Invalid metric_name: metrics should be one of the registered metrics[{registered}]; `{path}` names `{name}`"
            ))
        })
    };
    let mut chosen = names.iter().map(metric).collect::<Result<Vec<_>, _>>()?;
    if chosen.is_empty() {
        return Err(ConfigError::Schema(format!("`{path}` is empty, expected `all` or names of metrics")));
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(MetricSelection::Only(chosen))
}

fn shap(field: Field) -> Result<ShapConfig, ConfigError> {
    let mut fields = field.object()?;
    for unsupported in ["text_config", "image_config"] {
        if fields.take(unsupported).is_some() {
            let text = format!("`methods.shap.{unsupported}` is not supported: only features of tables are explained");
            return Err(ConfigError::Refused(text));
        }
    }
    let config = ShapConfig {
        baseline: fields.take("baseline").map(shap_baseline).transpose()?,
        num_clusters: fields.take("num_clusters").map(at_least_one).transpose()?,
        num_samples: fields.take("num_samples").map(at_least_one).transpose()?,
        agg_method: fields
            .take("agg_method")
            .map_or(Ok(Aggregation::default()), |field| field.word("one of mean_abs, median, mean_sq"))?,
        use_logit: fields.flag("use_logit")?,
        save_local_shap_values: fields.flag("save_local_shap_values")?,
        seed: fields.whole("seed", 0)?,
        features_to_explain: fields.references("features_to_explain")?,
    };
    fields.finish()?;
    if config.baseline.is_some() && config.num_clusters.is_some() {
        let text = "`methods.shap.baseline` and `methods.shap.num_clusters` exclude each other: remove one";
        return Err(ConfigError::Refused(text.to_owned()));
    }
    Ok(config)
}

fn shap_baseline(field: Field) -> Result<ShapBaseline, ConfigError> {
    match field.value {
        Value::String(uri) => Ok(ShapBaseline::Uri(uri)),
        Value::Object(_) => Ok(ShapBaseline::Inline(field.value)),
        Value::Array(ref rows) if rows.iter().all(|row| row.is_array() || row.is_object()) => {
            Ok(ShapBaseline::Inline(field.value))
        }
        _ => Err(field.is_not("a list of rows, JSON records, or the URI of a file")),
    }
}

/// A count that is refused with a sentence when it is a whole number below one.
fn at_least_one<N: TryFrom<u64>>(field: Field) -> Result<N, ConfigError> {
    if field.value.as_i64().is_some_and(|number| number < 1) {
        return Err(ConfigError::Refused(format!("`{}` must be at least 1, it is {}", field.path, field.value)));
    }
    field.whole(1)
}

fn partial_dependence(field: Field) -> Result<PartialDependenceConfig, ConfigError> {
    let mut fields = field.object()?;
    let default = PartialDependenceConfig::default();
    let config = PartialDependenceConfig {
        grid_resolution: fields.take("grid_resolution").map_or(Ok(default.grid_resolution), at_least_one)?,
        features: fields.references("features")?.filter(|features| !features.is_empty()),
        top_k_features: fields.take("top_k_features").map_or(Ok(default.top_k_features), at_least_one)?,
    };
    fields.finish()?;
    Ok(config)
}

fn report(field: Field) -> Result<ReportConfig, ConfigError> {
    let mut fields = field.object()?;
    let default = ReportConfig::default();
    let name = fields.text("name")?.unwrap_or(default.name);
    let title = fields.text("title")?.unwrap_or(default.title);
    fields.finish()?;
    // The name becomes a file's beside the other results.
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
        return Err(ConfigError::Schema(format!("`methods.report.name` is `{name}`, expected the name of a file")));
    }
    Ok(ReportConfig { name, title })
}

fn predictor(field: Field) -> Result<PredictorConfig, ConfigError> {
    let mut fields = field.object()?;
    let config = PredictorConfig {
        endpoint_name: fields.text("endpoint_name")?,
        endpoint_name_prefix: fields.take("endpoint_name_prefix").map(endpoint_name_prefix).transpose()?,
        model_name: fields.text("model_name")?,
        target_model: fields.text("target_model")?,
        instance_type: fields.text("instance_type")?,
        initial_instance_count: fields.whole("initial_instance_count", 1)?,
        accelerator_type: fields.text("accelerator_type")?,
        content_type: fields.take("content_type").map(|field| content_type(&field)).transpose()?,
        accept_type: fields.take("accept_type").map(|field| content_type(&field)).transpose()?,
        label: fields.reference("label")?,
        probability: fields.reference("probability")?,
        label_headers: label_headers(&mut fields)?,
        content_template: fields.take("content_template").map(template).transpose()?,
        record_template: fields.take("record_template").map(template).transpose()?,
        custom_attributes: fields.text("custom_attributes")?,
    };
    if fields.take("time_series_predictor_config").is_some() {
        let text = format!("{NO_TIME_SERIES}: remove `predictor.time_series_predictor_config`");
        return Err(ConfigError::Refused(text));
    }
    fields.finish()?;
    Ok(config)
}

/// Letters, digits and single hyphens between them, as names of endpoints are.
fn endpoint_name_prefix(field: Field) -> Result<String, ConfigError> {
    let is_name = |text: &str| {
        let characters = text.chars().all(|character| character.is_ascii_alphanumeric() || character == '-');
        characters && text.len() <= ENDPOINT_NAME_PREFIX_LENGTH && text.starts_with(|first: char| first != '-')
    };
    if field.value.as_str().is_some_and(is_name) {
        return field.text();
    }
    let expected = format!("at most {ENDPOINT_NAME_PREFIX_LENGTH} letters, digits and hyphens, the first no hyphen");
    Err(field.is_not(&expected))
}

fn content_type(field: &Field) -> Result<String, ConfigError> {
    const SUPPORTED: [&str; 3] = ["text/csv", "application/jsonlines", "application/json"];
    const OF_IMAGES: [&str; 3] = ["image/jpeg", "image/png", "application/x-npy"];
    let word = field.value.as_str().unwrap_or_default().to_ascii_lowercase();
    if SUPPORTED.contains(&word.as_str()) {
        return Ok(word);
    }
    let supported = word_list(&SUPPORTED);
    if OF_IMAGES.contains(&word.as_str()) {
        return Err(ConfigError::Refused(format!("`{}` {word} is not supported, only {supported}", field.path)));
    }
    Err(field.is_not(&format!("one of {supported}")))
}

fn label_headers(fields: &mut Fields) -> Result<Option<Vec<String>>, ConfigError> {
    let headers = fields.references("label_headers")?;
    let printed = |header| match header {
        Reference::Name(name) => name,
        Reference::Index(number) => number.to_string(),
    };
    Ok(headers.map(|headers| headers.into_iter().map(printed).collect()))
}

/// A text, or a JSON value in whose place its text stands.
fn template(field: Field) -> Result<Template, ConfigError> {
    match field.value {
        Value::String(text) => Ok(Template(text)),
        Value::Object(_) | Value::Array(_) => Ok(Template(field.value.to_string())),
        _ => Err(field.is_not("a text or an object")),
    }
}
