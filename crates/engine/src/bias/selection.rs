//! Which rows are in the sensitive group, and which labels are positive (section 3.1).

use watchkeeper_formats::clarify::ConfiguredValue;
use watchkeeper_formats::number::python_float;

use super::BiasError;
use crate::table::{Column, ColumnKind, Distinct, Value, Values};

/// With this share of distinct values a column of whole numbers is a measurement, not a category.
const CONTINUOUS_SHARE: f64 = 0.05;

/// How the values of a column are compared with the configured ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// A row is selected by being equal to one of them.
    Categorical,
    /// A row is selected by being above the one threshold.
    Continuous,
}

impl Scale {
    /// The library's word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Categorical => "CATEGORICAL",
            Self::Continuous => "CONTINUOUS",
        }
    }
}

/// A column and how it is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScaledColumn<'a> {
    pub(super) column: &'a Column,
    pub(super) scale: Scale,
}

/// Some rows.
#[derive(Debug)]
pub(super) struct Selection {
    /// Whether each row is selected; a missing value never is.
    pub(super) rows: Vec<bool>,
    /// How the values were read where they match no row as they are, in a sentence for the log.
    pub(super) conversion: Option<String>,
}

/// A number, whole or not: whole ones are compared and printed as such.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Integer(i64),
    Float(f64),
}

impl<'a> ScaledColumn<'a> {
    /// The scale of a column beside its configured values.
    pub(super) fn new(column: &'a Column, configured: &[ConfiguredValue]) -> Self {
        Self { column, scale: scale(column, configured) }
    }

    /// The scale of predictions. Where labels and predictions are numbers both, predictions are looked at as the labels are.
    pub(super) fn of_predictions(column: &'a Column, labels: Self, configured: &[ConfiguredValue]) -> Self {
        let is_numeric = |column: &Column| column.kind() != ColumnKind::Text;
        if is_numeric(column) && is_numeric(labels.column) {
            return Self { column, scale: labels.scale };
        }
        Self::new(column, configured)
    }

    /// Whether its numbers are whole ones.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.column.kind(), ColumnKind::Integer | ColumnKind::Text)
    }

    /// Rows whose value equals one of the configured ones, or does so when these are converted to the kind of the column.
    pub(super) fn equal_to(&self, configured: &[ConfiguredValue]) -> Result<Selection, BiasError> {
        let rows = rows_where(self.column, |value| configured.iter().any(|one| equals(value, one)));
        if rows.contains(&true) {
            return Ok(Selection { rows, conversion: None });
        }
        let converted =
            configured.iter().map(|value| convert(value, self.column)).collect::<Result<Vec<_>, BiasError>>()?;
        let rows = rows_where(self.column, |value| converted.iter().any(|one| equals(value, one)));
        let conversion = rows.contains(&true).then(|| {
            let (before, after) = (printed(configured), printed(&converted));
            format!("Column {}: no row equals {before}, which is read as {after}", self.column.name)
        });
        Ok(Selection { rows, conversion })
    }

    /// Rows above a threshold. With `is_cut` the values are cut to whole numbers first.
    pub(super) fn above(&self, threshold: Number, is_cut: bool) -> Selection {
        let rows = rows_where(self.column, |value| match number(value) {
            Some(Number::Float(value)) if is_cut => Number::Float(value.trunc()).exceeds(threshold),
            Some(value) => value.exceeds(threshold),
            None => false,
        });
        Selection { rows, conversion: None }
    }

    /// The threshold that the configured value is.
    pub(super) fn threshold(&self, configured: &[ConfiguredValue]) -> Result<Number, BiasError> {
        let Some(value) = configured.first() else {
            return Err(BiasError(format!(
                "Threshold values must be provided for continuous features: column {} holds numbers, give it one",
                self.column.name
            )));
        };
        let threshold = match value {
            ConfiguredValue::Integer(value) => Some(Number::Integer(*value)),
            ConfiguredValue::Boolean(value) => Some(Number::Integer(i64::from(*value))),
            ConfiguredValue::Float(value) => Some(Number::Float(*value)),
            ConfiguredValue::Text(text) => text.trim().parse().ok().map(Number::Float),
        };
        threshold.filter(|threshold| !threshold.as_f64().is_nan()).ok_or_else(|| {
            BiasError(format!(
                "Facet/label value provided must be a single numeric threshold for continuous data: '{}' of column {} is \
                 no number",
                value.printed(),
                self.column.name
            ))
        })
    }

    /// The interval above a threshold, printed: up to the greatest value of the column.
    pub(super) fn interval(&self, threshold: Number) -> String {
        let Some(greatest) = self.greatest() else { return String::new() };
        let (lower, upper) = match (greatest.exceeds(threshold), threshold.exceeds(greatest)) {
            (true, _) => (threshold, greatest),
            (_, true) => (greatest, threshold),
            _ => return String::new(),
        };
        match (lower, upper) {
            (Number::Integer(lower), Number::Integer(upper)) => format!("({lower}, {upper}]"),
            _ => format!("({}, {}]", python_float(lower.as_f64()), python_float(upper.as_f64())),
        }
    }

    fn greatest(&self) -> Option<Number> {
        match &self.column.values {
            Values::Integer(values) => values.iter().copied().max().map(Number::Integer),
            Values::Float(values) => {
                values.iter().copied().filter(|value| !value.is_nan()).reduce(f64::max).map(Number::Float)
            }
            Values::Boolean(values) => values.iter().flatten().max().map(|value| Number::Integer(i64::from(*value))),
            Values::Text(texts) => {
                texts.distinct.iter().filter_map(|text| whole_number(text)).max().map(Number::Integer)
            }
        }
    }
}

impl Number {
    pub(super) fn as_f64(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    fn exceeds(self, other: Self) -> bool {
        match (self, other) {
            (Self::Integer(value), Self::Integer(other)) => value > other,
            _ => self.as_f64() > other.as_f64(),
        }
    }
}

/// The configured values as a document has them.
pub(super) fn printed(configured: &[ConfiguredValue]) -> String {
    configured.iter().map(ConfiguredValue::printed).collect::<Vec<_>>().join(",")
}

/// How many rows have a value.
pub(super) fn present(column: &Column) -> usize {
    match &column.values {
        Values::Integer(values) => values.len(),
        Values::Float(values) => values.iter().filter(|value| !value.is_nan()).count(),
        Values::Boolean(values) => values.iter().flatten().count(),
        Values::Text(texts) => texts.codes.iter().flatten().count(),
    }
}

fn scale(column: &Column, configured: &[ConfiguredValue]) -> Scale {
    if configured.len() > 1 || is_two_valued_code(column, configured) {
        return Scale::Categorical;
    }
    let is_continuous = match column.kind() {
        ColumnKind::Float => true,
        ColumnKind::Boolean => false,
        ColumnKind::Integer => has_many_values(column),
        ColumnKind::Text => is_whole_numbers_in_text(column) && has_many_values(column),
    };
    if is_continuous { Scale::Continuous } else { Scale::Categorical }
}

/// Columns of 0 and 1 stay categories in small tables, and where cells are missing; but not where the configured value is none of
/// the two, as a threshold between them would be.
fn is_two_valued_code(column: &Column, configured: &[ConfiguredValue]) -> bool {
    if !matches!(column.kind(), ColumnKind::Integer | ColumnKind::Float) || !column.holds_whole_numbers {
        return false;
    }
    let Some(distinct) = Distinct::at_most(2, column) else { return false };
    let Some(configured) = configured.first() else { return true };
    // A text is the number that it says: as a threshold it would be read so, too.
    let configured = match configured {
        ConfiguredValue::Text(text) => text.trim().parse().map_or_else(|_| configured.clone(), ConfiguredValue::Float),
        _ => configured.clone(),
    };
    distinct.first_rows.iter().any(|row| equals(column.value(*row), &configured))
}

fn has_many_values(column: &Column) -> bool {
    let count = present(column);
    if count == 0 {
        return false;
    }
    let is_many = |distinct: usize| distinct as f64 / count as f64 >= CONTINUOUS_SHARE;
    let fewest = (CONTINUOUS_SHARE * count as f64).ceil() as usize + 1;
    Distinct::at_most(fewest, column).is_none_or(|distinct| is_many(distinct.len()))
}

fn is_whole_numbers_in_text(column: &Column) -> bool {
    let Values::Text(texts) = &column.values else { return false };
    texts.codes.iter().all(Option::is_some) && texts.distinct.iter().all(|text| whole_number(text).is_some())
}

fn rows_where(column: &Column, is_selected: impl Fn(Value<'_>) -> bool) -> Vec<bool> {
    match &column.values {
        Values::Text(texts) => {
            let by_code: Vec<bool> = texts.distinct.iter().map(|text| is_selected(Value::Text(text))).collect();
            texts.codes.iter().map(|code| code.is_some_and(|code| by_code[code as usize])).collect()
        }
        _ => (0..column.len()).map(|row| is_selected(column.value(row))).collect(),
    }
}

/// Numbers by value, true and false being 1 and 0; a text equals a text only.
fn equals(value: Value<'_>, configured: &ConfiguredValue) -> bool {
    let configured = match (value, configured) {
        (Value::Text(text), ConfiguredValue::Text(other)) => return text == other,
        (_, ConfiguredValue::Text(_)) | (Value::Text(_), _) => return false,
        (_, ConfiguredValue::Integer(other)) => Number::Integer(*other),
        (_, ConfiguredValue::Float(other)) => Number::Float(*other),
        (_, ConfiguredValue::Boolean(other)) => Number::Integer(i64::from(*other)),
    };
    match (number(value), configured) {
        (Some(Number::Integer(value)), Number::Integer(other)) => value == other,
        #[allow(clippy::float_cmp)] // equal values are what is asked for
        (Some(value), other) => value.as_f64() == other.as_f64(),
        (None, _) => false,
    }
}

fn number(value: Value<'_>) -> Option<Number> {
    match value {
        Value::Missing => None,
        Value::Integer(value) => Some(Number::Integer(value)),
        Value::Float(value) => Some(Number::Float(value)),
        Value::Boolean(value) => Some(Number::Integer(i64::from(value))),
        Value::Text(text) => whole_number(text).map(Number::Integer),
    }
}

fn whole_number(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// A configured value in the kind of a column.
fn convert(configured: &ConfiguredValue, column: &Column) -> Result<ConfiguredValue, BiasError> {
    use ConfiguredValue::{Boolean, Float, Integer, Text};
    let of_text = |text: &str| {
        let no_number = || BiasError(format!("Could not convert string to float. '{text}' for column {}", column.name));
        text.trim().parse::<f64>().map_err(|_| no_number())
    };
    Ok(match (column.kind(), configured) {
        (ColumnKind::Text, _) => Text(configured.printed()),
        (ColumnKind::Integer, Text(text)) => match text.trim().parse() {
            Ok(value) => Integer(value),
            Err(_) => Float(of_text(text)?),
        },
        (ColumnKind::Integer, Float(value)) => Integer(*value as i64),
        (ColumnKind::Integer, Boolean(value)) => Integer(i64::from(*value)),
        (ColumnKind::Float, Text(text)) => Float(of_text(text)?),
        (ColumnKind::Float, Boolean(value)) => Float(f64::from(u8::from(*value))),
        (ColumnKind::Boolean, Text(text)) if text.trim().eq_ignore_ascii_case("true") => Boolean(true),
        (ColumnKind::Boolean, Text(text)) if text.trim().eq_ignore_ascii_case("false") => Boolean(false),
        (ColumnKind::Boolean, Text(text)) => Boolean(of_text(text)? != 0.0),
        (ColumnKind::Boolean, Integer(value)) => Boolean(*value != 0),
        (ColumnKind::Boolean, Float(value)) => Boolean(*value != 0.0),
        (ColumnKind::Integer | ColumnKind::Float | ColumnKind::Boolean, value) => value.clone(),
    })
}
