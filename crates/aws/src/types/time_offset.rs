//! Signed durations, as offsets of a window's ends.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use super::{serde_as_text, shown};

/// An ISO 8601 duration with an optional sign: `-PT1H`, `-P3D`, `-P1DT12H`, `-PT0H`, `PT15M`.
///
/// Days are 24 hours and weeks seven days, as all time here is UTC. Years and months are refused: they have no length.
#[derive(Clone, Debug)]
pub struct TimeOffset {
    text: String,
    duration: SignedDuration,
}

/// Why a text is no offset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} is not an ISO 8601 duration such as -PT1H or -P1D: {reason}")]
pub struct TimeOffsetError {
    text: String,
    reason: &'static str,
}

impl TimeOffset {
    /// The text as it came.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The length with its sign.
    pub fn duration(&self) -> SignedDuration {
        self.duration
    }

    /// The moment this far from another: earlier for `-PT1H`. Stops at the ends of what a timestamp can hold.
    #[must_use]
    pub fn after(&self, moment: Timestamp) -> Timestamp {
        moment.saturating_add(self.duration).unwrap_or(moment)
    }
}

impl FromStr for TimeOffset {
    type Err = TimeOffsetError;

    fn from_str(text: &str) -> Result<Self, TimeOffsetError> {
        match seconds(text) {
            Ok(seconds) => Ok(Self { text: text.to_owned(), duration: SignedDuration::from_secs(seconds) }),
            Err(reason) => Err(TimeOffsetError { text: shown(text), reason }),
        }
    }
}

fn seconds(text: &str) -> Result<i64, &'static str> {
    let (sign, rest) = match text.as_bytes().first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    };
    let rest = rest.strip_prefix('P').ok_or("it has no 'P' at its start")?;
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return Err("nothing follows its 'T'"),
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    if date.is_empty() && time.is_empty() {
        return Err("nothing follows its 'P'");
    }
    let total = sum(date, &[('W', 604_800), ('D', 86_400)])
        .and_then(|days| Ok((days, sum(time, &[('H', 3600), ('M', 60), ('S', 1)])?)))
        .and_then(|(days, seconds)| days.checked_add(seconds).ok_or("it is too long"))?;
    Ok(sign * total)
}

/// The sum of `<digits><unit>` parts; every unit at most once, in the given order.
fn sum(mut text: &str, units: &[(char, i64)]) -> Result<i64, &'static str> {
    /// A thousand years: longer than any window, and far from what overflows.
    const MOST_SECONDS: i64 = 1000 * 366 * 86_400;
    let mut total = 0_i64;
    let mut units = units.iter();
    while !text.is_empty() {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let unit = text[digits..].chars().next().ok_or("a number has no unit")?;
        let seconds = units
            .find(|(name, _)| *name == unit)
            .map(|(_, seconds)| *seconds)
            .ok_or("units are whole weeks, days, hours, minutes and seconds, each once and in this order")?;
        if digits == 0 {
            return Err("a unit has no number");
        }
        let number: i64 = text[..digits].parse().map_err(|_| "it is too long")?;
        total = number
            .checked_mul(seconds)
            .and_then(|part| part.checked_add(total))
            .filter(|total| *total <= MOST_SECONDS)
            .ok_or("it is too long")?;
        text = &text[digits + unit.len_utf8()..];
    }
    Ok(total)
}

impl PartialEq for TimeOffset {
    fn eq(&self, other: &Self) -> bool {
        self.duration == other.duration
    }
}

impl Eq for TimeOffset {}

impl fmt::Display for TimeOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

serde_as_text!(TimeOffset);
