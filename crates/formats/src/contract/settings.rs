//! Switches of this project that the AWS analyzer does not have. By default everything is as AWS does it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::JobContract;
use crate::error::Error;
use crate::named_enum::named_enum;

named_enum! {
    /// How the distance to the baseline is taken.
    #[derive(Default)]
    pub enum DriftRule {
        /// As the AWS analyzer does, with its quirks.
        #[default]
        Aws = "aws",
        /// By the definition of the distance.
        Exact = "exact",
    }
}

/// Switches of this project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools)] // independent switches, each named after its variable
pub struct Settings {
    /// `WATCHKEEPER_FLATTEN_JSON`: nested JSON becomes columns `parent.child` instead of a failure.
    pub flatten_json: bool,
    /// `WATCHKEEPER_MIXED_ENCODING`: input and output of a capture may have different encodings.
    pub mixed_encoding: bool,
    /// `WATCHKEEPER_LENIENT_TYPES`: Integral counts as Fractional, and anything as String.
    pub lenient_types: bool,
    /// `WATCHKEEPER_CHECK_NON_NEGATIVE`: `is_non_negative` is evaluated.
    pub check_non_negative: bool,
    /// `WATCHKEEPER_STRICT_KEY_ORDER`: integer keys of a preprocessor's rows sort as text.
    pub strict_key_order: bool,
    /// `WATCHKEEPER_DRIFT`: how the distance to the baseline is taken.
    pub drift: DriftRule,
    /// `WATCHKEEPER_SCRIPT_TIMEOUT_SECONDS`: how long a user's script may take for one batch of records.
    pub script_time_limit: Duration,
}

pub(super) const FLATTEN_JSON: &str = "WATCHKEEPER_FLATTEN_JSON";
pub(super) const MIXED_ENCODING: &str = "WATCHKEEPER_MIXED_ENCODING";
pub(super) const LENIENT_TYPES: &str = "WATCHKEEPER_LENIENT_TYPES";
pub(super) const CHECK_NON_NEGATIVE: &str = "WATCHKEEPER_CHECK_NON_NEGATIVE";
pub(super) const STRICT_KEY_ORDER: &str = "WATCHKEEPER_STRICT_KEY_ORDER";
pub(super) const DRIFT: &str = "WATCHKEEPER_DRIFT";
pub(super) const SCRIPT_TIMEOUT_SECONDS: &str = "WATCHKEEPER_SCRIPT_TIMEOUT_SECONDS";

/// Every variable of the settings.
pub(super) const NAMES: [&str; 7] =
    [FLATTEN_JSON, MIXED_ENCODING, LENIENT_TYPES, CHECK_NON_NEGATIVE, STRICT_KEY_ORDER, DRIFT, SCRIPT_TIMEOUT_SECONDS];

impl Default for Settings {
    fn default() -> Self {
        Self {
            flatten_json: false,
            mixed_encoding: false,
            lenient_types: false,
            check_non_negative: false,
            strict_key_order: false,
            drift: DriftRule::Aws,
            script_time_limit: Duration::from_mins(5),
        }
    }
}

impl Settings {
    /// The settings from the variables of a job; what is not set takes its default.
    pub fn from_contract(contract: &JobContract) -> Result<Self, Error> {
        let default = Self::default();
        let time_limit = contract.read(SCRIPT_TIMEOUT_SECONDS, "a number of seconds above 0", |value| {
            let seconds = value.parse().ok()?;
            Duration::try_from_secs_f64(seconds).ok().filter(|limit| !limit.is_zero())
        })?;
        Ok(Self {
            flatten_json: contract.flag(FLATTEN_JSON)?,
            mixed_encoding: contract.flag(MIXED_ENCODING)?,
            lenient_types: contract.flag(LENIENT_TYPES)?,
            check_non_negative: contract.flag(CHECK_NON_NEGATIVE)?,
            strict_key_order: contract.flag(STRICT_KEY_ORDER)?,
            drift: contract.word(DRIFT, "aws or exact")?.unwrap_or_default(),
            script_time_limit: time_limit.unwrap_or(default.script_time_limit),
        })
    }

    /// Adds the variables of all settings that differ from the default.
    pub(super) fn add_variables(&self, variables: &mut BTreeMap<String, String>) {
        let flags = [
            (FLATTEN_JSON, self.flatten_json),
            (MIXED_ENCODING, self.mixed_encoding),
            (LENIENT_TYPES, self.lenient_types),
            (CHECK_NON_NEGATIVE, self.check_non_negative),
            (STRICT_KEY_ORDER, self.strict_key_order),
        ];
        for (name, _) in flags.into_iter().filter(|(_, set)| *set) {
            variables.insert(name.to_owned(), "1".to_owned());
        }
        let default = Self::default();
        if self.drift != default.drift {
            variables.insert(DRIFT.to_owned(), self.drift.to_string());
        }
        if self.script_time_limit != default.script_time_limit {
            let seconds = self.script_time_limit.as_secs_f64();
            variables.insert(SCRIPT_TIMEOUT_SECONDS.to_owned(), seconds.to_string());
        }
    }
}
