//! Recordings as they lie in their files.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

/// The cases of a file, and the answers in them, which are named by their number.
#[derive(Debug, Deserialize)]
pub struct Recording {
    pub answers: Vec<Answer>,
    pub cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
pub struct Case {
    pub name: String,
    #[serde(default)]
    pub session: Map<String, Value>,
    pub steps: Vec<Step>,
}

/// A call: of a class or one of its constructors, or, with a dot before it, of a method on what there is.
#[derive(Debug, Deserialize)]
pub struct Step {
    pub call: String,
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// The exception that Python ends with.
    pub raises: Option<String>,
    /// The value in the form in which requests have it, of a step that has none.
    pub gives: Option<Value>,
    pub exchanges: Vec<Exchange>,
}

#[derive(Debug, Deserialize)]
pub struct Exchange {
    pub request: Value,
    pub answer: usize,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Answer {
    pub status: u16,
    #[serde(default)]
    pub headers: Map<String, Value>,
    #[serde(default)]
    pub body: String,
}

impl Recording {
    pub fn read(name: &str) -> Self {
        let text = std::fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    pub fn case(&self, name: &str) -> &Case {
        self.cases.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no case {name:?}"))
    }
}

/// The names of all recordings.
pub fn names() -> Vec<String> {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let recordings = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    recordings.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/requests")
}
