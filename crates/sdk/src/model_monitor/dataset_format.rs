//! What datasets are written as.

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

pub use watchkeeper_formats::{DatasetFormat, OutputColumnsPosition};

/// What a batch transform job read, as its input was written.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum MonitoringDatasetFormat {
    /// Comma separated values.
    Csv {
        /// Whether the first line names the columns.
        header: bool,
    },
    /// JSON objects.
    Json {
        /// Whether each line is one.
        lines: bool,
    },
    /// Apache Parquet.
    Parquet,
    /// A format that this version does not know.
    Other(Map<String, Value>),
}

impl MonitoringDatasetFormat {
    /// Comma separated values, with or without a line of names.
    pub fn csv(header: bool) -> Self {
        Self::Csv { header }
    }

    /// JSON: an object a line, or else one document.
    pub fn json(lines: bool) -> Self {
        Self::Json { lines }
    }

    /// Apache Parquet.
    pub fn parquet() -> Self {
        Self::Parquet
    }
}

impl Serialize for MonitoringDatasetFormat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, member) = match self {
            Self::Csv { header } => ("Csv", Some(("Header", *header))),
            Self::Json { lines } => ("Json", Some(("Line", *lines))),
            Self::Parquet => ("Parquet", None),
            Self::Other(format) => return format.serialize(serializer),
        };
        let settings: Map<String, Value> =
            member.map(|(name, value)| (name.to_owned(), value.into())).into_iter().collect();
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(name, &settings)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for MonitoringDatasetFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let format: Map<String, Value> = Map::deserialize(deserializer)?;
        // A setting that is absent is false, as in the service's own reading.
        let flag = |name: &str, setting: &str| {
            let settings = format.get(name)?.as_object()?;
            let is_known = format.len() == 1 && settings.keys().all(|key| key == setting);
            is_known.then(|| settings.get(setting).and_then(Value::as_bool).unwrap_or(false))
        };
        if let Some(header) = flag("Csv", "Header") {
            return Ok(Self::Csv { header });
        }
        if let Some(lines) = flag("Json", "Line") {
            return Ok(Self::Json { lines });
        }
        if flag("Parquet", "").is_some() {
            return Ok(Self::Parquet);
        }
        Ok(Self::Other(format))
    }
}
