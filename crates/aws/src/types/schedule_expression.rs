//! The text that says when a schedule runs; when it runs is in `ticks`.
//!
//! AWS takes few forms here: hourly, daily at an hour, every so many hours from an hour, and once. Those are a set of
//! hours of the day. The extensions (minutes, every six-field cron expression, `rate(...)`) are read only where the
//! configuration allows them, so that a script which works here also works on AWS by default.
//!
//! Without the feature `schedules` a cron expression is checked field by field, but not by the parser of such expressions.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

#[cfg(feature = "schedules")]
use super::ticks::Cron;
use super::{serde_as_text, shown};

/// What is read beyond the forms of AWS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// Minutes other than 0, every six-field cron expression, and `rate(...)`
    /// (setting `scheduler.extended_expressions`).
    pub minutes: bool,
}

/// A schedule's expression; [`as_str`](Self::as_str) gives the text exactly as it came.
///
/// `FromStr` and serde read the extensions too: they are for texts that were accepted once. What a request brings goes
/// through [`parse`](Self::parse).
#[derive(Clone, Debug)]
pub struct ScheduleExpression {
    text: String,
    pub(super) form: Form,
}

#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "schedules"), expect(dead_code, reason = "what is in it is read where ticks are looked for"))]
pub(super) enum Form {
    /// `NOW`: one run, at once.
    Now,
    /// On the hour, at the hours of the day whose bits are set.
    Hours { hours: u32, period: i64 },
    /// Every so many seconds, counted from 1970-01-01.
    Rate { seconds: i64 },
    /// Any other cron expression.
    Cron {
        #[cfg(feature = "schedules")]
        cron: Box<Cron>,
    },
}

/// Why an expression is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleExpressionError {
    /// None of AWS's forms, and the extensions are off or it is none of them either.
    #[error(
        "invalid schedule expression {0}: it must be cron(0 * ? * * *) for hourly, cron(0 H ? * * *) for daily at hour H, \
         cron(0 S/X ? * * *) for every X hours from hour S, or NOW; other minutes, other cron expressions and rate(...) \
         need the setting scheduler.extended_expressions (WATCHKEEPER_SCHEDULER_EXTENDED_EXPRESSIONS)"
    )]
    NotOfAws(String),
    /// The extensions are on, and it is not readable all the same.
    #[error("invalid schedule expression {text}: {reason}")]
    Unreadable {
        /// The expression.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

pub(super) const HOUR: i64 = 3600;
pub(super) const DAY: i64 = 24 * HOUR;
/// AWS's limit of the expression's length.
const LONGEST: usize = 256;
impl ScheduleExpression {
    /// Reads what a request brought.
    ///
    /// # Errors
    /// The text is none of AWS's forms nor, where allowed, one of the extensions; the message names the setting that
    /// allows them.
    pub fn parse(text: &str, extensions: Extensions) -> Result<Self, ScheduleExpressionError> {
        let form = if text == "NOW" {
            Form::Now
        } else if let Some(form) = hours(text) {
            form
        } else if !extensions.minutes {
            return Err(ScheduleExpressionError::NotOfAws(shown(text)));
        } else {
            extended(text).map_err(|reason| ScheduleExpressionError::Unreadable { text: shown(text), reason })?
        };
        Ok(Self { text: text.to_owned(), form })
    }

    /// The text as it came.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether this is `NOW`: one run, and no ticks.
    pub fn is_now(&self) -> bool {
        matches!(self.form, Form::Now)
    }
}

/// AWS's forms: minute 0, every day, and a set of hours.
fn hours(text: &str) -> Option<Form> {
    let fields: Vec<&str> = text.strip_prefix("cron(")?.strip_suffix(')')?.split(' ').collect();
    let [minute, hour, days @ ..] = fields.as_slice() else { return None };
    if *minute != "0" || !matches!(days, ["?", "*", "*", "*"] | ["*", "*", "?", "*"]) {
        return None;
    }
    if *hour == "*" {
        return Some(Form::Hours { hours: (1 << 24) - 1, period: HOUR });
    }
    let (start, step) = match hour.split_once('/') {
        Some((start, step)) => (start, one_or_two_digits(step).filter(|step| (1..=24).contains(step))?),
        None => (*hour, 24),
    };
    let start = one_or_two_digits(start).filter(|start| *start < 24)?;
    let hours = (start..24).step_by(step as usize).fold(0, |hours, hour| hours | 1 << hour);
    Some(Form::Hours { hours, period: i64::from(step) * HOUR })
}

fn one_or_two_digits(text: &str) -> Option<u32> {
    (matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// The extensions.
fn extended(text: &str) -> Result<Form, String> {
    if text.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let inside = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(rate) = inside("rate") {
        return rate_of(rate).map(|seconds| Form::Rate { seconds });
    }
    let Some(fields) = inside("cron") else {
        return Err("it must be cron(...) with six fields, rate(...), or NOW".to_owned());
    };
    cron_of(&pattern_of(fields)?)
}

#[cfg(feature = "schedules")]
fn cron_of(pattern: &str) -> Result<Form, String> {
    Ok(Form::Cron { cron: Box::new(Cron::parse(pattern)?) })
}

#[cfg(not(feature = "schedules"))]
#[allow(clippy::unnecessary_wraps, reason = "the parser refuses some")]
fn cron_of(_pattern: &str) -> Result<Form, String> {
    Ok(Form::Cron {})
}

/// Seconds of `5 minutes`, `1 hour`, `30 seconds`, `1 day`.
fn rate_of(text: &str) -> Result<i64, String> {
    const FORM: &str = "a rate is a whole number and second(s), minute(s), hour(s) or day(s), such as rate(5 minutes)";
    /// A year, so that every rate ticks in a lifetime.
    const MOST: i64 = 366 * DAY;
    let (number, unit) = text.split_once(' ').ok_or(FORM)?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FORM.to_owned());
    }
    let seconds = match unit.strip_suffix('s').unwrap_or(unit) {
        "second" => 1,
        "minute" => 60,
        "hour" => HOUR,
        "day" => DAY,
        _ => return Err(FORM.to_owned()),
    };
    let number: i64 = number.parse().map_err(|_| "the rate is longer than 366 days")?;
    if (number == 1) == unit.ends_with('s') {
        return Err("the unit of a rate is singular after 1 and plural after any other number".to_owned());
    }
    match number.checked_mul(seconds) {
        Some(0) => Err("a rate is at least one second".to_owned()),
        Some(total) if total <= MOST => Ok(total),
        _ => Err("the rate is longer than 366 days".to_owned()),
    }
}

/// AWS's six fields (minutes, hours, day of month, month, day of week, year) in the terms of the parser.
fn pattern_of(text: &str) -> Result<String, String> {
    let fields: Vec<&str> = text.split(' ').collect();
    let [minute, hour, day_of_month, month, day_of_week, year] = fields.as_slice() else {
        return Err(
            "cron(...) has six fields with one blank between: minute, hour, day of month, month, day of week, year"
                .to_owned(),
        );
    };
    let named = [
        ("minute", minute, 0..=59, "*,-/"),
        ("hour", hour, 0..=23, "*,-/"),
        ("day of month", day_of_month, 1..=31, "*,-/?LW"),
        ("month", month, 1..=12, "*,-/"),
        ("day of week", day_of_week, 1..=7, "*,-/?L#"),
        ("year", year, 1970..=2199, "*,-/"),
    ];
    let mut pattern = String::from("0");
    for (name, field, range, signs) in named {
        let field = field.to_ascii_uppercase();
        // Names hold any letter (JUL, WED); what is no name is the parser's to refuse.
        let has_names = matches!(name, "month" | "day of week");
        let allowed = |c: char| c.is_ascii_digit() || signs.contains(c) || (has_names && c.is_ascii_uppercase());
        if field.is_empty() || !field.chars().all(allowed) {
            return Err(format!("the {name} field {} holds something that is not allowed there", shown(&field)));
        }
        // The parser would take it for nothing, and a field of such places for no time at all, which is then looked for until
        // the years are over.
        if field.split(',').any(str::is_empty) {
            return Err(format!("the {name} field {} has a list with an empty place", shown(&field)));
        }
        if field.contains('?') && field != "?" {
            return Err(format!("the '?' of the {name} field must stand alone"));
        }
        let field = if name == "year" { years(&field, &range)? } else { unwrapped(&field, name, &range) };
        pattern.push(' ');
        pattern.push_str(&field);
    }
    if (*day_of_month == "?") == (*day_of_week == "?") {
        return Err("exactly one of day of month and day of week must be '?'".to_owned());
    }
    Ok(pattern)
}

/// The field in the terms of the parser: ranges that pass the end of their field (`SAT-MON`, `22-2`) are cut in two.
fn unwrapped(field: &str, name: &str, range: &RangeInclusive<u32>) -> String {
    let cut = |item: &str| -> Option<String> {
        let (from, to) = item.split_once('-')?;
        let (from, to) = (value(from, name)?, value(to, name)?);
        (from > to && range.contains(&from) && range.contains(&to))
            .then(|| format!("{from}-{},{}-{to}", range.end(), range.start()))
    };
    field.split(',').map(|item| cut(item).unwrap_or_else(|| item.to_owned())).collect::<Vec<_>>().join(",")
}

/// The year field with its open ends closed, so that no search leaves AWS's years.
fn years(field: &str, range: &RangeInclusive<u32>) -> Result<String, String> {
    let closed = |item: &str| -> Option<String> {
        let (years, step) = item.split_once('/').map_or((item, None), |(years, step)| (years, Some(step)));
        let known = |text: &str| text.parse().ok().filter(|year| range.contains(year));
        let (from, to) = match years.split_once('-') {
            Some((from, to)) => (known(from)?, known(to)?),
            None if years == "*" => (*range.start(), *range.end()),
            None => (known(years)?, if step.is_some() { *range.end() } else { known(years)? }),
        };
        let step: u32 = step.map_or(Some(1), |step| step.parse().ok().filter(|step| *step > 0))?;
        let years: Vec<String> = (from..=to).step_by(step as usize).map(|year| year.to_string()).collect();
        (!years.is_empty()).then(|| if step == 1 { format!("{from}-{to}") } else { years.join(",") })
    };
    let items: Option<Vec<String>> = field.split(',').map(closed).collect();
    items.map(|items| items.join(",")).ok_or_else(|| {
        format!(
            "the year field {} holds something else than years from {} to {}",
            shown(field),
            range.start(),
            range.end()
        )
    })
}

/// The number of a value of a field, which may be the name of a month or a weekday.
fn value(text: &str, field: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    let names: &[&str] = match field {
        "month" => &MONTHS,
        "day of week" => &WEEKDAYS,
        _ => &[],
    };
    match names.iter().position(|name| *name == text) {
        Some(position) => u32::try_from(position + 1).ok(),
        None => text.parse().ok(),
    }
}

impl FromStr for ScheduleExpression {
    type Err = ScheduleExpressionError;

    fn from_str(text: &str) -> Result<Self, ScheduleExpressionError> {
        Self::parse(text, Extensions { minutes: true })
    }
}

impl PartialEq for ScheduleExpression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for ScheduleExpression {}

impl fmt::Display for ScheduleExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

serde_as_text!(ScheduleExpression);
