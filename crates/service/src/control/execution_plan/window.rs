//! Which span of time a tick looks at.

use jiff::{SignedDuration, Timestamp};
use watchkeeper_aws::Time;
use watchkeeper_aws::generated::sagemaker::ScheduleConfig;
use watchkeeper_aws::types::{ScheduleExpression, TimeOffset};

use super::definition::MonitoredInput;
use crate::control::execution::Window;

pub(super) const HOUR: i64 = 3600;

/// Why there is no window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// An offset cannot be read.
    #[error("{member} of the monitoring input or schedule: {reason}")]
    Offset {
        /// The member.
        member: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The window ends before it starts.
    #[error(
        "the window of the tick {tick} would start at {start} and end at {end}: the start must be before the end, correct \
         StartTimeOffset and EndTimeOffset (or DataAnalysisStartTime and DataAnalysisEndTime)"
    )]
    Empty {
        /// The tick.
        tick: Time,
        /// Its start.
        start: Time,
        /// Its end.
        end: Time,
    },
}

/// The window of a tick: from the tick before to the tick, or what the offsets of the input, or for `NOW` those of the
/// schedule, make of it. An end whose offset is not given keeps its default. Windows are whole seconds, as the analyzer is
/// told them so: the start is rounded down, the end up.
pub fn window(
    tick: Timestamp,
    expression: &ScheduleExpression,
    schedule: Option<&ScheduleConfig>,
    input: &MonitoredInput,
) -> Result<Window, WindowError> {
    let of_schedule = schedule.filter(|_| expression.is_now());
    let (start, end) = match of_schedule {
        Some(schedule) => (
            ("DataAnalysisStartTime", schedule.data_analysis_start_time.as_deref()),
            ("DataAnalysisEndTime", schedule.data_analysis_end_time.as_deref()),
        ),
        None => (("StartTimeOffset", input.start_offset.as_deref()), ("EndTimeOffset", input.end_offset.as_deref())),
    };
    let start = shifted(tick, start)?.unwrap_or_else(|| expression.window_start(tick));
    let end = shifted(tick, end)?.unwrap_or(tick);
    whole_seconds(tick, start, end)
}

/// A window in whole seconds.
pub fn whole_seconds(tick: Timestamp, start: Timestamp, end: Timestamp) -> Result<Window, WindowError> {
    let floor = |moment: Timestamp| moment.as_second() - i64::from(moment.subsec_nanosecond() < 0);
    let ceiling = |moment: Timestamp| moment.as_second() + i64::from(moment.subsec_nanosecond() > 0);
    let second = |second| Timestamp::from_second(second).unwrap_or(tick);
    let window = Window { start: Time(second(floor(start))), end: Time(second(ceiling(end))) };
    if window.start < window.end {
        Ok(window)
    } else {
        Err(WindowError::Empty { tick: Time(tick), start: window.start, end: window.end })
    }
}

/// The moment an offset away from the tick. A missing sign means the past all the same.
fn shifted(tick: Timestamp, (member, offset): (&'static str, Option<&str>)) -> Result<Option<Timestamp>, WindowError> {
    let Some(offset) = offset else { return Ok(None) };
    let offset: TimeOffset = offset.parse().map_err(|reason: watchkeeper_aws::types::TimeOffsetError| {
        WindowError::Offset { member, reason: reason.to_string() }
    })?;
    let back = SignedDuration::from_secs(-offset.duration().as_secs().saturating_abs());
    Ok(Some(tick.saturating_add(back).unwrap_or(tick)))
}

/// The hours that a window touches, by their first moments.
pub fn hours(window: Window) -> impl Iterator<Item = Timestamp> + Clone {
    let first = window.start.0.as_second().div_euclid(HOUR);
    let last = (window.end.0.as_second() - 1).div_euclid(HOUR);
    (first..=last).filter_map(|hour| Timestamp::from_second(hour * HOUR).ok())
}
