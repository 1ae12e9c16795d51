//! The data sets of AWS's notebooks and what AWS's analyzers said of them, which the analyzer's tests keep with their origin.

use std::path::PathBuf;

use serde_json::Value;

/// A file of the repository. The crates lie side by side.
pub(crate) fn path(relative: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(relative)
}

/// A golden's path.
fn golden(name: &str) -> PathBuf {
    path(&format!("crates/analyzer/tests/goldens/{name}"))
}

pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(golden(name)).unwrap()
}

pub(crate) fn json(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap()
}

/// Lines of JSON.
pub(crate) fn json_lines(name: &str) -> Vec<Value> {
    text(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
