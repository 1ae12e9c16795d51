//! When a schedule runs.
//!
//! AWS's own forms are walked as a set of hours, the extensions by division or by the parser of cron expressions.
//! All of it is UTC, pure, and ends soon: a search looks at one day, does one division, or is bounded by the years
//! 1970 to 2199 of AWS's own syntax.

use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::schedule_expression::{DAY, Form, HOUR, ScheduleExpression};

/// First and last second of the years in AWS's cron syntax, 1970 to 2199.
const FIRST_SECOND: i64 = 0;
const LAST_SECOND: i64 = 7_258_118_399;

/// A cron expression with the shortest distance of two of its ticks.
#[derive(Clone, Debug)]
pub(super) struct Cron {
    cron: croner::Cron,
    period: i64,
}

impl Cron {
    /// Reads a pattern of seven fields, seconds first.
    pub(super) fn parse(pattern: &str) -> Result<Self, String> {
        let parser = CronParser::builder()
            .seconds(Seconds::Required)
            .year(Year::Required)
            .alternative_weekdays(true)
            .sloppy_ranges(true)
            .build();
        let cron = parser.parse(pattern).map_err(|error| lower_case_start(&error.to_string()))?;
        let period = shortest_distance(&cron);
        Ok(Self { cron, period })
    }
}

impl ScheduleExpression {
    /// The first tick later than `moment`; none for `NOW` and when the years of the expression are over.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let second = floor_to_second(moment);
        match &self.form {
            Form::Now => None,
            Form::Hours { hours, .. } => {
                let first = second.div_euclid(HOUR) + 1;
                (first..first + 24).find(|hour| is_set(*hours, *hour)).and_then(|hour| timestamp(hour * HOUR))
            }
            Form::Rate { seconds } => timestamp((second.div_euclid(*seconds) + 1) * seconds),
            Form::Cron { cron } => next_of_cron(&cron.cron, second),
        }
    }

    /// The last tick earlier than `moment`; none for `NOW` and before the first year of the expression.
    pub fn previous_before(&self, moment: Timestamp) -> Option<Timestamp> {
        // Ticks are whole seconds, so "before 12:00:00.5" is "before 12:00:01".
        let second = floor_to_second(moment) + i64::from(has_fraction(moment));
        match &self.form {
            Form::Now => None,
            Form::Hours { hours, .. } => {
                let last = (second - 1).div_euclid(HOUR);
                (last - 23..=last).rev().find(|hour| is_set(*hours, *hour)).and_then(|hour| timestamp(hour * HOUR))
            }
            Form::Rate { seconds } => timestamp((second - 1).div_euclid(*seconds) * seconds),
            Form::Cron { cron } => previous_of_cron(&cron.cron, second),
        }
    }

    /// The distance between ticks: an hour, X hours, a day, the rate. Where distances differ (a cron expression beyond
    /// AWS's forms) the shortest one; zero for `NOW`. X hours also holds for the first tick of a day, which follows the
    /// last one of the day before by less when 24 is no multiple of X.
    pub fn period(&self) -> SignedDuration {
        SignedDuration::from_secs(match &self.form {
            Form::Now => 0,
            Form::Hours { period, .. } => *period,
            Form::Cron { cron } => cron.period,
            Form::Rate { seconds } => *seconds,
        })
    }

    /// Where the window that ends at a tick begins: one period before it, or at the previous tick where distances
    /// differ.
    pub fn window_start(&self, tick: Timestamp) -> Timestamp {
        let previous = match &self.form {
            Form::Cron { .. } => self.previous_before(tick),
            _ => None,
        };
        previous.or_else(|| tick.checked_sub(self.period()).ok()).unwrap_or(tick)
    }
}

fn lower_case_start(text: &str) -> String {
    let mut characters = text.trim_end_matches('.').chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

/// The shortest distance between two ticks among the first of a leap year's; a day for expressions with fewer than two.
fn shortest_distance(cron: &croner::Cron) -> i64 {
    /// 2024-01-01: a leap year that begins on a Monday.
    const START: i64 = 1_704_067_200;
    const TICKS: usize = 400;
    let mut shortest = i64::MAX;
    let mut last: Option<i64> = None;
    for _ in 0..TICKS {
        let Some(tick) = next_of_cron(cron, last.unwrap_or(START - 1)) else { break };
        let tick = tick.as_second();
        if let Some(last) = last {
            shortest = shortest.min(tick - last);
        }
        last = Some(tick);
    }
    if shortest == i64::MAX { DAY } else { shortest }
}

fn next_of_cron(cron: &croner::Cron, second: i64) -> Option<Timestamp> {
    let from = timestamp(second.max(FIRST_SECOND - 1)).filter(|from| from.as_second() < LAST_SECOND)?;
    let tick = cron.find_next_occurrence(&from.to_zoned(TimeZone::UTC), false).ok()?.timestamp();
    (tick.as_second() <= LAST_SECOND).then_some(tick)
}

fn previous_of_cron(cron: &croner::Cron, second: i64) -> Option<Timestamp> {
    let from = timestamp(second.min(LAST_SECOND + 1)).filter(|from| from.as_second() > FIRST_SECOND)?;
    let tick = cron.find_previous_occurrence(&from.to_zoned(TimeZone::UTC), false).ok()?.timestamp();
    (tick.as_second() >= FIRST_SECOND).then_some(tick)
}

fn is_set(hours: u32, hour: i64) -> bool {
    hours & (1 << hour.rem_euclid(24)) != 0
}

fn timestamp(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}

/// The second the moment is in; earlier than the moment also before 1970.
fn floor_to_second(moment: Timestamp) -> i64 {
    moment.as_second() - i64::from(moment.subsec_nanosecond() < 0)
}

fn has_fraction(moment: Timestamp) -> bool {
    moment.subsec_nanosecond() != 0
}
