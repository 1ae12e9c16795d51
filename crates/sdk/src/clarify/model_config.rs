//! The model that an analysis asks, and what its answers mean.

use serde_json::{Map, Value};

use super::TimeSeriesModelConfig;
use super::analysis_config::set;
use super::value::NameOrIndex;
use crate::request::setters;
use crate::word::word;
use crate::{Error, Result};

word! {
    /// What a model answers with.
    pub enum AcceptType {
        /// Rows of cells.
        TextCsv = "text/csv",
        /// A JSON value a line.
        JsonLines = "application/jsonlines",
        /// A JSON document.
        Json = "application/json",
    }
}

word! {
    /// What a model is given.
    pub enum ContentType {
        /// Rows of cells.
        TextCsv = "text/csv",
        /// A JSON value a line.
        JsonLines = "application/jsonlines",
        /// A JSON document.
        Json = "application/json",
        /// An image as JPEG.
        Jpeg = "image/jpeg",
        /// An image as PNG.
        Png = "image/png",
        /// An array in the format of NumPy.
        Npy = "application/x-npy",
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Served {
    /// By an endpoint that is made for the analysis.
    Shadow { model_name: String, instance_count: u32, instance_type: String },
    /// By an endpoint that is there.
    Endpoint(String),
}

/// The model: one that an endpoint is made of for the time of the analysis ([`new`](Self::new)), or one behind an endpoint that
/// is there ([`endpoint`](Self::endpoint)).
///
/// ```
/// use watchkeeper::clarify::ModelConfig;
///
/// let model = ModelConfig::new("credit-model", 1, "ml.c5.xlarge")
///     .content_type("application/jsonlines")
///     .content_template(r#"{"features": $features}"#)
///     .accept_type("text/csv");
/// assert_eq!(model.get_predictor_config()?["initial_instance_count"], 1);
/// # Ok::<(), watchkeeper::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
// The names of Python's parameters.
#[allow(clippy::struct_field_names)]
pub struct ModelConfig {
    served: Served,
    accept_type: Option<AcceptType>,
    content_type: Option<ContentType>,
    content_template: Option<String>,
    record_template: Option<String>,
    custom_attributes: Option<String>,
    accelerator_type: Option<String>,
    endpoint_name_prefix: Option<String>,
    target_model: Option<String>,
    pub(super) time_series_model_config: Option<TimeSeriesModelConfig>,
}

impl ModelConfig {
    /// A model by its name, with the instances of the endpoint that is made for the analysis and deleted after it.
    pub fn new(model_name: impl Into<String>, instance_count: u32, instance_type: impl Into<String>) -> Self {
        Self::of(Served::Shadow { model_name: model_name.into(), instance_count, instance_type: instance_type.into() })
    }

    /// The model behind an endpoint: Python's `endpoint_name`.
    pub fn endpoint(endpoint_name: impl Into<String>) -> Self {
        Self::of(Served::Endpoint(endpoint_name.into()))
    }

    fn of(served: Served) -> Self {
        Self {
            served,
            accept_type: None,
            content_type: None,
            content_template: None,
            record_template: None,
            custom_attributes: None,
            accelerator_type: None,
            endpoint_name_prefix: None,
            target_model: None,
            time_series_model_config: None,
        }
    }

    setters! {
        /// What the model answers with; the format it is given unless set.
        accept_type: AcceptType,
        /// What the model is given; the format of the dataset unless set.
        content_type: ContentType,
        /// What the model is given, as a text with a placeholder: `$features` in JSON Lines; `$record` or `$records` in JSON.
        content_template: String,
        /// One record in JSON, with `$features`, `$feature_names`, `$features_kvp` or `"${name of a feature}"`.
        record_template: String,
        /// `CustomAttributes` of the invocations.
        custom_attributes: String,
        /// The accelerator of the instances.
        accelerator_type: String,
        /// What the name of the endpoint that is made begins with.
        endpoint_name_prefix: String,
        /// The model of an endpoint of several.
        target_model: String,
        /// Where the forecast is, of a model of time series.
        time_series_model_config: TimeSeriesModelConfig,
    }

    /// The `predictor` of `analysis_config.json`.
    pub fn get_predictor_config(&self) -> Result<Map<String, Value>> {
        self.check_served()?;
        self.check_formats()?;
        let mut config = Map::new();
        match &self.served {
            Served::Shadow { model_name, instance_count, instance_type } => {
                set(&mut config, "model_name", Some(model_name));
                set(&mut config, "instance_type", Some(instance_type));
                set(&mut config, "initial_instance_count", Some(instance_count));
            }
            Served::Endpoint(endpoint_name) => set(&mut config, "endpoint_name", Some(endpoint_name)),
        }
        set(&mut config, "endpoint_name_prefix", self.endpoint_name_prefix.as_ref());
        set(&mut config, "accept_type", self.accept_type.as_ref());
        set(&mut config, "content_type", self.content_type.as_ref());
        set(&mut config, "content_template", self.content_template.as_ref());
        set(&mut config, "record_template", self.record_template.as_ref());
        set(&mut config, "custom_attributes", self.custom_attributes.as_ref());
        set(&mut config, "accelerator_type", self.accelerator_type.as_ref());
        set(&mut config, "target_model", self.target_model.as_ref());
        if let Some(time_series) = &self.time_series_model_config {
            set(&mut config, "time_series_predictor_config", Some(&time_series.get_time_series_model_config()));
        }
        Ok(config)
    }

    fn check_served(&self) -> Result<()> {
        match &self.served {
            Served::Shadow { model_name, instance_count, instance_type } => {
                if model_name.is_empty() || *instance_count == 0 || instance_type.is_empty() {
                    return Err(Error::argument(
                        "model_name, instance_count and instance_type",
                        "none may be empty or 0",
                    ));
                }
            }
            Served::Endpoint(endpoint_name) => {
                if endpoint_name.is_empty() {
                    return Err(Error::argument("endpoint_name", "may not be empty"));
                }
                if self.endpoint_name_prefix.is_some() {
                    return Err(Error::argument(
                        "endpoint_name_prefix",
                        "not with endpoint_name: the endpoint is there, and none is made",
                    ));
                }
            }
        }
        match &self.endpoint_name_prefix {
            Some(prefix) if !begins_as_endpoint_name(prefix) => Err(Error::argument(
                "endpoint_name_prefix",
                format!("{prefix:?} does not follow the pattern ^[a-zA-Z0-9](-*[a-zA-Z0-9])"),
            )),
            _ => Ok(()),
        }
    }

    fn check_formats(&self) -> Result<()> {
        let time_series = self.time_series_model_config.is_some();
        match &self.accept_type {
            Some(AcceptType::Other(word)) => {
                return Err(Error::argument(
                    "accept_type",
                    format!("{word:?} is none of text/csv, application/jsonlines and application/json"),
                ));
            }
            Some(AcceptType::TextCsv) if time_series => {
                return Err(Error::argument("accept_type", "must be JSON or JSON Lines for time series"));
            }
            _ => {}
        }
        let Some(content_type) = &self.content_type else { return Ok(()) };
        let template = self.content_template.as_deref();
        match content_type {
            ContentType::Other(word) => {
                return Err(Error::argument("content_type", format!("{word:?} is no format that a model is given")));
            }
            ContentType::JsonLines if template.is_none() => {
                return Err(Error::argument("content_template", format!("required for content_type {content_type}")));
            }
            ContentType::JsonLines if template.is_some_and(|template| !template.contains("$features")) => {
                return Err(Error::argument("content_template", "lacks the placeholder $features"));
            }
            ContentType::Json if template.is_none() || self.record_template.is_none() => {
                return Err(Error::argument(
                    "content_template and record_template",
                    format!("both are required for content_type {content_type}"),
                ));
            }
            ContentType::Json if template.is_some_and(|template| !template.contains("$record")) => {
                return Err(Error::argument("content_template", "lacks a placeholder: $records or $record"));
            }
            _ => {}
        }
        if time_series && !matches!(content_type, ContentType::Json | ContentType::JsonLines) {
            return Err(Error::argument("content_type", "must be JSON or JSON Lines for time series"));
        }
        Ok(())
    }
}

/// Whether the text matches `^[a-zA-Z0-9](-*[a-zA-Z0-9])`, which looks at its beginning alone.
fn begins_as_endpoint_name(prefix: &str) -> bool {
    let Some(rest) = prefix.strip_prefix(|first: char| first.is_ascii_alphanumeric()) else { return false };
    rest.trim_start_matches('-').starts_with(|next: char| next.is_ascii_alphanumeric())
}

/// Where predictions are in what a model answers, and what they mean. With nothing set, the answer is the prediction.
///
/// ```
/// use watchkeeper::clarify::ModelPredictedLabelConfig;
///
/// let probability_in_second_cell = ModelPredictedLabelConfig::new().probability(1).probability_threshold(0.8);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelPredictedLabelConfig {
    pub(crate) label: Option<NameOrIndex>,
    pub(crate) probability: Option<NameOrIndex>,
    pub(crate) probability_threshold: Option<f64>,
    pub(crate) label_headers: Option<Vec<String>>,
}

impl ModelPredictedLabelConfig {
    /// With nothing set.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Index or `JMESPath` of the predicted label.
        label: NameOrIndex,
        /// Index or `JMESPath` of the score or scores.
        probability: NameOrIndex,
        /// A score above it is a positive prediction; 0.5 unless set.
        probability_threshold: f64,
        /// A name for each score; the prediction is that of the highest. In attributions, they name the scores in the report.
        label_headers: [String],
    }

    /// What joins the `predictor` of `analysis_config.json`; the threshold stands beside the predictor.
    pub fn get_predictor_config(&self) -> Map<String, Value> {
        let mut config = Map::new();
        set(&mut config, "label", self.label.as_ref());
        set(&mut config, "probability", self.probability.as_ref());
        set(&mut config, "label_headers", self.label_headers.as_ref());
        config
    }
}
