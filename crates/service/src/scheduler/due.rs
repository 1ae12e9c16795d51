//! Which ticks of a schedule are due. Pure.

use jiff::{SignedDuration, Timestamp};
use watchkeeper_aws::types::ScheduleExpression;

/// The most missed ticks that get a row each; those before them share one.
pub const MOST_MISSED_ROWS: usize = 1000;

/// Ticks that came due since the schedule was looked at last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueTicks {
    /// The newest: it is started, unless something stands in its way.
    pub newest: Timestamp,
    /// Those before it, oldest first: nobody was there to take them up.
    pub missed: Vec<Timestamp>,
    /// First and last of those before the missed ones; they are too many for rows of their own.
    pub summarised: Option<(Timestamp, Timestamp)>,
    /// The next one.
    pub next: Option<Timestamp>,
}

/// The ticks from `next_tick`, the first that was not taken up, to `now`, both included; None when there are none.
///
/// `NOW` has one tick, and none after it.
pub fn due_ticks(expression: &ScheduleExpression, next_tick: Timestamp, now: Timestamp) -> Option<DueTicks> {
    if now < next_tick {
        return None;
    }
    if expression.is_now() {
        return Some(DueTicks { newest: next_tick, missed: Vec::new(), summarised: None, next: None });
    }
    let newest = at_or_before(expression, now).map_or(next_tick, |tick| tick.max(next_tick));
    let mut missed = Vec::new();
    let mut summarised = None;
    let mut earlier = newest;
    while let Some(tick) = expression.previous_before(earlier).filter(|tick| *tick >= next_tick) {
        if missed.len() == MOST_MISSED_ROWS {
            let first = at_or_after(expression, next_tick).unwrap_or(next_tick);
            summarised = Some((first, tick));
            break;
        }
        missed.push(tick);
        earlier = tick;
    }
    missed.reverse();
    Some(DueTicks { newest, missed, summarised, next: expression.next_after(now) })
}

/// The tick that a schedule should wait for, where it waits for a later one: the clock had run ahead, and was put back.
/// Ticks that were taken up before that have their rows, so that none of them runs twice.
pub fn earlier_next_tick(expression: &ScheduleExpression, next_tick: Timestamp, now: Timestamp) -> Option<Timestamp> {
    expression.next_after(now).filter(|next| *next < next_tick)
}

/// The last tick at this moment or before it.
pub fn at_or_before(expression: &ScheduleExpression, moment: Timestamp) -> Option<Timestamp> {
    expression.previous_before(moment.saturating_add(SignedDuration::from_nanos(1)).ok()?)
}

/// The first tick at this moment or after it.
pub fn at_or_after(expression: &ScheduleExpression, moment: Timestamp) -> Option<Timestamp> {
    expression.next_after(moment.saturating_sub(SignedDuration::from_nanos(1)).ok()?)
}

/// By how much the executions of a schedule start after their ticks, from 0 to `most_seconds`: the same for a schedule
/// every time, and spread over the schedules.
pub fn jitter(schedule_arn: &str, most_seconds: u32) -> SignedDuration {
    // FNV-1a, 64 bits: the standard library's hashes are not the same in every version.
    let hash = schedule_arn
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let milliseconds = hash % (u64::from(most_seconds) * 1000 + 1);
    SignedDuration::from_millis(
        i64::try_from(milliseconds).expect("a u32 of seconds is far below an i64 of milliseconds"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3600;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a second of our time")
    }

    fn every_hours(start: i64, step: i64) -> ScheduleExpression {
        format!("cron(0 {start}/{step} ? * * *)").parse().expect("one of AWS's forms")
    }

    /// The ticks of `cron(0 start/step ? * * *)` from one second to another, both included, by counting hours.
    fn counted(start: i64, step: i64, from: i64, to: i64) -> Vec<Timestamp> {
        let is_tick = |hour: &i64| {
            let of_day = hour.rem_euclid(24);
            of_day >= start && (of_day - start) % step == 0
        };
        let hours = (from + HOUR - 1).div_euclid(HOUR)..=to.div_euclid(HOUR);
        hours.filter(is_tick).map(|hour| at(hour * HOUR)).collect()
    }

    proptest! {
        /// Whatever the moments at which the schedule is looked at, each tick comes once and none is left out.
        #[test]
        fn every_tick_comes_once(
            start in 0..24_i64,
            step in 1..=24_i64,
            created in 1_700_000_000..1_700_100_000_i64,
            looks in prop::collection::vec(1..200_000_i64, 1..60),
        ) {
            let expression = every_hours(start, step);
            let mut now = created;
            let mut next = expression.next_after(at(created));
            let mut seen = Vec::new();
            for look in looks {
                now += look;
                let Some(due) = next.and_then(|next| due_ticks(&expression, next, at(now))) else { continue };
                prop_assert_eq!(due.summarised, None);
                seen.extend(due.missed);
                seen.push(due.newest);
                next = due.next;
            }
            prop_assert_eq!(seen, counted(start, step, created + 1, now));
        }

        /// However long nobody looked, the rows are bounded and what they leave out is named.
        #[test]
        fn long_absences_are_summarised(hours in 1..40_000_i64) {
            let expression = every_hours(0, 1);
            let first = 1_700_000_000_i64.div_euclid(HOUR) + 1;
            let now = (first + hours) * HOUR + 17;
            let due = due_ticks(&expression, at(first * HOUR), at(now)).expect("the first tick is past");
            prop_assert_eq!(due.newest, at((first + hours) * HOUR));
            prop_assert!(due.missed.len() <= MOST_MISSED_ROWS);
            let named = due.summarised.map_or(0, |(from, to)| (to.as_second() - from.as_second()) / HOUR + 1);
            prop_assert_eq!(named + due.missed.len() as i64, hours);
            prop_assert_eq!(due.next, Some(at((first + hours + 1) * HOUR)));
        }

        /// A clock that is put back makes the schedule wait for the first tick after the moment it shows.
        #[test]
        fn a_clock_put_back_is_followed(ahead in 0..5_000_000_i64, back in 0..5_000_000_i64) {
            let expression = every_hours(3, 5);
            let now = 1_700_000_000 + ahead;
            let next = expression.next_after(at(now)).expect("there is always one");
            let put_back = at(now - back);
            let earlier = earlier_next_tick(&expression, next, put_back);
            let first = counted(3, 5, now - back + 1, now + 2 * 24 * HOUR)[0];
            prop_assert_eq!(earlier.unwrap_or(next), first);
        }
    }

    #[test]
    fn now_has_one_tick() {
        let expression: ScheduleExpression = "NOW".parse().expect("one of AWS's forms");
        let due = due_ticks(&expression, at(100), at(5000)).expect("it is past");
        assert_eq!(due, DueTicks { newest: at(100), missed: Vec::new(), summarised: None, next: None });
        assert_eq!(due_ticks(&expression, at(100), at(99)), None);
    }

    #[test]
    fn jitter_is_spread_and_stays() {
        let of =
            |index: u32| jitter(&format!("arn:aws:sagemaker:eu-west-1:000000000000:monitoring-schedule/s{index}"), 60);
        let spread: std::collections::BTreeSet<i64> = (0..200).map(|index| of(index).as_secs() / 10).collect();
        assert_eq!(spread, (0..6).collect(), "every sixth of the minute has some of 200 schedules");
        assert_eq!(of(7), of(7));
        assert_eq!(jitter("any", 0), SignedDuration::ZERO);
    }
}
