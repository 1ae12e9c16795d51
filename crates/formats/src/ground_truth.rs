//! Files of labels: what came true, for captured inferences to be measured by.
//!
//! A file is one JSON record, an array of them, or lines of either. What is asked of a record is little: an
//! id and a label. The label's own text is kept as it was uploaded.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// One label.
#[derive(Clone, Debug, PartialEq)]
pub struct GroundTruthRecord<'a> {
    /// The inference id, or the event id of an inference without one.
    pub event_id: Cow<'a, str>,
    /// `groundTruthData` as one line of JSON: members `data` and `encoding`, the former as uploaded.
    pub ground_truth_data: Cow<'a, str>,
}

/// Why a record is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct NotGroundTruth {
    /// What is wrong.
    pub problem: String,
}

impl NotGroundTruth {
    fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into() }
    }
}

/// Whether a text is one JSON value and nothing else, and so a single piece for [`records`]; otherwise every line is one. Of lines
/// of JSON no more than the first one is read.
pub fn is_one_json_text(text: &str) -> bool {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    IgnoredAny::deserialize(&mut deserializer).is_ok() && deserializer.end().is_ok()
}

/// The records of one piece of a file: a line, or the whole of a file that is one JSON text. An object is one record, an
/// array one for each element.
pub fn records<'a>(text: &'a str, take: &mut dyn FnMut(Result<GroundTruthRecord<'a>, NotGroundTruth>)) {
    if !text.trim_start().starts_with('[') {
        return take(record(text));
    }
    match serde_json::from_str::<Vec<&'a RawValue>>(text) {
        Ok(elements) => elements.into_iter().for_each(|element| take(record(element.get()))),
        Err(error) => take(Err(not_json(&error))),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordDocument<'a> {
    #[serde(borrow)]
    ground_truth_data: Option<Object<DataDocument<'a>>>,
    #[serde(borrow)]
    event_metadata: Option<Object<EventDocument<'a>>>,
}

#[derive(Deserialize)]
struct DataDocument<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    encoding: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventDocument<'a> {
    #[serde(borrow)]
    event_id: Option<&'a RawValue>,
}

/// A document that is an object: of an array serde would take the elements for the members, in order.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(Object)
    }
}

fn record(text: &str) -> Result<GroundTruthRecord<'_>, NotGroundTruth> {
    if !text.trim_start().starts_with('{') {
        return Err(NotGroundTruth::new("not a JSON object"));
    }
    let document: RecordDocument = serde_json::from_str(text).map_err(|error| not_json(&error))?;
    let event_id = document.event_metadata.and_then(|Object(event)| event.event_id);
    let event_id = id(event_id.ok_or_else(no_id)?)?;
    let no_data = || NotGroundTruth::new("no groundTruthData.data");
    let Object(ground_truth_data) = document.ground_truth_data.ok_or_else(no_data)?;
    let data = ground_truth_data.data.filter(|data| data.get() != "null").ok_or_else(no_data)?;
    let encoding = encoding(ground_truth_data.encoding.as_deref())?;
    Ok(GroundTruthRecord { event_id, ground_truth_data: Cow::Owned(label(data.get(), encoding)?) })
}

fn no_id() -> NotGroundTruth {
    NotGroundTruth::new("no eventMetadata.eventId")
}

fn not_json(error: &serde_json::Error) -> NotGroundTruth {
    let what = if error.is_data() { "not a ground truth record" } else { "not valid JSON" };
    NotGroundTruth::new(format!("{what}: {error}"))
}

/// A text, or the text of a number.
fn id(value: &RawValue) -> Result<Cow<'_, str>, NotGroundTruth> {
    let text = value.get();
    let id = match text.as_bytes().first() {
        Some(b'"') => string(text)?,
        Some(b'-' | b'0'..=b'9') => Cow::Borrowed(text),
        _ if text == "null" => return Err(no_id()),
        _ => return Err(NotGroundTruth::new("eventMetadata.eventId is neither a text nor a number")),
    };
    if id.is_empty() { Err(no_id()) } else { Ok(id) }
}

/// The text that a JSON string stands for.
fn string(json: &str) -> Result<Cow<'_, str>, NotGroundTruth> {
    let text = serde_json::from_str::<crate::lenient::Text>(json).map_err(|error| not_json(&error))?;
    Ok(text.0)
}

fn encoding(word: Option<&str>) -> Result<&'static str, NotGroundTruth> {
    let word = word.unwrap_or("CSV");
    let known = ["CSV", "JSON"].into_iter().find(|known| known.eq_ignore_ascii_case(word));
    known.ok_or_else(|| NotGroundTruth::new(format!("encoding is `{word}`, expected CSV or JSON")))
}

/// The JSON of a label, in one line.
fn label(data: &str, encoding: &str) -> Result<String, NotGroundTruth> {
    match data.as_bytes().first() {
        Some(b'"') => {
            // What is skipped over as raw JSON may still hold half of a surrogate pair.
            if data.contains("\\u") {
                string(data)?;
            }
            Ok(format!(r#"{{"data":{data},"encoding":"{encoding}"}}"#))
        }
        Some(b'{' | b'[') => {
            let text = serde_json::to_string(data).expect("a text is written to memory");
            Ok(format!(r#"{{"data":{text},"encoding":"JSON"}}"#))
        }
        _ => Ok(format!(r#"{{"data":"{data}","encoding":"CSV"}}"#)),
    }
}
