//! Names and expressions of AWS that are checked once, where they enter, and are right from then on.
//!
//! Every type is read from text (`FromStr`), written as text (`Display`, serde) and says in its error what was wrong
//! with which text. None of them knows an operation, a clock or a store.

mod arn;
mod image_uri;
mod s3_uri;
mod schedule_expression;
#[cfg(feature = "schedules")]
mod ticks;
mod time_offset;

pub use arn::{Arn, ArnError, resource_arn};
pub use image_uri::{ImageUri, ImageUriError};
pub use s3_uri::{S3Uri, S3UriError};
pub use schedule_expression::{Extensions, ScheduleExpression, ScheduleExpressionError};
pub use time_offset::{TimeOffset, TimeOffsetError};

/// Serde of a type as its text, by `FromStr` and `Display`.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
use serde_as_text;

/// A text of a request as an error shows it: quoted, and not longer than a line.
fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    if text.chars().count() <= LONGEST {
        return format!("'{}'", text.escape_debug());
    }
    let start: String = text.chars().take(LONGEST).collect();
    format!("'{}...'", start.escape_debug())
}
