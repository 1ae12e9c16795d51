//! Time series: what is what in the dataset, where the forecast is, and asymmetric Shapley values (Frye, Rowat and Feige,
//! "Asymmetric Shapley values", `NeurIPS` 2020). What a server supports of them is its own matter.

use serde_json::{Map, Value};

use super::analysis_config::set;
use super::value::{NameOrIndex, Scalar, all};
use crate::request::setters;
use crate::word::word;
use crate::{Error, Result, S3Uri};

word! {
    /// How a JSON dataset of time series is laid out.
    pub enum TimeSeriesJSONDatasetFormat {
        /// An object with a list for each column.
        Columns = "columns",
        /// A list of items, each with the list of its moments.
        ItemRecords = "item_records",
        /// A list of moments, each with its item.
        TimestampRecords = "timestamp_records",
    }
}

/// What is what in a dataset of time series: all by `JMESPath`, or all by index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeSeriesDataConfig {
    target_time_series: NameOrIndex,
    item_id: NameOrIndex,
    timestamp: NameOrIndex,
    related_time_series: Option<Vec<NameOrIndex>>,
    static_covariates: Option<Vec<NameOrIndex>>,
    dataset_format: Option<TimeSeriesJSONDatasetFormat>,
}

impl TimeSeriesDataConfig {
    /// Where the target, the item's identity and the time are.
    pub fn new(
        target_time_series: impl Into<NameOrIndex>,
        item_id: impl Into<NameOrIndex>,
        timestamp: impl Into<NameOrIndex>,
    ) -> Self {
        Self {
            target_time_series: target_time_series.into(),
            item_id: item_id.into(),
            timestamp: timestamp.into(),
            related_time_series: None,
            static_covariates: None,
            dataset_format: None,
        }
    }

    setters! {
        /// How the dataset is laid out; needed when places are paths, and for them alone.
        dataset_format: TimeSeriesJSONDatasetFormat,
        /// Where related series are.
        related_time_series: [NameOrIndex],
        /// Where what does not change with time is.
        static_covariates: [NameOrIndex],
    }

    /// How many static covariates there are.
    fn covariate_count(&self) -> usize {
        self.static_covariates.as_ref().map_or(0, Vec::len)
    }

    /// This part of `analysis_config.json`.
    pub(super) fn get_time_series_data_config(&self) -> Result<Map<String, Value>> {
        let by_path = matches!(self.target_time_series, NameOrIndex::Name(_));
        let kind = if by_path { "a path" } else { "an index" };
        let fits = |place: &NameOrIndex| match place {
            NameOrIndex::Name(path) => by_path && !path.is_empty(),
            NameOrIndex::Index(_) => !by_path,
        };
        for (argument, place) in [
            ("target_time_series", &self.target_time_series),
            ("item_id", &self.item_id),
            ("timestamp", &self.timestamp),
        ] {
            if !fits(place) {
                return Err(Error::argument(
                    argument,
                    format!("must be {kind}, as target_time_series is, and not empty"),
                ));
            }
        }
        for (argument, places) in
            [("related_time_series", &self.related_time_series), ("static_covariates", &self.static_covariates)]
        {
            if !places.iter().flatten().all(fits) {
                return Err(Error::argument(
                    argument,
                    format!("each must be {kind}, as target_time_series is, and not empty"),
                ));
            }
        }
        match (&self.dataset_format, by_path) {
            (None | Some(TimeSeriesJSONDatasetFormat::Other(_)), true) => {
                return Err(Error::argument("dataset_format", "must be columns, item_records or timestamp_records"));
            }
            (Some(_), false) => {
                return Err(Error::argument("dataset_format", "only with paths: files of columns have none"));
            }
            _ => {}
        }
        let given = |places: &Option<Vec<NameOrIndex>>| places.clone().filter(|places| !places.is_empty());
        let mut config = Map::new();
        set(&mut config, "target_time_series", Some(&self.target_time_series));
        set(&mut config, "item_id", Some(&self.item_id));
        set(&mut config, "timestamp", Some(&self.timestamp));
        set(&mut config, "related_time_series", given(&self.related_time_series).as_ref());
        set(&mut config, "static_covariates", given(&self.static_covariates).as_ref());
        set(&mut config, "dataset_format", self.dataset_format.as_ref());
        Ok(config)
    }
}

/// Where the forecast is in what a model answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeSeriesModelConfig {
    forecast: String,
}

impl TimeSeriesModelConfig {
    /// `JMESPath` of the forecast.
    pub fn new(forecast: impl Into<String>) -> Self {
        Self { forecast: forecast.into() }
    }

    /// This part of `analysis_config.json`.
    pub(super) fn get_time_series_model_config(&self) -> Map<String, Value> {
        let mut config = Map::new();
        set(&mut config, "forecast", Some(&self.forecast));
        config
    }
}

word! {
    /// In which order moments are taken away.
    pub enum ExplanationDirection {
        /// From the first.
        Chronological = "chronological",
        /// From the last.
        AntiChronological = "anti_chronological",
        /// Both ways.
        Bidirectional = "bidirectional",
    }
}

word! {
    /// What gets an attribution.
    pub enum ExplanationGranularity {
        /// Each moment.
        Timewise = "timewise",
        /// Each series at each moment.
        FineGrained = "fine_grained",
    }
}

word! {
    /// What stands for a moment that is taken away.
    pub enum TemporalBaseline {
        /// 0.
        Zero = "zero",
        /// The mean of the series.
        Mean = "mean",
    }
}

/// What stands for what is taken away.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeSeriesBaseline {
    target_time_series: Option<TemporalBaseline>,
    related_time_series: Option<TemporalBaseline>,
    static_covariates: Option<Vec<(String, Vec<Scalar>)>>,
}

impl TimeSeriesBaseline {
    /// With nothing set.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// For the target.
        target_time_series: TemporalBaseline,
        /// For the related series.
        related_time_series: TemporalBaseline,
    }

    /// For the static covariates of an item: one value each, in their order. Once for every item.
    #[must_use]
    pub fn static_covariates(
        mut self,
        item_id: impl Into<String>,
        values: impl IntoIterator<Item = impl Into<Scalar>>,
    ) -> Self {
        self.static_covariates.get_or_insert_default().push((item_id.into(), all(values)));
        self
    }

    fn to_json(&self) -> Result<Value> {
        for (argument, baseline) in
            [("target_time_series", &self.target_time_series), ("related_time_series", &self.related_time_series)]
        {
            if let Some(TemporalBaseline::Other(word)) = baseline {
                return Err(Error::argument(argument, format!("{word:?} is neither zero nor mean")));
            }
        }
        let covariates: Option<Map<String, Value>> = self.static_covariates.as_ref().map(|items| {
            items
                .iter()
                .map(|(item, values)| (item.clone(), values.iter().cloned().map(Scalar::into_json).collect()))
                .collect()
        });
        let mut config = Map::new();
        set(&mut config, "target_time_series", self.target_time_series.as_ref());
        set(&mut config, "related_time_series", self.related_time_series.as_ref());
        set(&mut config, "static_covariates", covariates.as_ref());
        Ok(config.into())
    }
}

/// The baseline of asymmetric Shapley values.
#[derive(Clone, Debug, PartialEq)]
pub enum AsymmetricShapleyBaseline {
    /// A file with it.
    S3(S3Uri),
    /// The baseline itself.
    Inline(TimeSeriesBaseline),
}

impl From<S3Uri> for AsymmetricShapleyBaseline {
    fn from(uri: S3Uri) -> Self {
        Self::S3(uri)
    }
}

impl From<TimeSeriesBaseline> for AsymmetricShapleyBaseline {
    fn from(baseline: TimeSeriesBaseline) -> Self {
        Self::Inline(baseline)
    }
}

/// Asymmetric Shapley values: what each moment adds to a forecast. Needs a [`TimeSeriesDataConfig`] and a
/// [`TimeSeriesModelConfig`].
#[derive(Clone, Debug, PartialEq)]
pub struct AsymmetricShapleyValueConfig {
    direction: ExplanationDirection,
    granularity: ExplanationGranularity,
    num_samples: Option<u32>,
    baseline: Option<AsymmetricShapleyBaseline>,
}

impl Default for AsymmetricShapleyValueConfig {
    fn default() -> Self {
        Self {
            direction: ExplanationDirection::Chronological,
            granularity: ExplanationGranularity::Timewise,
            num_samples: None,
            baseline: None,
        }
    }
}

impl AsymmetricShapleyValueConfig {
    /// Of each moment, from the first.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// How many samples are taken; needed for fine-grained attributions, and for them alone.
        num_samples = u32,
        /// What stands for what is taken away.
        baseline: AsymmetricShapleyBaseline,
    }

    /// In which order moments are taken away. Fine-grained attributions are chronological.
    #[must_use]
    pub fn direction(mut self, direction: impl Into<ExplanationDirection>) -> Self {
        self.direction = direction.into();
        self
    }

    /// What gets an attribution.
    #[must_use]
    pub fn granularity(mut self, granularity: impl Into<ExplanationGranularity>) -> Self {
        self.granularity = granularity.into();
        self
    }

    pub(super) fn get_explainability_config(&self) -> Result<Map<String, Value>> {
        if let ExplanationDirection::Other(word) = &self.direction {
            return Err(Error::argument(
                "direction",
                format!("{word:?} is none of chronological, anti_chronological and bidirectional"),
            ));
        }
        match &self.granularity {
            ExplanationGranularity::Other(word) => {
                return Err(Error::argument("granularity", format!("{word:?} is neither timewise nor fine_grained")));
            }
            ExplanationGranularity::FineGrained if self.num_samples.is_none() => {
                return Err(Error::argument("num_samples", "required for fine_grained granularity"));
            }
            ExplanationGranularity::FineGrained if self.direction != ExplanationDirection::Chronological => {
                return Err(Error::argument(
                    "direction",
                    format!("{} and fine_grained granularity are not supported together", self.direction),
                ));
            }
            ExplanationGranularity::Timewise if self.num_samples.is_some() => {
                return Err(Error::argument("num_samples", "only for fine_grained granularity"));
            }
            _ => {}
        }
        let baseline = match &self.baseline {
            None => None,
            Some(AsymmetricShapleyBaseline::S3(uri)) => Some(Value::String(uri.to_string())),
            Some(AsymmetricShapleyBaseline::Inline(baseline)) => Some(baseline.to_json()?),
        };
        let mut config = Map::new();
        set(&mut config, "direction", Some(&self.direction));
        set(&mut config, "granularity", Some(&self.granularity));
        set(&mut config, "num_samples", self.num_samples.as_ref());
        set(&mut config, "baseline", baseline.as_ref());
        Ok(config)
    }

    /// Whether the baseline has a value for each static covariate of the dataset.
    pub(super) fn check_static_covariates(&self, data: &TimeSeriesDataConfig) -> Result<()> {
        let Some(AsymmetricShapleyBaseline::Inline(TimeSeriesBaseline { static_covariates: Some(items), .. })) =
            &self.baseline
        else {
            return Ok(());
        };
        let count = data.covariate_count();
        if count == 0 {
            return Err(Error::argument(
                "baseline",
                "it has values for static covariates, and TimeSeriesDataConfig names none of them",
            ));
        }
        for (item, values) in items {
            if values.len() != count {
                return Err(Error::argument(
                    "baseline",
                    format!("item {item} has {} values for {count} static covariates; give one for each", values.len()),
                ));
            }
        }
        Ok(())
    }
}
