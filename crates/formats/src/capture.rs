//! One line of a capture file: what went into an endpoint or batch transform and what came out.
//!
//! Texts borrow from the line where it holds no escapes. Payloads stay as captured and times stay text; making rows
//! of them is the reader's work.

use std::borrow::Cow;
use std::fmt;

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Error;
use crate::json;
use crate::lenient;

/// One captured inference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CaptureRecord<'a> {
    /// What was captured.
    #[serde(borrow)]
    pub capture_data: CaptureData<'a>,
    /// The label that belongs to it; in merged data only.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub ground_truth_data: Option<CapturePart<'a>>,
    /// When it was, and what the caller said about it.
    #[serde(borrow, default, deserialize_with = "lenient::null_as_default")]
    pub event_metadata: EventMetadata<'a>,
    /// Version of the layout, `0`.
    #[serde(borrow, default, deserialize_with = "lenient::optional_text", skip_serializing_if = "Option::is_none")]
    pub event_version: Option<Cow<'a, str>>,
}

/// The captured sides of an inference; each may be absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CaptureData<'a> {
    /// What the endpoint was sent.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub endpoint_input: Option<CapturePart<'a>>,
    /// What the endpoint answered.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub endpoint_output: Option<CapturePart<'a>>,
    /// What a batch transform answered.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub batch_transform_output: Option<CapturePart<'a>>,
}

/// One payload.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CapturePart<'a> {
    /// Content type as sent, such as `text/csv; charset=utf-8`. Where a side of an inference had none, it is written as null:
    /// the schemas of published monitors demand the member.
    #[serde(borrow, default, deserialize_with = "lenient::optional_text")]
    pub observed_content_type: Option<Cow<'a, str>>,
    /// `INPUT` or `OUTPUT` of a side of an inference, and of nothing else.
    #[serde(borrow, default, deserialize_with = "lenient::optional_text")]
    pub mode: Option<Cow<'a, str>>,
    /// The payload as text.
    #[serde(borrow)]
    pub data: Cow<'a, str>,
    /// How the payload stands in the text.
    #[serde(borrow, default)]
    pub encoding: Option<Encoding<'a>>,
}

impl Serialize for CapturePart<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut part = serializer.serialize_struct("CapturePart", 4)?;
        if self.observed_content_type.is_some() || self.mode.is_some() {
            part.serialize_field("observedContentType", &self.observed_content_type)?;
        }
        if let Some(mode) = &self.mode {
            part.serialize_field("mode", mode)?;
        }
        part.serialize_field("data", &self.data)?;
        if let Some(encoding) = &self.encoding {
            part.serialize_field("encoding", encoding)?;
        }
        part.end()
    }
}

/// How a payload stands in `data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encoding<'a> {
    /// Comma separated values.
    Csv,
    /// JSON.
    Json,
    /// Any bytes, in base 64.
    Base64,
    /// A word that this project does not know, as captured.
    Other(Cow<'a, str>),
}

/// When an inference was, and what the caller said about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EventMetadata<'a> {
    /// A UUID.
    #[serde(borrow, deserialize_with = "lenient::optional_text", skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Cow<'a, str>>,
    /// The caller's own name of the inference, if one was sent.
    #[serde(borrow, deserialize_with = "lenient::optional_text", skip_serializing_if = "Option::is_none")]
    pub inference_id: Option<Cow<'a, str>>,
    /// Time in ISO form, UTC, such as `2020-02-19T06:00:00Z`.
    #[serde(borrow, deserialize_with = "lenient::optional_text", skip_serializing_if = "Option::is_none")]
    pub inference_time: Option<Cow<'a, str>>,
    /// The texts of the caller's custom attributes header, if one was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_attributes: Option<Vec<String>>,
}

impl<'a> CaptureRecord<'a> {
    /// Reads one line of a capture file. The record borrows from the line.
    pub fn parse(line: &'a str) -> Result<Self, Error> {
        json::parse_borrowed(line)
    }
}

impl Encoding<'_> {
    /// The word in the file.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Csv => "CSV",
            Self::Json => "JSON",
            Self::Base64 => "BASE64",
            Self::Other(word) => word,
        }
    }
}

impl fmt::Display for Encoding<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl Serialize for Encoding<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Encoding<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = lenient::Text::deserialize(deserializer)?.0;
        let known = [Self::Csv, Self::Json, Self::Base64];
        Ok(known
            .into_iter()
            .find(|encoding| encoding.as_str().eq_ignore_ascii_case(&word))
            .unwrap_or(Self::Other(word)))
    }
}
