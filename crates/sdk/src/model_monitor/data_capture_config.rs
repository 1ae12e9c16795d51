//! What endpoints keep of the traffic that they serve: Python's `sagemaker.model_monitor.data_capture_config`.

use serde_json::{Map, Value, json};
use watchkeeper_aws::types::S3Uri;

use crate::{Result, Session};

/// What is captured of a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CaptureOption {
    /// What the caller sent.
    Request,
    /// What the model said.
    Response,
    /// A mode that this version does not know, sent as it is.
    Other(String),
}

impl CaptureOption {
    /// The mode on the wire.
    pub fn capture_mode(&self) -> &str {
        let [(_, input), (_, output)] = DataCaptureConfig::API_MAPPING;
        match self {
            Self::Request => input,
            Self::Response => output,
            Self::Other(mode) => mode,
        }
    }
}

/// Reads `REQUEST` and `RESPONSE` in any letter case.
impl From<&str> for CaptureOption {
    fn from(word: &str) -> Self {
        let [(request, _), (response, _)] = DataCaptureConfig::API_MAPPING;
        if word.eq_ignore_ascii_case(request) {
            Self::Request
        } else if word.eq_ignore_ascii_case(response) {
            Self::Response
        } else {
            Self::Other(word.to_owned())
        }
    }
}

/// What an endpoint keeps of the traffic that it serves, and where.
///
/// ```
/// use watchkeeper::model_monitor::{CaptureOption, DataCaptureConfig};
///
/// let capture = DataCaptureConfig::new(true)
///     .sampling_percentage(100)
///     .destination_s3_uri("s3://bucket/captured".parse()?)
///     .capture_options([CaptureOption::Request]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataCaptureConfig {
    enable_capture: bool,
    sampling_percentage: u32,
    destination_s3_uri: Option<S3Uri>,
    kms_key_id: Option<String>,
    capture_options: Vec<CaptureOption>,
    csv_content_types: Vec<String>,
    json_content_types: Vec<String>,
}

impl DataCaptureConfig {
    /// What captures are called here and on the wire.
    pub const API_MAPPING: [(&'static str, &'static str); 2] = [("REQUEST", "Input"), ("RESPONSE", "Output")];

    /// Capture switched on or off: of 20 in 100 calls, request and response.
    pub fn new(enable_capture: bool) -> Self {
        Self {
            enable_capture,
            sampling_percentage: 20,
            destination_s3_uri: None,
            kms_key_id: None,
            capture_options: Vec::new(),
            csv_content_types: Vec::new(),
            json_content_types: Vec::new(),
        }
    }

    /// Of how many calls in 100, 0 to 100.
    #[must_use]
    pub fn sampling_percentage(mut self, sampling_percentage: u32) -> Self {
        self.sampling_percentage = sampling_percentage;
        self
    }

    /// Where captures are written; `model-monitor/data-capture` in the session's default bucket when not given.
    #[must_use]
    pub fn destination_s3_uri(mut self, destination_s3_uri: S3Uri) -> Self {
        self.destination_s3_uri = Some(destination_s3_uri);
        self
    }

    /// The key to encrypt captures with.
    #[must_use]
    pub fn kms_key_id(mut self, kms_key_id: impl Into<String>) -> Self {
        self.kms_key_id = Some(kms_key_id.into());
        self
    }

    /// What is captured; none at all means both.
    #[must_use]
    pub fn capture_options(mut self, capture_options: impl IntoIterator<Item = impl Into<CaptureOption>>) -> Self {
        self.capture_options = capture_options.into_iter().map(Into::into).collect();
        self
    }

    /// Content types that are kept as CSV; `text/csv` when none is given.
    #[must_use]
    pub fn csv_content_types(mut self, csv_content_types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.csv_content_types = csv_content_types.into_iter().map(Into::into).collect();
        self
    }

    /// Content types that are kept as JSON; `application/json` when none is given.
    #[must_use]
    pub fn json_content_types(mut self, json_content_types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.json_content_types = json_content_types.into_iter().map(Into::into).collect();
        self
    }

    /// As `CreateEndpointConfig` takes it, for calls made with [`Session::call`]. Asks for the default bucket when no
    /// destination was given.
    ///
    /// # Errors
    /// The default bucket cannot be had.
    pub async fn to_request(&self, session: &Session) -> Result<Value> {
        let destination = match &self.destination_s3_uri {
            Some(destination) => destination.clone(),
            None => session.default_location(&["model-monitor", "data-capture"]).await?,
        };
        let both = [CaptureOption::Request, CaptureOption::Response];
        let options = if self.capture_options.is_empty() { both.as_slice() } else { &self.capture_options };
        let options: Vec<Value> =
            options.iter().map(|option| json!({ "CaptureMode": option.capture_mode() })).collect();
        let mut request = Map::new();
        request.insert("EnableCapture".to_owned(), self.enable_capture.into());
        request.insert("InitialSamplingPercentage".to_owned(), self.sampling_percentage.into());
        request.insert("DestinationS3Uri".to_owned(), destination.to_string().into());
        request.insert("CaptureOptions".to_owned(), options.into());
        if let Some(key) = &self.kms_key_id {
            request.insert("KmsKeyId".to_owned(), key.as_str().into());
        }
        let content_types = json!({
            "CsvContentTypes": or_usual(&self.csv_content_types, "text/csv"),
            "JsonContentTypes": or_usual(&self.json_content_types, "application/json"),
        });
        request.insert("CaptureContentTypeHeader".to_owned(), content_types);
        Ok(request.into())
    }
}

fn or_usual(content_types: &[String], usual: &str) -> Vec<String> {
    if content_types.is_empty() { vec![usual.to_owned()] } else { content_types.to_vec() }
}
