//! The values of a feature that partial dependence looks at (section 4.1).

use serde_json::Value;
use watchkeeper_formats::clarify::DataType;

use crate::table::{self, Column, Distinct, MISSING, Texts, Values};

/// Integer columns with fewer distinct values a row are categorical.
const CATEGORICAL_BELOW: f64 = 0.05;
/// Free text has more distinct values a row.
const FREE_TEXT_ABOVE: f64 = 0.5;
const NOT_SUPPORTED: &str =
    "Detected data type is not supported for PDP. PDP can only be computed for numerical or categorical columns";

/// The values that a feature is set to, one after the other.
#[derive(Clone, Debug)]
pub struct Grid {
    /// How the feature is looked at.
    pub data_type: DataType,
    /// The values, as documents have them.
    pub values: Vec<Value>,
    /// Shares of rows.
    pub distribution: Vec<f64>,
}

/// How a feature is looked at.
pub fn data_type(column: &Column) -> DataType {
    match &column.values {
        Values::Boolean(_) => DataType::Categorical,
        Values::Text(texts) => type_of_texts(texts),
        Values::Integer(values) => {
            let distinct = Distinct::of(column).len();
            let is_categorical = distinct <= 2 || (distinct as f64) < CATEGORICAL_BELOW * values.len() as f64;
            if is_categorical { DataType::Categorical } else { DataType::Numerical }
        }
        Values::Float(_) => {
            let has_two_whole_numbers = column.holds_whole_numbers && Distinct::at_most(2, column).is_some();
            if has_two_whole_numbers { DataType::Categorical } else { DataType::Numerical }
        }
    }
}

fn type_of_texts(texts: &Texts) -> DataType {
    let has_space: Vec<bool> = texts.distinct.iter().map(|text| text.contains(' ')).collect();
    let there = || texts.codes.iter().flatten();
    let rows = there().count();
    let with_space = there().filter(|code| has_space[**code as usize]).count();
    let is_free = with_space * 2 > rows && texts.distinct.len() as f64 > FREE_TEXT_ABOVE * rows as f64;
    if is_free { DataType::FreeText } else { DataType::Categorical }
}

/// The grid of a feature; the text of the document for one that cannot have any.
pub fn grid(column: &Column, resolution: u32) -> Result<Grid, String> {
    let data_type = data_type(column);
    let (values, distribution) = match (data_type, &column.values) {
        (DataType::FreeText, _) => return Err(NOT_SUPPORTED.to_owned()),
        (DataType::Numerical, Values::Integer(values)) => buckets(values.iter().map(|value| *value as f64), resolution),
        (DataType::Numerical, Values::Float(values)) => buckets(values.iter().copied(), resolution),
        _ => categories(column),
    };
    Ok(Grid { data_type, values, distribution })
}

/// Centres of buckets of equal width between the least and the largest value, and the shares of rows in them. A value on an edge is in
/// the bucket above. Only finite values count.
fn buckets(values: impl Iterator<Item = f64> + Clone, resolution: u32) -> (Vec<Value>, Vec<f64>) {
    let values = values.filter(|value| value.is_finite());
    let (low, high) =
        values.clone().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (value.min(low), value.max(high)));
    if low > high {
        return (Vec::new(), Vec::new());
    }
    if low == high {
        return (vec![Value::from(low)], vec![1.0]);
    }
    let number = resolution.max(1) as usize;
    let at = |place: f64| {
        let (range, share) = (high - low, place / number as f64);
        // The range may be more than the largest number.
        if range.is_finite() { low + place * range / number as f64 } else { low * (1.0 - share) + high * share }
    };
    let mut counts = vec![0_u64; number];
    let mut rows = 0_u64;
    for value in values {
        let share = (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
        let mut bucket = ((share * number as f64) as usize).min(number - 1);
        // What the division says may be off by its rounding; the edges decide.
        while bucket > 0 && value < at(bucket as f64) {
            bucket -= 1;
        }
        while bucket + 1 < number && value >= at((bucket + 1) as f64) {
            bucket += 1;
        }
        counts[bucket] += 1;
        rows += 1;
    }
    let centres = (0..number).map(|bucket| Value::from(at(bucket as f64 + 0.5))).collect();
    (centres, counts.iter().map(|count| *count as f64 / rows as f64).collect())
}

/// The distinct values in order of appearance, and their shares of the rows that have one.
fn categories(column: &Column) -> (Vec<Value>, Vec<f64>) {
    let Distinct { codes, first_rows } = Distinct::of(column);
    let mut counts = vec![0_u64; first_rows.len()];
    for code in codes.into_iter().filter(|code| *code != MISSING) {
        counts[code as usize] += 1;
    }
    let rows = counts.iter().sum::<u64>() as f64;
    let values = first_rows.into_iter().map(|row| document(column.value(row))).collect();
    (values, counts.into_iter().map(|count| count as f64 / rows).collect())
}

/// A category as documents have it.
fn document(category: table::Value<'_>) -> Value {
    match category {
        table::Value::Missing => Value::Null,
        table::Value::Integer(value) => Value::from(value),
        // A whole number, or the column were numerical.
        table::Value::Float(value) => Value::from(value as i64),
        table::Value::Boolean(value) => Value::from(value),
        table::Value::Text(text) => Value::from(text),
    }
}
