//! How the requests of a variant are captured.

use watchkeeper_aws::generated::sagemaker::{CaptureMode, DataCaptureConfig};
use watchkeeper_formats::capture::Encoding;

/// How the requests of a variant are captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturePlan {
    /// The endpoint's name as it was given.
    pub endpoint: String,
    /// The variant's name.
    pub variant: String,
    /// `DestinationS3Uri`.
    pub destination: String,
    /// How many of a hundred requests are captured.
    pub sampling_percentage: u8,
    /// Whether what is asked is captured.
    pub input: bool,
    /// Whether what is answered is captured.
    pub output: bool,
    /// Content types that are written as CSV, in lower case.
    pub csv_content_types: Vec<String>,
    /// Content types that are written as JSON, in lower case.
    pub json_content_types: Vec<String>,
    /// The key that encrypts the objects.
    pub kms_key_id: Option<String>,
}

impl CapturePlan {
    /// The plan of a configuration; None where it is switched off. Capture is on unless it was switched off.
    pub fn of(config: &DataCaptureConfig, endpoint: &str, variant: &str) -> Option<Self> {
        if config.enable_capture == Some(false) {
            return None;
        }
        let captures = |side: &CaptureMode| {
            let mut modes = config.capture_options.iter().map(|option| &option.capture_mode);
            modes.any(|mode| mode == side || *mode == CaptureMode::InputAndOutput)
        };
        let lower = |types: Option<&Vec<String>>| {
            types.into_iter().flatten().map(|name| name.to_ascii_lowercase()).collect::<Vec<_>>()
        };
        let types = config.capture_content_type_header.as_ref();
        Some(Self {
            endpoint: endpoint.to_owned(),
            variant: variant.to_owned(),
            destination: config.destination_s3_uri.clone(),
            sampling_percentage: config.initial_sampling_percentage.clamp(0, 100) as u8,
            input: captures(&CaptureMode::Input),
            output: captures(&CaptureMode::Output),
            csv_content_types: lower(types.and_then(|types| types.csv_content_types.as_ref())),
            json_content_types: lower(types.and_then(|types| types.json_content_types.as_ref())),
            kms_key_id: config.kms_key_id.clone().filter(|key| !key.is_empty()),
        })
    }

    /// How a payload of this content type stands in its line: parameters and case do not matter, and what is on neither
    /// list is written in base 64.
    pub fn encoding(&self, content_type: Option<&str>) -> Encoding<'static> {
        let Some(content_type) = content_type else { return Encoding::Base64 };
        let name = content_type.split(';').next().unwrap_or_default().trim();
        let is_on = |list: &[String]| list.iter().any(|entry| entry.eq_ignore_ascii_case(name));
        if is_on(&self.csv_content_types) {
            Encoding::Csv
        } else if is_on(&self.json_content_types) {
            Encoding::Json
        } else {
            Encoding::Base64
        }
    }
}
