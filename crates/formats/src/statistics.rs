//! `statistics.json`: what a dataset looks like, column by column.
//!
//! Files of both generations are read: the first (before 2023) has no `approximate_num_distinct_values` and no
//! `completeness`. What is absent stays absent when written again.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::json;
use crate::lenient;
use crate::named_enum::named_enum;
use crate::number::java_double;

named_enum! {
    /// The type that the values of a column have.
    pub enum InferredType {
        /// Whole numbers.
        Integral = "Integral",
        /// Numbers with a fraction or an exponent.
        Fractional = "Fractional",
        /// Any text.
        String = "String",
        /// No value was seen.
        Unknown = "Unknown",
    }
}

/// The whole document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Always 0.0.
    #[serde(default, with = "lenient::double")]
    pub version: f64,
    /// About all columns together.
    pub dataset: DatasetStatistics,
    /// One entry per column, in the order of the dataset.
    pub features: Vec<FeatureStatistics>,
}

/// About all columns together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetStatistics {
    /// Number of records.
    #[serde(deserialize_with = "lenient::count::deserialize")]
    pub item_count: u64,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureStatistics {
    /// Name of the column.
    pub name: String,
    /// Type of the column.
    pub inferred_type: InferredType,
    /// Only for Integral and Fractional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numerical_statistics: Option<NumericalStatistics>,
    /// Only for String and Unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_statistics: Option<StringStatistics>,
}

/// How many records have a value in the column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommonStatistics {
    /// Records with a value.
    #[serde(deserialize_with = "lenient::count::deserialize")]
    pub num_present: u64,
    /// Records without one.
    #[serde(deserialize_with = "lenient::count::deserialize")]
    pub num_missing: u64,
}

/// A column of numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumericalStatistics {
    /// Presence of values.
    pub common: CommonStatistics,
    /// Arithmetic mean.
    #[serde(with = "lenient::double")]
    pub mean: f64,
    /// Sum.
    #[serde(with = "lenient::double")]
    pub sum: f64,
    /// Standard deviation of the population (divided by n).
    #[serde(with = "lenient::double")]
    pub std_dev: f64,
    /// Smallest value.
    #[serde(with = "lenient::double")]
    pub min: f64,
    /// Largest value.
    #[serde(with = "lenient::double")]
    pub max: f64,
    /// Estimated number of different values; absent in the first generation.
    #[serde(
        default,
        deserialize_with = "lenient::optional_count::deserialize",
        skip_serializing_if = "Option::is_none"
    )]
    pub approximate_num_distinct_values: Option<u64>,
    /// Share of records with a value, 0 to 1; absent in the first generation.
    #[serde(default, with = "lenient::optional_double", skip_serializing_if = "Option::is_none")]
    pub completeness: Option<f64>,
    /// How the values are spread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<NumericalDistribution>,
}

/// How the values of a numeric column are spread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumericalDistribution {
    /// Histogram and quantile sketch.
    pub kll: KllDistribution,
}

/// A histogram and the KLL quantile sketch that it was taken from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KllDistribution {
    /// Ten buckets of equal width between smallest and largest value.
    #[serde(default)]
    pub buckets: Vec<KllBucket>,
    /// The sketch; other tools may leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sketch: Option<KllSketch>,
}

/// One bucket of a histogram.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KllBucket {
    /// Lower end, inclusive.
    #[serde(with = "lenient::double")]
    pub lower_bound: f64,
    /// Upper end, exclusive but for the last bucket.
    #[serde(with = "lenient::double")]
    pub upper_bound: f64,
    /// Number of values, estimated from the sketch.
    #[serde(with = "lenient::double")]
    pub count: f64,
}

/// A KLL quantile sketch (Karnin, Lang, Liberty, 2016).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KllSketch {
    /// How it was built.
    #[serde(default)]
    pub parameters: KllParameters,
    /// The items kept, level 0 first; an item of level i stands for 2^i values.
    #[serde(with = "lenient::double_levels")]
    pub data: Vec<Vec<f64>>,
}

impl KllSketch {
    /// The number of values that the sketch stands for; None when it does not fit in 64 bits.
    pub fn total_weight(&self) -> Option<u64> {
        let mut total: u64 = 0;
        for (level, items) in self.data.iter().enumerate().filter(|(_, items)| !items.is_empty()) {
            let weight_of_item = 1_u64.checked_shl(u32::try_from(level).ok()?)?;
            total = total.checked_add(weight_of_item.checked_mul(items.len() as u64)?)?;
        }
        Some(total)
    }
}

/// How a sketch was built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KllParameters {
    /// Shrinking factor of the levels.
    #[serde(with = "lenient::double")]
    pub c: f64,
    /// Capacity of the top level.
    #[serde(with = "lenient::double")]
    pub k: f64,
}

impl Default for KllParameters {
    /// The parameters that every file has.
    fn default() -> Self {
        Self { c: 0.64, k: 2048.0 }
    }
}

/// A column of texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StringStatistics {
    /// Presence of values.
    pub common: CommonStatistics,
    /// Estimated number of different values.
    #[serde(with = "lenient::double")]
    pub distinct_count: f64,
    /// Share of records with a value, 0 to 1; absent in the first generation.
    #[serde(default, with = "lenient::optional_double", skip_serializing_if = "Option::is_none")]
    pub completeness: Option<f64>,
    /// Frequencies, only when there are few different values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<CategoricalDistribution>,
}

/// How often each text occurs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CategoricalDistribution {
    /// The frequencies.
    pub categorical: Categorical,
}

/// The frequencies of the texts of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Categorical {
    /// One bucket per text.
    #[serde(default)]
    pub buckets: Vec<CategoricalBucket>,
}

/// One text and its frequency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CategoricalBucket {
    /// The text.
    pub value: String,
    /// Number of records that have it.
    #[serde(deserialize_with = "lenient::count::deserialize")]
    pub count: u64,
}

impl FeatureStatistics {
    /// How many values are present and missing, from whichever block there is.
    pub fn common(&self) -> Option<&CommonStatistics> {
        let numbers = self.numerical_statistics.as_ref().map(|statistics| &statistics.common);
        numbers.or(self.string_statistics.as_ref().map(|statistics| &statistics.common))
    }
}

impl Statistics {
    /// Reads a `statistics.json` of any generation. Does not check that its numbers make sense; see [`Self::validate`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        json::parse(text)
    }

    /// The bytes of `statistics.json`.
    pub fn to_json(&self) -> String {
        json::to_string(self)
    }

    /// Refuses numbers that cannot be true, so that a comparison with them neither fails oddly nor runs for ever:
    /// more than 40 sketch levels, a sketch that stands for more values than are present, NaN items, a minimum above
    /// the maximum, negative counts, a completeness outside 0 to 1. The message names feature and field.
    pub fn validate(&self) -> Result<(), Error> {
        for feature in &self.features {
            feature.validate().map_err(|(field, problem)| Error::Invalid {
                place: format!("feature `{}`, {field}", feature.name),
                problem,
            })?;
        }
        Ok(())
    }
}

/// The field and what is wrong with it.
type Problem = (&'static str, String);

impl FeatureStatistics {
    fn validate(&self) -> Result<(), Problem> {
        self.numerical_statistics.as_ref().map_or(Ok(()), NumericalStatistics::validate)?;
        self.string_statistics.as_ref().map_or(Ok(()), StringStatistics::validate)
    }
}

impl NumericalStatistics {
    fn validate(&self) -> Result<(), Problem> {
        if self.min > self.max {
            let (min, max) = (java_double(self.min), java_double(self.max));
            return Err(("min", format!("{min} is greater than max {max}")));
        }
        validate_completeness(self.completeness)?;
        let Some(NumericalDistribution { kll }) = &self.distribution else { return Ok(()) };
        if let Some(bucket) = kll.buckets.iter().find(|bucket| bucket.count.is_nan() || bucket.count < 0.0) {
            return Err(("distribution.kll.buckets", format!("count {} is negative", java_double(bucket.count))));
        }
        kll.sketch.as_ref().map_or(Ok(()), |sketch| sketch.validate(self.common.num_present))
    }
}

impl KllSketch {
    /// A level beyond this one would need more than 10^12 values.
    const MOST_LEVELS: usize = 40;

    fn validate(&self, num_present: u64) -> Result<(), Problem> {
        const FIELD: &str = "distribution.kll.sketch.data";
        if self.data.len() > Self::MOST_LEVELS {
            let levels = self.data.len();
            return Err((FIELD, format!("has {levels} levels, at most {} are possible", Self::MOST_LEVELS)));
        }
        if self.data.iter().flatten().any(|item| item.is_nan()) {
            return Err((FIELD, "holds an item that is NaN".to_owned()));
        }
        // Smaller is possible: present values that do not parse are not in the sketch.
        match self.total_weight() {
            Some(weight) if weight <= num_present => Ok(()),
            Some(weight) => Err((FIELD, format!("stands for {weight} values, but num_present is {num_present}"))),
            None => Err((FIELD, "stands for more values than can be counted".to_owned())),
        }
    }
}

impl StringStatistics {
    fn validate(&self) -> Result<(), Problem> {
        if self.distinct_count.is_nan() || self.distinct_count < 0.0 {
            return Err(("distinct_count", format!("{} is negative", java_double(self.distinct_count))));
        }
        validate_completeness(self.completeness)?;
        let Some(CategoricalDistribution { categorical }) = &self.distribution else { return Ok(()) };
        let total = categorical.buckets.iter().try_fold(0_u64, |total, bucket| total.checked_add(bucket.count));
        match total {
            Some(_) => Ok(()),
            None => Err(("distribution.categorical.buckets", "count more values than can be counted".to_owned())),
        }
    }
}

fn validate_completeness(completeness: Option<f64>) -> Result<(), Problem> {
    match completeness {
        Some(share) if !(0.0..=1.0).contains(&share) => {
            Err(("completeness", format!("{} is not within 0 to 1", java_double(share))))
        }
        _ => Ok(()),
    }
}
