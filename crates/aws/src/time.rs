//! A moment as the services write it.

use std::fmt;

use jiff::Timestamp;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment. In JSON a number of seconds since 1970 with milliseconds as its fraction; whole seconds and ISO 8601 texts
/// are read as well. What is finer than a millisecond is lost in writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub Timestamp);

impl Time {
    /// The moment so many seconds after 1970, rounded to milliseconds; none outside the years -9999 to 9999.
    pub fn from_epoch_seconds(seconds: f64) -> Option<Self> {
        let milliseconds = (seconds * 1000.0).round();
        // Beyond this a double is no whole number of milliseconds, and no year either.
        if milliseconds.is_nan() || milliseconds.abs() >= 1e15 {
            return None;
        }
        Timestamp::from_millisecond(milliseconds as i64).ok().map(Self)
    }

    /// Seconds since 1970, milliseconds as the fraction.
    pub fn epoch_seconds(self) -> f64 {
        self.0.as_millisecond() as f64 / 1000.0
    }

    /// Reads an ISO 8601 text, with or without a zone (UTC then), or a number of seconds.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(timestamp) = text.parse::<Timestamp>() {
            return Some(Self(timestamp));
        }
        if let Ok(civil) = text.parse::<jiff::civil::DateTime>() {
            return civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| Self(zoned.timestamp()));
        }
        text.parse::<f64>().ok().and_then(Self::from_epoch_seconds)
    }
}

impl From<Timestamp> for Time {
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp)
    }
}

impl TryFrom<std::time::SystemTime> for Time {
    type Error = jiff::Error;

    fn try_from(time: std::time::SystemTime) -> Result<Self, jiff::Error> {
        Timestamp::try_from(time).map(Self)
    }
}

impl From<Time> for std::time::SystemTime {
    fn from(time: Time) -> Self {
        time.0.into()
    }
}

impl From<Time> for Timestamp {
    fn from(time: Time) -> Self {
        time.0
    }
}

/// ISO 8601 in UTC, to the millisecond where there are any: `2026-01-31T23:59:59Z`.
impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = Timestamp::from_millisecond(self.0.as_millisecond()).unwrap_or(self.0);
        milliseconds.fmt(formatter)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.epoch_seconds())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeVisitor)
    }
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number of seconds since 1970 or an ISO 8601 text")
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Time, E> {
        Timestamp::from_second(seconds).map(Time).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Time, E> {
        let seconds = i64::try_from(seconds).map_err(E::custom)?;
        self.visit_i64(seconds)
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Time, E> {
        Time::from_epoch_seconds(seconds).ok_or_else(|| E::custom(format_args!("no moment has {seconds} seconds")))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
        Time::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}
