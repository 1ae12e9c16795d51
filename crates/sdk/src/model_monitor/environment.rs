//! The environment variables that tell a job what it is to do.

use std::collections::BTreeMap;

/// Environment variables of a job: the user's, and over them those that the monitor sets.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// What the user sets.
    pub(crate) fn new(env: Option<&BTreeMap<String, String>>) -> Self {
        Self { variables: env.cloned().unwrap_or_default() }
    }

    /// Sets a variable when there is a value for it.
    #[must_use]
    pub(crate) fn set(mut self, name: &str, value: Option<impl Into<String>>) -> Self {
        if let Some(value) = value {
            self.variables.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Whether metrics are published.
    #[must_use]
    pub(crate) fn publish_cloudwatch_metrics(self, is_enabled: Option<bool>) -> Self {
        let word = is_enabled.map(|is_enabled| if is_enabled { "Enabled" } else { "Disabled" });
        self.set("publish_cloudwatch_metrics", word)
    }

    /// All of them.
    pub(crate) fn into_variables(self) -> BTreeMap<String, String> {
        self.variables
    }
}
