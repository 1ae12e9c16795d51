//! One line of `cloudwatch_metrics.jsonl`, in the members of CloudWatch's `MetricDatum`.

use jiff::Timestamp;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::json;
use crate::lenient;
use crate::named_enum::named_enum;

named_enum! {
    /// What a measurement counts in.
    pub enum Unit {
        /// Things.
        Count = "Count",
        /// Nothing: a plain number, such as a rate.
        None = "None",
    }
}

/// One measurement for CloudWatch.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricLine {
    /// Name of the metric. Characters that CloudWatch refuses are written as `_`.
    pub metric_name: String,
    /// When the measured data was.
    pub timestamp: Timestamp,
    /// What the measurement is about.
    pub dimensions: Vec<Dimension>,
    /// What was measured.
    pub measurement: Measurement,
    /// What it counts in.
    pub unit: Unit,
}

/// A name and value that tell series of one metric apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Dimension {
    /// Such as `Endpoint` or `MonitoringSchedule`.
    #[serde(serialize_with = "serialize_accepted_name")]
    pub name: String,
    /// Such as the name of the endpoint.
    #[serde(serialize_with = "serialize_accepted_name")]
    pub value: String,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Measurement {
    /// A single number.
    Value(f64),
    /// A summary of several.
    StatisticValues(StatisticValues),
}

/// A summary of several numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StatisticValues {
    /// How many.
    #[serde(with = "lenient::double")]
    pub sample_count: f64,
    /// Their sum.
    #[serde(with = "lenient::double")]
    pub sum: f64,
    /// The smallest.
    #[serde(with = "lenient::double")]
    pub minimum: f64,
    /// The largest.
    #[serde(with = "lenient::double")]
    pub maximum: f64,
}

impl MetricLine {
    /// The line, without a line end.
    pub fn to_json_line(&self) -> String {
        json::to_compact_string(self)
    }
}

impl Serialize for MetricLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_struct("MetricLine", 5)?;
        line.serialize_field("MetricName", &accepted_name(&self.metric_name))?;
        line.serialize_field("Timestamp", &self.timestamp.to_string())?;
        line.serialize_field("Dimensions", &self.dimensions)?;
        match &self.measurement {
            Measurement::Value(value) => line.serialize_field("Value", &lenient::Double(*value))?,
            Measurement::StatisticValues(values) => line.serialize_field("StatisticValues", values)?,
        }
        line.serialize_field("Unit", &self.unit)?;
        line.end()
    }
}

fn serialize_accepted_name<S: Serializer>(name: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&accepted_name(name))
}

/// CloudWatch takes names of 1 to 255 ASCII characters without control characters.
fn accepted_name(name: &str) -> String {
    const LONGEST: usize = 255;
    name.chars()
        .map(|character| if character.is_ascii() && !character.is_ascii_control() { character } else { '_' })
        .take(LONGEST)
        .collect()
}
