//! What services answer with, read the same way whichever service it comes from.

use serde::de::DeserializeOwned;
use serde_json::{Number, Value};

use crate::{Error, Result};

/// An answer without members that are null: they are absent, as the official SDKs read them.
pub(super) fn without_nulls(answer: Value) -> Value {
    match answer {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(_, value)| !value.is_null());
            members.map(|(name, value)| (name, without_nulls(value))).collect()
        }
        Value::Array(elements) => elements.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

/// An answer to `operation` about `resource` as a type; whole numbers may be written as floats are, `2.0`.
pub(crate) fn typed<T: DeserializeOwned>(operation: &'static str, resource: &str, answer: Value) -> Result<T> {
    serde_json::from_value(with_whole_numbers(answer)).map_err(|error| Error::Answer {
        operation,
        resource: resource.to_owned(),
        reason: error.to_string(),
    })
}

/// Floats that are whole numbers as integers.
pub(crate) fn with_whole_numbers(value: Value) -> Value {
    match value {
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, with_whole_numbers(value))).collect(),
        Value::Array(elements) => elements.into_iter().map(with_whole_numbers).collect(),
        Value::Number(number) => Value::Number(whole(&number).unwrap_or(number)),
        other => other,
    }
}

/// The integer that a float is, up to where floats are integers of their own.
fn whole(number: &Number) -> Option<Number> {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    let float = number.is_f64().then(|| number.as_f64()).flatten()?;
    (float.fract() == 0.0 && float.abs() <= LARGEST).then(|| Number::from(float as i64))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_that_are_null_are_absent_at_any_depth() {
        let answer = json!({"a": null, "b": [{"c": null, "d": 1}, null], "e": {"f": null}});
        assert_eq!(without_nulls(answer), json!({"b": [{"d": 1}, null], "e": {}}));
    }

    #[test]
    fn counts_may_be_floats_that_are_whole() {
        assert_eq!(typed::<Vec<u32>>("Describe", "it", json!([2.0, 3])).unwrap(), [2, 3]);
        assert_eq!(typed::<Vec<f64>>("Describe", "it", json!([2.0, 0.5])).unwrap(), [2.0, 0.5]);
        let error = typed::<u32>("Describe", "it", json!(2.5)).unwrap_err().to_string();
        assert!(error.starts_with("Describe of it: ") && error.contains("2.5"), "{error}");
    }
}
