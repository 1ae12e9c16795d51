//! The statistics document of a profile (section 5).

use watchkeeper_formats::{
    Categorical, CategoricalBucket, CategoricalDistribution, CommonStatistics, DatasetStatistics, FeatureStatistics,
    InferredType, KllBucket, KllDistribution, KllParameters, KllSketch, NumericalDistribution, NumericalStatistics,
    Statistics, StringStatistics,
};

use super::Profile;
use super::column_profile::ColumnProfile;
use crate::sketch::{Kll, category_order};

/// Approximate distinct count up to which a String column has a distribution and domains (Deequ's default).
const MOST_CATEGORIES: u64 = 120;

impl Profile {
    /// The statistics document, as the current AWS analyzer writes it.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            version: 0.0,
            dataset: DatasetStatistics { item_count: self.records },
            features: self.columns.iter().map(|(name, column)| feature(name, column, self.records)).collect(),
        }
    }
}

fn feature(name: &str, column: &ColumnProfile, records: u64) -> FeatureStatistics {
    let inferred_type = column.inferred_type();
    let present = column.present();
    let common = CommonStatistics { num_present: present, num_missing: records.saturating_sub(present) };
    let completeness = Some(completeness(present, records));
    let mut statistics =
        FeatureStatistics { name: name.to_owned(), inferred_type, numerical_statistics: None, string_statistics: None };
    match inferred_type {
        InferredType::Integral | InferredType::Fractional => {
            statistics.numerical_statistics = Some(numerical(column, common, completeness));
        }
        InferredType::String => {
            let buckets = categories(name, column)
                .map(|values| values.into_iter().map(|(value, count)| CategoricalBucket { value, count }).collect());
            statistics.string_statistics = Some(StringStatistics {
                common,
                distinct_count: column.distinct() as f64,
                completeness,
                distribution: buckets.map(|buckets| CategoricalDistribution { categorical: Categorical { buckets } }),
            });
        }
        InferredType::Unknown => {
            statistics.string_statistics =
                Some(StringStatistics { common, distinct_count: 0.0, completeness: Some(0.0), distribution: None });
        }
    }
    statistics
}

/// Share of the records that have a value; 1.0 where there is no record.
pub(super) fn completeness(present: u64, records: u64) -> f64 {
    if records == 0 { 1.0 } else { present as f64 / records as f64 }
}

/// The categories of a String column in the order of buckets and domains, when they are few.
pub(super) fn categories(name: &str, column: &ColumnProfile) -> Option<Vec<(String, u64)>> {
    if column.inferred_type() != InferredType::String || column.distinct() > MOST_CATEGORIES {
        return None;
    }
    let mut values: Vec<(String, u64)> = column.categories()?.map(|(value, count)| (value.to_owned(), count)).collect();
    category_order(name, &mut values);
    Some(values)
}

fn numerical(column: &ColumnProfile, common: CommonStatistics, completeness: Option<f64>) -> NumericalStatistics {
    let mut statistics = NumericalStatistics {
        common,
        mean: 0.0,
        sum: 0.0,
        std_dev: 0.0,
        min: 0.0,
        max: 0.0,
        approximate_num_distinct_values: Some(column.distinct()),
        completeness,
        distribution: None,
    };
    // A column of numbers that none of them can be read as (only oversized integers) has zeros and an empty sketch.
    let numbers = column.numbers().filter(|numbers| numbers.reading.moments.count() > 0);
    let Some(numbers) = numbers else {
        let empty = KllBucket { lower_bound: 0.0, upper_bound: 0.0, count: 0.0 };
        statistics.distribution = Some(distribution(vec![empty; 10], vec![Vec::new()]));
        return statistics;
    };
    let moments = &numbers.reading.moments;
    let sketch = &numbers.reading.sketch;
    statistics.sum = numbers.sum;
    statistics.mean = numbers.sum / moments.count() as f64;
    statistics.std_dev = moments.std_dev();
    statistics.min = moments.min();
    statistics.max = moments.max();
    let data = sketch.levels().map(<[f64]>::to_vec).collect();
    statistics.distribution = Some(distribution(sketch.buckets(statistics.min, statistics.max), data));
    statistics
}

fn distribution(buckets: Vec<KllBucket>, data: Vec<Vec<f64>>) -> NumericalDistribution {
    let parameters = KllParameters { c: Kll::C, k: f64::from(Kll::K) };
    NumericalDistribution { kll: KllDistribution { buckets, sketch: Some(KllSketch { parameters, data }) } }
}
