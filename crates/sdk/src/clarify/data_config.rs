//! What is analysed, and where the results go.

use serde_json::{Map, Value};

use super::TimeSeriesDataConfig;
use super::analysis_config::set;
use super::value::{NameOrIndex, Scalar, all};

use crate::processing::S3CompressionType;
use crate::request::setters;
use crate::word::word;
use crate::{Error, Result, S3Uri, Source};

word! {
    /// The format of a dataset.
    pub enum DatasetType {
        /// Rows of cells.
        TextCsv = "text/csv",
        /// A JSON value a line.
        JsonLines = "application/jsonlines",
        /// One JSON document a file.
        Json = "application/json",
        /// Parquet.
        Parquet = "application/x-parquet",
        /// Images.
        Image = "application/x-image",
    }
}

/// A dataset, how it is read, and where results go. The constructor takes the dataset's address and the prefix of the results.
///
/// ```
/// use watchkeeper::S3Uri;
/// use watchkeeper::clarify::{DataConfig, DatasetType};
///
/// let records: S3Uri = "s3://bucket/records".parse()?;
/// let data = DataConfig::new(records, "s3://bucket/analysis".parse()?)
///     .dataset_type(DatasetType::JsonLines)
///     .features("features")
///     .label("label")
///     .headers(["age", "income", "label"]);
/// assert_eq!(data.get_config()?["dataset_type"], "application/jsonlines");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
// The names of Python's parameters.
#[allow(clippy::struct_field_names)]
pub struct DataConfig {
    pub(crate) s3_data_input_path: Source,
    pub(crate) s3_output_path: S3Uri,
    pub(crate) s3_analysis_config_output_path: Option<S3Uri>,
    pub(crate) label: Option<NameOrIndex>,
    pub(crate) headers: Option<Vec<String>>,
    pub(crate) features: Option<String>,
    pub(crate) dataset_type: DatasetType,
    pub(crate) s3_compression_type: S3CompressionType,
    joinsource: Option<NameOrIndex>,
    facet_dataset_uri: Option<S3Uri>,
    facet_headers: Option<Vec<String>>,
    predicted_label_dataset_uri: Option<S3Uri>,
    predicted_label_headers: Option<Vec<String>>,
    predicted_label: Option<NameOrIndex>,
    excluded_columns: Option<Vec<NameOrIndex>>,
    segmentation_config: Option<Vec<SegmentationConfig>>,
    pub(super) time_series_data_config: Option<TimeSeriesDataConfig>,
}

impl DataConfig {
    /// The dataset's object or prefix, and the prefix that the results go to. CSV, not compressed, unless told otherwise. A
    /// dataset of this machine is uploaded when a job is started.
    pub fn new(s3_data_input_path: impl Into<Source>, s3_output_path: S3Uri) -> Self {
        Self {
            s3_data_input_path: s3_data_input_path.into(),
            s3_output_path,
            s3_analysis_config_output_path: None,
            label: None,
            headers: None,
            features: None,
            dataset_type: DatasetType::TextCsv,
            s3_compression_type: S3CompressionType::None,
            joinsource: None,
            facet_dataset_uri: None,
            facet_headers: None,
            predicted_label_dataset_uri: None,
            predicted_label_headers: None,
            predicted_label: None,
            excluded_columns: None,
            segmentation_config: None,
            time_series_data_config: None,
        }
    }

    setters! {
        /// The prefix that `analysis_config.json` goes to; that of the results unless given.
        s3_analysis_config_output_path: S3Uri,
        /// The target: a column, or a `JMESPath` in JSON records. Bias needs it.
        label: NameOrIndex,
        /// `JMESPath` of the feature values in JSON records: a list of one record's in JSON Lines, a matrix in JSON.
        features: String,
        /// The column that identifies records, by which files are joined; used for nothing else.
        joinsource: NameOrIndex,
        /// Files of their own with the facets, of CSV datasets.
        facet_dataset_uri: S3Uri,
        /// Files of their own with the predictions, of CSV datasets; the model is not asked then.
        predicted_label_dataset_uri: S3Uri,
        /// Where the dataset's own predictions are; the model is not asked then.
        predicted_label: NameOrIndex,
        /// What is what in a dataset of time series.
        time_series_data_config: TimeSeriesDataConfig,
    }

    /// The format of the dataset.
    #[must_use]
    pub fn dataset_type(mut self, dataset_type: impl Into<DatasetType>) -> Self {
        self.dataset_type = dataset_type.into();
        self
    }

    /// How the files of the dataset are packed.
    #[must_use]
    pub fn s3_compression_type(mut self, s3_compression_type: impl Into<S3CompressionType>) -> Self {
        self.s3_compression_type = s3_compression_type.into();
        self
    }

    setters! {
        /// Names of the dataset's columns. For time series: item id, timestamp, target, related series, static covariates.
        headers: [String],
        /// Names of the columns of the facets' files.
        facet_headers: [String],
        /// Names of the columns of the predictions' files.
        predicted_label_headers: [String],
        /// Columns that the model is not given.
        excluded_columns: [NameOrIndex],
    }

    /// Segments of the dataset, each of which gets metrics of its own.
    #[must_use]
    pub fn segmentation_config(mut self, segmentation_config: impl IntoIterator<Item = SegmentationConfig>) -> Self {
        self.segmentation_config = Some(segmentation_config.into_iter().collect());
        self
    }

    /// This part of `analysis_config.json`.
    pub fn get_config(&self) -> Result<Map<String, Value>> {
        self.check()?;
        let mut config = Map::new();
        set(&mut config, "dataset_type", Some(&self.dataset_type));
        set(&mut config, "features", self.features.as_ref());
        set(&mut config, "headers", self.headers.as_ref());
        set(&mut config, "label", self.label.as_ref());
        set(&mut config, "joinsource_name_or_index", self.joinsource.as_ref());
        set(&mut config, "facet_dataset_uri", self.facet_dataset_uri.as_ref());
        set(&mut config, "facet_headers", self.facet_headers.as_ref());
        set(&mut config, "predicted_label_dataset_uri", self.predicted_label_dataset_uri.as_ref());
        set(&mut config, "predicted_label_headers", self.predicted_label_headers.as_ref());
        set(&mut config, "predicted_label", self.predicted_label.as_ref());
        set(&mut config, "excluded_columns", self.excluded_columns.as_ref());
        if let Some(segments) = self.segmentation_config.as_ref().filter(|segments| !segments.is_empty()) {
            let segments = segments.iter().map(SegmentationConfig::get_config).collect::<Result<Vec<_>>>()?;
            set(&mut config, "segment_config", Some(&segments));
        }
        if let Some(time_series) = &self.time_series_data_config {
            set(&mut config, "time_series_data_config", Some(&time_series.get_time_series_data_config()?));
        }
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        let kind = &self.dataset_type;
        if let DatasetType::Other(word) = kind {
            return Err(Error::argument("dataset_type", format!("{word:?} is none of the supported dataset types")));
        }
        let refused = |argument| Err(Error::argument(argument, format!("not supported for dataset_type {kind}")));
        if *kind == DatasetType::Image {
            if self.predicted_label.is_some() {
                return refused("predicted_label");
            }
            if self.excluded_columns.is_some() {
                return refused("excluded_columns");
            }
        }
        if *kind != DatasetType::TextCsv {
            if self.facet_dataset_uri.is_some() || self.facet_headers.is_some() {
                return refused("facet_dataset_uri and facet_headers");
            }
            if self.predicted_label_dataset_uri.is_some() || self.predicted_label_headers.is_some() {
                return refused("predicted_label_dataset_uri and predicted_label_headers");
            }
        }
        if self.time_series_data_config.is_some() {
            if *kind != DatasetType::Json {
                return Err(Error::argument(
                    "time_series_data_config",
                    "time series are explained of datasets of application/json only",
                ));
            }
        } else if *kind == DatasetType::Json && self.features.is_none() {
            return Err(Error::argument("features", "a JMESPath is required for dataset_type application/json"));
        }
        Ok(())
    }
}

/// Segments of a dataset by the values of a column; records of no segment are one more.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentationConfig {
    name_or_index: NameOrIndex,
    segments: Vec<Vec<Scalar>>,
    config_name: Option<String>,
    display_aliases: Option<Vec<String>>,
}

impl SegmentationConfig {
    /// The column and, for each segment, its values, or its intervals as texts: `[["[1, 4]", "(5, 6]"], ["(7, 9)"]]`.
    pub fn new<S, V>(name_or_index: impl Into<NameOrIndex>, segments: S) -> Self
    where
        S: IntoIterator<Item = V>,
        V: IntoIterator<Item: Into<Scalar>>,
    {
        Self {
            name_or_index: name_or_index.into(),
            segments: segments.into_iter().map(all).collect(),
            config_name: None,
            display_aliases: None,
        }
    }

    setters! {
        /// A name for the segmentation.
        config_name: String,
        /// A name for each segment, and one more for the rest if wanted.
        display_aliases: [String],
    }

    fn get_config(&self) -> Result<Map<String, Value>> {
        if self.segments.is_empty() {
            return Err(Error::argument(
                "segments",
                "must be a list of lists of values or intervals, with at least one",
            ));
        }
        if let Some(aliases) = &self.display_aliases
            && aliases.len() != self.segments.len()
            && aliases.len() != self.segments.len() + 1
        {
            return Err(Error::argument(
                "display_aliases",
                format!(
                    "there are {} names for {} segments; give one for each, and one more for the rest of the records if wanted",
                    aliases.len(),
                    self.segments.len()
                ),
            ));
        }
        let mut config = Map::new();
        set(&mut config, "name_or_index", Some(&self.name_or_index));
        set(&mut config, "segments", Some(&self.segments));
        set(&mut config, "config_name", self.config_name.as_ref().filter(|name| !name.is_empty()));
        set(&mut config, "display_aliases", self.display_aliases.as_ref());
        Ok(config)
    }
}
