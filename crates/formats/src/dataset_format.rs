//! The variable `dataset_format`: how the files of a dataset are to be read.
//!
//! A JSON object with exactly one key. Settings that are not known are refused rather than ignored: a misspelt
//! `header` would silently turn the names of the columns into data.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::json as document;
use crate::named_enum::named_enum;

named_enum! {
    /// Where the prediction columns stand in a row.
    #[derive(Default)]
    pub enum OutputColumnsPosition {
        /// Before the input columns.
        #[default]
        Start = "START",
        /// After the input columns.
        End = "END",
    }
}

named_enum! {
    /// A side of a captured inference.
    pub enum CaptureIndexName {
        /// What the endpoint was sent.
        EndpointInput = "endpointInput",
        /// What the endpoint answered.
        EndpointOutput = "endpointOutput",
        /// What a batch transform answered.
        BatchTransformOutput = "batchTransformOutput",
    }
}

/// How the files of a dataset are to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatasetFormat {
    /// Comma separated values.
    Csv {
        /// Whether the first line of each file names the columns; false when not given.
        header: bool,
        /// Where the prediction columns stand.
        output_columns_position: OutputColumnsPosition,
    },
    /// JSON objects.
    Json {
        /// Whether each line is an object, or else the file is one document; false when not given.
        lines: bool,
    },
    /// Apache Parquet.
    Parquet,
    /// Files of captured inferences.
    CaptureJson {
        /// The sides to use; None: those that are there.
        capture_index_names: Option<Vec<CaptureIndexName>>,
        /// Where the prediction columns of the baseline stand, when known.
        output_columns_position: Option<OutputColumnsPosition>,
    },
    /// Files of captured inferences merged with ground truth.
    MergeJson {
        /// The side that holds the prediction; None: the endpoint's output, or else that of a batch transform.
        capture_index_name: Option<CaptureIndexName>,
    },
}

/// The key of [`DatasetFormat::CaptureJson`].
const CAPTURE_JSON: &str = "sagemakerCaptureJson";
/// The key of [`DatasetFormat::MergeJson`].
const MERGE_JSON: &str = "sagemakerMergeJson";

impl DatasetFormat {
    /// Comma separated values, with or without a line of names; prediction columns come first.
    pub fn csv(header: bool) -> Self {
        Self::Csv { header, output_columns_position: OutputColumnsPosition::default() }
    }

    /// JSON: an object a line, or else one document.
    pub fn json(lines: bool) -> Self {
        Self::Json { lines }
    }

    /// Captured inferences, of the sides that are there.
    pub fn sagemaker_capture_json() -> Self {
        Self::CaptureJson { capture_index_names: None, output_columns_position: None }
    }

    /// Reads the text of the variable. Every error is [`Error::DatasetFormat`] and says what is accepted.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let map: Map<String, Value> = document::parse(text)
            .map_err(|error| Error::DatasetFormat(format!("{error}; accepted are {}", accepted_formats())))?;
        let mut formats = map.into_iter();
        let (Some((name, settings)), None) = (formats.next(), formats.next()) else {
            return Err(Error::DatasetFormat(format!("expected exactly one key, as in {}", accepted_formats())));
        };
        match name.as_str() {
            "csv" => {
                let settings = FormatSettings::new("csv", settings, &["header", "output_columns_position"])?;
                Ok(Self::Csv {
                    header: settings.boolean("header")?.unwrap_or(false),
                    output_columns_position: settings.position("output_columns_position")?.unwrap_or_default(),
                })
            }
            "json" => {
                let settings = FormatSettings::new("json", settings, &["lines", "line"])?;
                let lines = settings.boolean("lines")?.or(settings.boolean("line")?);
                Ok(Self::Json { lines: lines.unwrap_or(false) })
            }
            "parquet" => FormatSettings::new("parquet", settings, &[]).map(|_| Self::Parquet),
            CAPTURE_JSON => {
                let accepted = &["captureIndexNames", "output_columns_position"];
                let settings = FormatSettings::new(CAPTURE_JSON, settings, accepted)?;
                Ok(Self::CaptureJson {
                    capture_index_names: settings.capture_index_names()?,
                    output_columns_position: settings.position("output_columns_position")?,
                })
            }
            MERGE_JSON => {
                let settings = FormatSettings::new(MERGE_JSON, settings, &["captureIndexNames"])?;
                let names = settings.capture_index_names()?.unwrap_or_default();
                Ok(Self::MergeJson { capture_index_name: names.first().copied() })
            }
            _ => Err(Error::DatasetFormat(format!("unknown format `{name}`, expected one of {}", accepted_formats()))),
        }
    }

    /// The error for a job that has no such variable.
    #[cfg(feature = "jobs")]
    pub(crate) fn not_set() -> Error {
        Error::DatasetFormat(format!("dataset_format is not set, expected one of {}", accepted_formats()))
    }

    /// The text of the variable, without spaces.
    pub fn to_json_text(&self) -> String {
        document::to_compact_string(self)
    }
}

impl Serialize for DatasetFormat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = match self {
            Self::Csv { header, output_columns_position } => {
                json!({"csv": {"header": header, "output_columns_position": output_columns_position}})
            }
            Self::Json { lines } => json!({"json": {"lines": lines}}),
            Self::Parquet => json!({"parquet": {}}),
            Self::CaptureJson { capture_index_names, output_columns_position } => {
                let mut settings = Map::new();
                if let Some(names) = capture_index_names {
                    settings.insert("captureIndexNames".to_owned(), json!(names));
                }
                if let Some(position) = output_columns_position {
                    settings.insert("output_columns_position".to_owned(), json!(position));
                }
                json!({CAPTURE_JSON: settings})
            }
            Self::MergeJson { capture_index_name } => {
                let names: Vec<_> = capture_index_name.iter().collect();
                if names.is_empty() {
                    json!({MERGE_JSON: {}})
                } else {
                    json!({MERGE_JSON: {"captureIndexNames": names}})
                }
            }
        };
        value.serialize(serializer)
    }
}

fn accepted_formats() -> &'static str {
    r#"{"csv": {"header": true}}, {"json": {"lines": true}}, {"parquet": {}}, {"sagemakerCaptureJson": {}}"#
}

/// The settings of one format, all names known.
struct FormatSettings {
    format: &'static str,
    values: Map<String, Value>,
}

impl FormatSettings {
    fn new(format: &'static str, value: Value, accepted: &[&str]) -> Result<Self, Error> {
        let values = match value {
            Value::Object(values) => values,
            Value::Null => Map::new(),
            other => {
                let text = format!("`{format}` holds {other}, expected an object, as in {}", accepted_formats());
                return Err(Error::DatasetFormat(text));
            }
        };
        if let Some(unknown) = values.keys().find(|name| !accepted.contains(&name.as_str())) {
            let expected = if accepted.is_empty() { "none".to_owned() } else { accepted.join(", ") };
            let text = format!("unknown setting `{unknown}` of `{format}`, accepted settings: {expected}");
            return Err(Error::DatasetFormat(text));
        }
        Ok(Self { format, values })
    }

    /// A setting that is not given, or null, is absent.
    fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name).filter(|value| !value.is_null())
    }

    fn refusal(&self, name: &str, value: &Value, expected: &str) -> Error {
        Error::DatasetFormat(format!("`{name}` of `{}` is {value}, expected {expected}", self.format))
    }

    fn boolean(&self, name: &str) -> Result<Option<bool>, Error> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(word)) if word.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::String(word)) if word.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(other) => Err(self.refusal(name, other, "true or false")),
        }
    }

    fn position(&self, name: &str) -> Result<Option<OutputColumnsPosition>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        OutputColumnsPosition::deserialize(value).map(Some).map_err(|_| self.refusal(name, value, "START or END"))
    }

    /// An empty list names nothing, which is the same as not being given.
    fn capture_index_names(&self) -> Result<Option<Vec<CaptureIndexName>>, Error> {
        const NAME: &str = "captureIndexNames";
        let Some(value) = self.get(NAME) else { return Ok(None) };
        let names = Vec::<CaptureIndexName>::deserialize(value)
            .map_err(|_| self.refusal(NAME, value, "a list of endpointInput, endpointOutput, batchTransformOutput"))?;
        Ok(Some(names).filter(|names| !names.is_empty()))
    }
}
