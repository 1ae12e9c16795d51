//! How bad a violation is, on one scale for all checks, so that the worst can come first.
//!
//! The measure is how much of the way from its limit to the worst possible value the observation has gone: 0 at the
//! limit, 1 when no value has the expected type, no record has a value, no value is in the domain, or two distributions
//! have nothing in common.
//!
//! - Shares (data type, completeness, categories; the limit is a minimum, the worst is 0): (limit - observed) / limit.
//! - Drift (the limit is a maximum, the worst is 1): (distance - limit) / (1 - limit). With one limit for all features
//!   that is the order of distance / limit; unlike that ratio it compares with a share, and with the chi-squared
//!   distance, whose limit is near 1.
//! - A wrong number of columns comes before everything: nothing else was checked.
//! - Checks of other kinds have no measure and come last. Equally bad ones stay in the document's order.
//!
//! Observed value and limit are read from the description, whose wording is a contract that others parse too: so a file
//! written by AWS ranks as well as one of ours.

use std::cmp::Ordering;

use watchkeeper_formats::{CheckType, MonitoringConfig, Violation};

/// What a violation's description says. Limits and observed shares are 0 to 1.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // a limit, what was seen, and names that the variants' comments explain
pub enum Finding {
    /// The number of columns is wrong.
    Columns { current: u64, baseline: u64 },
    /// Too few values have the type.
    DataType { expected: String, limit: f64, observed: f64 },
    /// Too few records have a value.
    Completeness { limit: f64, observed: f64 },
    /// Too few values are in the domain; the limit is in the settings alone.
    Categories { limit: f64, observed: f64 },
    /// The distributions are too far apart.
    Drift { limit: f64, distance: f64 },
    /// A check of another kind, or another wording.
    Other,
}

impl Finding {
    /// Reads a violation of a feature with these settings.
    pub fn of(violation: &Violation, config: &MonitoringConfig) -> Self {
        let text = violation.description.as_str();
        let number = |before, after| between(text, before, after).and_then(|number| number.parse::<f64>().ok());
        let count = |before, after| between(text, before, after).and_then(|number| number.parse::<u64>().ok());
        let percent = |before, after| number(before, after).map(|percent| percent / 100.0);
        let finding = match violation.constraint_check_type {
            CheckType::MissingColumn | CheckType::ExtraColumn => count("in current dataset: ", ",")
                .zip(count("in baseline constraints: ", ""))
                .map(|(current, baseline)| Self::Columns { current, baseline }),
            CheckType::DataType => between(text, "Expected data type: ", ",")
                .zip(percent("Expected match: ", "%").zip(percent("Only ", "%")))
                .map(|(expected, (limit, observed))| Self::DataType { expected: expected.to_owned(), limit, observed }),
            CheckType::Completeness => percent("Expected: ", "%")
                .zip(percent("Only ", "%"))
                .map(|(limit, observed)| Self::Completeness { limit, observed }),
            CheckType::CategoricalValues => number("Value: ", " ")
                .map(|observed| Self::Categories { limit: config.domain_content_threshold, observed }),
            CheckType::BaselineDrift => number("distance: ", " ")
                .zip(number("threshold: ", ""))
                .map(|(distance, limit)| Self::Drift { limit, distance }),
            CheckType::Other(_) => None,
        };
        finding.unwrap_or(Self::Other)
    }

    /// How much of the way from its limit to the worst possible value the observation has gone, 0 to 1; `None` for a
    /// check of another kind.
    pub fn severity(&self) -> Option<f64> {
        let severity = match *self {
            Self::DataType { limit, observed, .. }
            | Self::Completeness { limit, observed }
            | Self::Categories { limit, observed } => (limit - observed) / limit,
            Self::Drift { limit, distance } if limit < 1.0 => (distance - limit) / (1.0 - limit),
            Self::Columns { .. } | Self::Drift { .. } => 1.0,
            Self::Other => return None,
        };
        (!severity.is_nan()).then_some(severity.clamp(0.0, 1.0))
    }

    /// Worst first: a wrong number of columns, then by [`Self::severity`], last what has none.
    pub fn compare(&self, other: &Self) -> Ordering {
        let rank = |finding: &Self| match finding {
            Self::Columns { .. } => f64::INFINITY,
            _ => finding.severity().unwrap_or(f64::NEG_INFINITY),
        };
        rank(other).total_cmp(&rank(self))
    }
}

/// The text after `before` up to `after`, or to the end when that is empty.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    if after.is_empty() { Some(rest.trim_end()) } else { rest.split_once(after).map(|(found, _)| found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Descriptions that AWS has written.
    #[test]
    fn descriptions_of_aws_are_read() {
        let cases = [
            (
                CheckType::DataType,
                "Data type match requirement is not met. Expected data type: Integral, Expected match: 100.0%. \
                 Observed: Only 75.0% of data is Integral.",
                Finding::DataType { expected: "Integral".to_owned(), limit: 1.0, observed: 0.75 },
                Some(0.25),
            ),
            (
                CheckType::Completeness,
                "Data completeness requirement is not met. Expected: 100.0%. Observed: Only 25.0%.",
                Finding::Completeness { limit: 1.0, observed: 0.25 },
                Some(0.75),
            ),
            (
                CheckType::BaselineDrift,
                "Baseline drift distance: 0.775 exceeds threshold: 0.1",
                Finding::Drift { limit: 0.1, distance: 0.775 },
                Some(0.75),
            ),
            (
                CheckType::CategoricalValues,
                "Value: 0.5 does not meet the constraint requirement! ",
                Finding::Categories { limit: 1.0, observed: 0.5 },
                Some(0.5),
            ),
            (
                CheckType::MissingColumn,
                "There are missing columns in current dataset. Number of columns in current dataset: 69, Number of \
                 columns in baseline constraints: 70",
                Finding::Columns { current: 69, baseline: 70 },
                Some(1.0),
            ),
            (CheckType::BaselineDrift, "far away", Finding::Other, None),
        ];
        for (constraint_check_type, description, expected, severity) in cases {
            let violation = Violation {
                feature_name: "feature".to_owned(),
                constraint_check_type,
                description: description.to_owned(),
            };
            let finding = Finding::of(&violation, &MonitoringConfig::default());
            assert_eq!(finding, expected);
            match (finding.severity(), severity) {
                (Some(own), Some(expected)) => assert!((own - expected).abs() < 1e-12, "{own} {expected}"),
                (own, expected) => assert_eq!(own, expected),
            }
        }
    }
}
