//! Where labels and scores are in JSON answers: `JMESPath`.
//!
//! The paths that nearly everybody writes, `score`, `predictions[*].score`, `[0]`, are followed over the parsed answer as it is; only what
//! is more than that goes to the library, which wants trees of its own.

use serde_json::Value;
use watchkeeper_data::table::compile_path;

/// A path into an answer.
#[derive(Clone, Debug)]
pub(super) struct Path {
    text: String,
    /// None where the library is needed. The library's compiled form cannot be shared by threads, and is made anew for each answer.
    steps: Option<Vec<Step>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    /// An element, from the end where negative.
    Element(i64),
    /// Each element of an array.
    Each,
}

impl Path {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        compile_path(text).map_err(|problem| format!("{text:?} is no JMESPath: {problem}"))?;
        Ok(Self { text: text.to_owned(), steps: simple_steps(text) })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// What is there; null where nothing is.
    pub(super) fn find(&self, value: &Value) -> Result<Value, String> {
        if let Some(steps) = &self.steps {
            return Ok(follow(value, steps));
        }
        let failed = |error: &dyn std::fmt::Display| format!("the path {:?} cannot be followed: {error}", self.text);
        let expression = compile_path(&self.text).map_err(|error| failed(&error))?;
        let found = expression.search(value).map_err(|error| failed(&error))?;
        serde_json::to_value(&*found).map_err(|error| failed(&error))
    }
}

fn follow(value: &Value, steps: &[Step]) -> Value {
    let mut value = value;
    for (place, step) in steps.iter().enumerate() {
        let next = match step {
            Step::Member(name) => value.get(name),
            Step::Element(index) => value.as_array().and_then(|elements| {
                let index = if *index < 0 { index + elements.len() as i64 } else { *index };
                usize::try_from(index).ok().and_then(|index| elements.get(index))
            }),
            Step::Each => {
                let Some(elements) = value.as_array() else { return Value::Null };
                let found = elements.iter().map(|element| follow(element, &steps[place + 1..]));
                // A projection leaves out what is null.
                return Value::Array(found.filter(|found| !found.is_null()).collect());
            }
        };
        let Some(next) = next else { return Value::Null };
        value = next;
    }
    value.clone()
}

/// The steps of a path of names, indices and `[*]`; None for any other.
fn simple_steps(text: &str) -> Option<Vec<Step>> {
    let (mut steps, mut rest) = (Vec::new(), text.trim());
    let is_first_of_name = |character: char| character.is_ascii_alphabetic() || character == '_';
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (index, behind) = inner.split_once(']')?;
            steps.push(if index == "*" { Step::Each } else { Step::Element(index.parse().ok()?) });
            rest = behind;
            continue;
        }
        let name = if steps.is_empty() { rest } else { rest.strip_prefix('.')? };
        if !name.starts_with(is_first_of_name) {
            return None;
        }
        let end =
            name.find(|character: char| !character.is_ascii_alphanumeric() && character != '_').unwrap_or(name.len());
        steps.push(Step::Member(name[..end].to_owned()));
        rest = &name[end..];
    }
    (!steps.is_empty()).then_some(steps)
}
