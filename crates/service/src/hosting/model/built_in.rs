//! Models that are built in: echo, constant, linear and logistic regression, from a small JSON document.
//!
//! Regressions and constants read `text/csv` (a record is a line), `application/json` (an array of values, an array of
//! records, one object, `{"instances": [...]}`) and `application/jsonlines`, and answer one prediction a record in the
//! content type that `Accept` names, or else in that of the request.

mod records;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Number, Value, json};

use self::records::{Format, Record, Records, shown};
use super::{ModelAnswer, ModelBody, ModelRequest};
use crate::configuration::BuiltInModel;

/// A model that answers in this process.
#[derive(Debug)]
pub(super) struct BuiltIn {
    kind: Kind,
    /// Whether the last line of CSV has an end: in batch transform what is not assembled by lines is put together as it is.
    ends_lines: bool,
}

#[derive(Debug)]
enum Kind {
    Echo,
    Constant(Constant),
    Linear(Regression),
    Logistic(Logistic),
}

/// Answers the same to every record.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Constant {
    value: Value,
}

/// The intercept and a weighted sum of the features.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Regression {
    #[serde(default)]
    intercept: f64,
    coefficients: Vec<f64>,
    /// The features' names, for records that are JSON objects.
    features: Option<Vec<String>>,
}

/// A logistic regression.
#[derive(Debug)]
struct Logistic {
    regression: Regression,
    output: Output,
    threshold: f64,
}

/// `model.json` of a logistic regression; serde refuses unknown fields only in one piece.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogisticDocument {
    #[serde(default)]
    intercept: f64,
    coefficients: Vec<f64>,
    features: Option<Vec<String>>,
    #[serde(default)]
    output: Output,
    #[serde(default = "half")]
    threshold: f64,
}

/// What a logistic regression answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Output {
    /// The probability of the class 1.
    #[default]
    Probability,
    /// The class, 0 or 1.
    Label,
    /// The class and the probability.
    Both,
}

fn half() -> f64 {
    0.5
}

/// What a model says of one record.
#[derive(Clone, Debug)]
enum Prediction {
    Value(Value),
    LabelAndProbability(u8, Number),
}

impl BuiltIn {
    /// A model from its JSON document; the echo needs none. An error is for the person who wrote it.
    pub(super) fn new(model: BuiltInModel, document: Option<&str>, ends_lines: bool) -> Result<Self, String> {
        let kind = match (model, document) {
            (BuiltInModel::Echo, _) => Kind::Echo,
            (_, None) => return Err("has no model.json".to_owned()),
            (BuiltInModel::Constant, Some(text)) => Kind::Constant(parse::<Constant>(text)?.checked()?),
            (BuiltInModel::Linear, Some(text)) => Kind::Linear(parse::<Regression>(text)?.checked()?),
            (BuiltInModel::Logistic, Some(text)) => Kind::Logistic(Logistic::new(parse(text)?)?),
        };
        Ok(Self { kind, ends_lines })
    }

    /// The answer to a request; a request that cannot be read is answered with an error that says where.
    pub(super) fn answer(&self, request: &ModelRequest) -> ModelAnswer {
        if matches!(self.kind, Kind::Echo) {
            let content_type =
                request.headers.get(CONTENT_TYPE).map(|content_type| (CONTENT_TYPE, content_type.clone()));
            let headers = HeaderMap::from_iter(content_type);
            return ModelAnswer { status: StatusCode::OK, headers, body: ModelBody::Whole(request.body.to_bytes()) };
        }
        let Some(format) = request.headers.get(CONTENT_TYPE).and_then(|text| Format::of(text.to_str().ok()?)) else {
            let text = format!("this model reads the content types {}", Format::NAMES.join(", "));
            return ModelAnswer::refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
        };
        let accepted = request.headers.get(ACCEPT).and_then(|text| text.to_str().ok()).unwrap_or_default();
        let answer = accepted.split(',').find_map(Format::of).unwrap_or(format);
        match self.predict(format, &request.body.to_bytes()) {
            Ok((predictions, wrapping)) => self.whole(answer, &predictions, wrapping),
            Err(reason) => ModelAnswer::refusal(StatusCode::BAD_REQUEST, reason),
        }
    }

    fn predict(&self, format: Format, body: &[u8]) -> Result<(Vec<Prediction>, Wrapping), String> {
        let Records { records, wrapping } = Records::read(format, body)?;
        let predictions = records.iter().map(|record| self.prediction(record)).collect::<Result<_, String>>()?;
        Ok((predictions, wrapping))
    }

    fn prediction(&self, record: &Record) -> Result<Prediction, String> {
        match &self.kind {
            Kind::Echo => unreachable!("an echo reads no records"),
            Kind::Constant(Constant { value }) => Ok(Prediction::Value(value.clone())),
            Kind::Linear(regression) => Ok(Prediction::Value(Value::Number(number(regression.sum(record)?, record)?))),
            Kind::Logistic(Logistic { regression, output, threshold }) => {
                let probability = logistic(regression.sum(record)?);
                let label = u8::from(probability >= *threshold);
                let probability = number(probability, record)?;
                Ok(match output {
                    Output::Probability => Prediction::Value(Value::Number(probability)),
                    Output::Label => Prediction::Value(Value::from(label)),
                    Output::Both => Prediction::LabelAndProbability(label, probability),
                })
            }
        }
    }

    fn whole(&self, format: Format, predictions: &[Prediction], wrapping: Wrapping) -> ModelAnswer {
        let lines = |text: fn(&Prediction) -> String| {
            let mut lines = String::new();
            for (number, prediction) in predictions.iter().enumerate() {
                lines.push_str(if number == 0 { "" } else { "\n" });
                lines.push_str(&text(prediction));
            }
            lines
        };
        let mut text = match format {
            Format::Csv => lines(Prediction::csv),
            Format::JsonLines => lines(|prediction| prediction.json().to_string()),
            Format::Json => json_text(predictions, wrapping),
        };
        if self.ends_lines && format != Format::Json {
            text.push('\n');
        }
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(format.name()))]);
        ModelAnswer { status: StatusCode::OK, headers, body: ModelBody::Whole(Bytes::from(text)) }
    }
}

/// How the records stood in a JSON request, and so how the predictions stand in a JSON answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrapping {
    /// One record, by itself.
    One,
    /// An array of records, or lines.
    Array,
    /// `{"instances": [...]}`, which `{"predictions": [...]}` answers.
    Instances,
}

fn json_text(predictions: &[Prediction], wrapping: Wrapping) -> String {
    let values: Vec<Value> = predictions.iter().map(Prediction::json).collect();
    match (wrapping, values) {
        (Wrapping::One, mut values) if values.len() == 1 => values.remove(0).to_string(),
        (Wrapping::Instances, values) => json!({ "predictions": values }).to_string(),
        (_, values) => Value::Array(values).to_string(),
    }
}

impl Prediction {
    fn csv(&self) -> String {
        match self {
            Self::Value(Value::String(text)) => text.clone(),
            Self::Value(value) => value.to_string(),
            Self::LabelAndProbability(label, probability) => format!("{label},{probability}"),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Value(value) => value.clone(),
            Self::LabelAndProbability(label, probability) => {
                json!({ "predicted_label": label, "probability": probability })
            }
        }
    }
}

impl Constant {
    fn checked(self) -> Result<Self, String> {
        match self.value {
            Value::Number(_) | Value::String(_) | Value::Bool(_) => Ok(self),
            _ => Err("`value` of the constant model is neither a number nor a text".to_owned()),
        }
    }
}

impl Regression {
    fn checked(self) -> Result<Self, String> {
        if self.features.as_ref().is_some_and(|features| features.len() != self.coefficients.len()) {
            return Err(format!(
                "`features` has {} names, and `coefficients` has {} numbers",
                self.features.map_or(0, |features| features.len()),
                self.coefficients.len()
            ));
        }
        Ok(self)
    }

    /// Intercept plus the sum of coefficient times value.
    fn sum(&self, record: &Record) -> Result<f64, String> {
        if let Some(members) = record.members() {
            let Some(features) = &self.features else {
                return Err(format!("{record}: it is an object, and the model has no names of `features`"));
            };
            let terms = self.coefficients.iter().zip(features);
            return terms
                .map(|(coefficient, name)| Ok(coefficient * member(record, members, name)?))
                .sum::<Result<f64, _>>()
                .map(|sum| self.intercept + sum);
        }
        if record.len() != self.coefficients.len() {
            let (values, coefficients) = (record.len(), self.coefficients.len());
            return Err(format!("{record}: it has {values} values, and the model takes {coefficients}"));
        }
        record.weighted(&self.coefficients).map(|sum| self.intercept + sum)
    }
}

fn member(record: &Record, members: &Map<String, Value>, name: &str) -> Result<f64, String> {
    let value = members.get(name).ok_or_else(|| format!("{record}, member `{name}`: it is missing"))?;
    value.as_f64().ok_or_else(|| format!("{record}, member `{name}`: `{}` is not a number", shown(value)))
}

impl Logistic {
    fn new(document: LogisticDocument) -> Result<Self, String> {
        let LogisticDocument { intercept, coefficients, features, output, threshold } = document;
        let regression = Regression { intercept, coefficients, features }.checked()?;
        Ok(Self { regression, output, threshold })
    }
}

/// `1 / (1 + e^-x)`, without an overflow for either sign.
fn logistic(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let power = x.exp();
        power / (1.0 + power)
    }
}

fn number(value: f64, record: &Record) -> Result<Number, String> {
    Number::from_f64(value).ok_or_else(|| format!("{record}: the prediction is too large for a number"))
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}
