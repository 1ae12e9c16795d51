//! Reading single variables. An empty value is the same as none: services and shells set variables to nothing when
//! they have nothing to say.

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::Timestamp;

use super::{JOB_ROOT, JobContract};
use crate::error::Error;

impl JobContract {
    /// The value of a variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a variable that must be there.
    pub(super) fn required(&self, name: &'static str, expected: &'static str) -> Result<&str, Error> {
        self.variable(name).ok_or(Error::MissingVariable { name, expected })
    }

    /// A variable read by `read`, whose error becomes one that names the variable.
    pub(super) fn read<T>(
        &self,
        name: &'static str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.variable(name) else { return Ok(None) };
        let refusal = || Error::Variable { name, value: value.to_owned(), expected: expected.to_owned() };
        read(value.trim()).map(Some).ok_or_else(refusal)
    }

    /// A word of a fixed set, in any letter case.
    pub(super) fn word<T: FromStr>(&self, name: &'static str, expected: &str) -> Result<Option<T>, Error> {
        self.read(name, expected, |value| value.parse().ok())
    }

    /// A time such as `2020-02-19T06:00:00Z`.
    pub(super) fn time(&self, name: &'static str) -> Result<Option<Timestamp>, Error> {
        self.read(name, "a time such as 2020-02-19T06:00:00Z", |value| value.parse().ok())
    }

    /// A switch of this project: `1`, `0`, `true` or `false`; off when not set.
    pub(super) fn flag(&self, name: &'static str) -> Result<bool, Error> {
        let flag = self.read(name, "1, 0, true or false", |value| match value.to_ascii_lowercase().as_str() {
            "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        })?;
        Ok(flag.unwrap_or(false))
    }

    /// The variables as user scripts see them: they open the paths they find, so `paths` must be those of this machine.
    pub(super) fn variables_of_scripts(&self, paths: &[&str]) -> BTreeMap<String, String> {
        let mut variables = self.variables.clone();
        variables.remove(JOB_ROOT);
        for name in paths {
            if let Some(value) = self.variable(name) {
                variables.insert((*name).to_owned(), self.path(value).display().to_string());
            }
        }
        variables
    }
}
