//! `watchkeeper bias` and `watchkeeper explain` as a person uses them. Referees: recorded results of the real service, closed forms of
//! linear models, and the guide's worked example.

mod bad_input;
mod bias;
mod explain;
mod interrupted;
mod report;

use serde_json::Value;

use crate::program::repository;

fn golden(name: &str) -> String {
    repository("crates/analyzer/tests/goldens").join(name).display().to_string()
}

fn golden_json(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(golden(name)).unwrap()).unwrap()
}

/// Equal but for the last digits of numbers.
#[track_caller]
fn assert_close(found: &Value, expected: &Value, tolerance: f64) {
    match (found, expected) {
        (Value::Number(one), Value::Number(other)) => {
            let distance = (one.as_f64().unwrap() - other.as_f64().unwrap()).abs();
            assert!(distance <= tolerance, "{one} is not {other}");
        }
        (Value::Array(one), Value::Array(other)) => {
            assert_eq!(one.len(), other.len(), "{found} is not {expected}");
            one.iter().zip(other).for_each(|(one, other)| assert_close(one, other, tolerance));
        }
        (Value::Object(one), Value::Object(other)) => {
            assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
            one.values().zip(other.values()).for_each(|(one, other)| assert_close(one, other, tolerance));
        }
        _ => assert_eq!(found, expected),
    }
}

/// A shell command that is a linear model of CSV records with these weights.
fn linear(weights: &[f64]) -> String {
    let terms: Vec<String> =
        weights.iter().enumerate().map(|(place, weight)| format!("{weight} * ${}", place + 1)).collect();
    format!("awk -F, '{{ printf \"%.17g\\n\", {} }}'", terms.join(" + "))
}
