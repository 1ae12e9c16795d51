//! When schedules run. The referee is a walk over every hour or minute with the fields' meaning written out plainly.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use proptest::prelude::*;
use watchkeeper_aws::types::{Extensions, ScheduleExpression};

const AWS: Extensions = Extensions { minutes: false };
const EXTENDED: Extensions = Extensions { minutes: true };

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn ticks(expression: &ScheduleExpression, from: &str, count: usize) -> Vec<String> {
    let mut moment = at(from);
    let mut ticks = Vec::new();
    while ticks.len() < count
        && let Some(tick) = expression.next_after(moment)
    {
        ticks.push(tick.strftime("%m-%d %H:%M").to_string());
        moment = tick;
    }
    ticks
}

#[test]
fn forms_of_aws_are_read_and_echoed() {
    for (text, period, expected) in [
        ("cron(0 * ? * * *)", 1, ["03-01 12:00", "03-01 13:00", "03-01 14:00"]),
        ("cron(0 * * * ? *)", 1, ["03-01 12:00", "03-01 13:00", "03-01 14:00"]),
        ("cron(0 5 ? * * *)", 24, ["03-02 05:00", "03-03 05:00", "03-04 05:00"]),
        ("cron(0 05 ? * * *)", 24, ["03-02 05:00", "03-03 05:00", "03-04 05:00"]),
        ("cron(0 23 * * ? *)", 24, ["03-01 23:00", "03-02 23:00", "03-03 23:00"]),
        ("cron(0 0/6 ? * * *)", 6, ["03-01 12:00", "03-01 18:00", "03-02 00:00"]),
        ("cron(0 17/6 ? * * *)", 6, ["03-01 17:00", "03-01 23:00", "03-02 17:00"]),
        ("cron(0 00/1 ? * * *)", 1, ["03-01 12:00", "03-01 13:00", "03-01 14:00"]),
        ("cron(0 7/24 ? * * *)", 24, ["03-02 07:00", "03-03 07:00", "03-04 07:00"]),
        ("cron(0 2/10 ? * * *)", 10, ["03-01 12:00", "03-01 22:00", "03-02 02:00"]),
    ] {
        let expression = ScheduleExpression::parse(text, AWS).unwrap();
        assert_eq!(expression.to_string(), text);
        assert_eq!(expression.as_str(), text);
        assert_eq!(expression.period(), SignedDuration::from_hours(period), "{text}");
        assert_eq!(ticks(&expression, "2026-03-01T11:30:00Z", 3), expected, "{text}");
    }
}

#[test]
fn now_has_no_ticks() {
    let now = ScheduleExpression::parse("NOW", AWS).unwrap();
    assert!(now.is_now());
    assert_eq!(now.next_after(at("2026-03-01T00:00:00Z")), None);
    assert_eq!(now.previous_before(at("2026-03-01T00:00:00Z")), None);
    assert_eq!(now.period(), SignedDuration::ZERO);
}

#[test]
fn everything_else_is_refused_and_the_setting_named() {
    for text in [
        "",
        "now",
        "cron()",
        "cron(0 * ? * * *",
        "cron(5 * ? * * *)",
        "cron(0 24 ? * * *)",
        "cron(0 5/0 ? * * *)",
        "cron(0 5/25 ? * * *)",
        "cron(0 */6 ? * * *)",
        "cron(0 8-17 ? * * *)",
        "cron(0 8,9 ? * * *)",
        "cron(0 8 ? * MON *)",
        "cron(0 8 1 * ? *)",
        "cron(0 8 ? 1 * *)",
        "cron(0 8 ? * * 2026)",
        "cron(0 8 * * * *)",
        "cron(0 8 ? * ? *)",
        "cron(0  8 ? * * *)",
        " cron(0 8 ? * * *)",
        "cron(0 008 ? * * *)",
        "cron(0 +8 ? * * *)",
        "cron(0 * ? * *)",
        "cron(0 * * * ? * *)",
        "CRON(0 * ? * * *)",
        "rate(1 hour)",
        "rate(5 minutes)",
        "cron(* * ? * * *)",
        "cron(00 * ? * * *)",
        "cron(0 ٣ ? * * *)",
    ] {
        let message = ScheduleExpression::parse(text, AWS).unwrap_err().to_string();
        assert!(message.contains("scheduler.extended_expressions"), "{text}: {message}");
        assert!(message.contains("WATCHKEEPER_SCHEDULER_EXTENDED_EXPRESSIONS"), "{text}: {message}");
    }
}

/// Examples of AWS's own page on its six-field syntax, with ticks counted by hand; 2026-03-01 is a Sunday.
#[test]
fn extensions_read_the_whole_syntax() {
    for (text, expected) in [
        ("cron(0/15 * * * ? *)", vec!["03-01 11:45", "03-01 12:00", "03-01 12:15"]),
        ("cron(*/20 * ? * * *)", vec!["03-01 11:40", "03-01 12:00", "03-01 12:20"]),
        ("cron(15 10 * * ? *)", vec!["03-02 10:15", "03-03 10:15", "03-04 10:15"]),
        ("cron(0 18 ? * MON-FRI *)", vec!["03-02 18:00", "03-03 18:00", "03-04 18:00"]),
        ("cron(0 18 ? * 2-6 *)", vec!["03-02 18:00", "03-03 18:00", "03-04 18:00"]),
        ("cron(0 8 1 * ? *)", vec!["04-01 08:00", "05-01 08:00", "06-01 08:00"]),
        ("cron(0 9 ? * 2#1 *)", vec!["03-02 09:00", "04-06 09:00", "05-04 09:00"]),
        ("cron(0 10 L * ? *)", vec!["03-31 10:00", "04-30 10:00", "05-31 10:00"]),
        ("cron(0 10 3W * ? *)", vec!["03-03 10:00", "04-03 10:00", "05-04 10:00"]),
        ("cron(0 12 ? * 6L *)", vec!["03-27 12:00", "04-24 12:00", "05-29 12:00"]),
        ("cron(0 8-10 ? * * *)", vec!["03-02 08:00", "03-02 09:00", "03-02 10:00"]),
        ("cron(0 9 ? * SAT-MON *)", vec!["03-02 09:00", "03-07 09:00", "03-08 09:00"]),
        ("cron(30 22-1 ? * * *)", vec!["03-01 22:30", "03-01 23:30", "03-02 00:30"]),
        ("cron(0 0 1 JAN,JUL ? 2026-2027)", vec!["07-01 00:00", "01-01 00:00", "07-01 00:00"]),
        ("cron(0 0 29 2 ? *)", vec!["02-29 00:00", "02-29 00:00", "02-29 00:00"]),
        ("cron(0 0 1 1 ? 2026/4)", vec!["01-01 00:00", "01-01 00:00", "01-01 00:00"]),
        ("cron(0 0 1 1 ? 2025,2028-2029)", vec!["01-01 00:00", "01-01 00:00"]),
        ("cron(0 0 31 2 ? *)", vec![]),
        ("cron(0 0 1 1 ? 2020)", vec![]),
        ("rate(1 minute)", vec!["03-01 11:31", "03-01 11:32", "03-01 11:33"]),
        ("rate(5 minutes)", vec!["03-01 11:35", "03-01 11:40", "03-01 11:45"]),
        ("rate(1 hour)", vec!["03-01 12:00", "03-01 13:00", "03-01 14:00"]),
        ("rate(30 seconds)", vec!["03-01 11:30", "03-01 11:31", "03-01 11:31"]),
        ("rate(1 day)", vec!["03-02 00:00", "03-03 00:00", "03-04 00:00"]),
    ] {
        let expression = ScheduleExpression::parse(text, EXTENDED).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(ticks(&expression, "2026-03-01T11:30:00Z", 3), expected, "{text}");
        assert_eq!(expression.to_string(), text);
        assert_eq!(text.parse::<ScheduleExpression>().unwrap(), expression);
    }
}

#[test]
fn extensions_refuse_what_no_syntax_reads_and_name_the_field() {
    for (text, reason) in [
        ("", "it must be cron(...)"),
        ("every hour", "it must be cron(...)"),
        ("cron(0 * ? * *)", "six fields"),
        ("cron(0 * ? * ? *)", "exactly one of day of month and day of week"),
        ("cron(0 * * * * *)", "exactly one of day of month and day of week"),
        ("cron(? * ? * * *)", "the minute field '?'"),
        ("cron(MON * ? * * *)", "the minute field 'MON'"),
        ("cron(0 @ ? * * *)", "the hour field '@'"),
        ("cron(0 * ?? * * *)", "day of month field must stand alone"),
        // Found by fuzzing: a time that never comes was looked for until the years were over, for most of a minute.
        ("cron(,,,, 1/3 * * ? *)", "minute field ',,,,' has a list with an empty place"),
        ("cron(0 9, * * ? *)", "hour field '9,' has a list with an empty place"),
        ("cron(0 0 1 1 ? 1)", "the year field '1'"),
        ("cron(0 0 1 1 ? 2200)", "the year field '2200'"),
        ("cron(0 0 1 1 ? 2030-2020)", "the year field '2030-2020'"),
        ("rate(0 minutes)", "at least one second"),
        ("rate(1 minutes)", "singular after 1"),
        ("rate(5 minute)", "singular after 1"),
        ("rate(5 weeks)", "a rate is"),
        ("rate(-5 minutes)", "a rate is"),
        ("rate(99999999999999999999 minutes)", "longer than 366 days"),
        ("rate(367 days)", "longer than 366 days"),
    ] {
        let message = ScheduleExpression::parse(text, EXTENDED).unwrap_err().to_string();
        assert!(message.contains(reason), "{text}: {message}");
    }
    for text in [
        "cron(60 * ? * * *)",
        "cron(0 24 ? * * *)",
        "cron(0 0 32 * ? *)",
        "cron(0 0 ? 13 * *)",
        "cron(0 0 ? * 8 *)",
        "cron(0/0 * ? * * *)",
        "cron(0 * ? FOO * *)",
    ] {
        assert!(ScheduleExpression::parse(text, EXTENDED).is_err(), "{text}");
    }
}

#[test]
fn periods_and_windows_of_extensions() {
    for (text, tick, seconds, start) in [
        ("rate(5 minutes)", "2026-03-01T12:00:00Z", 300, "2026-03-01T11:55:00Z"),
        ("cron(*/10 * ? * * *)", "2026-03-01T12:00:00Z", 600, "2026-03-01T11:50:00Z"),
        ("cron(0 8 ? * MON-FRI *)", "2026-03-02T08:00:00Z", 86_400, "2026-02-27T08:00:00Z"),
        ("cron(0 8,9 ? * * *)", "2026-03-02T08:00:00Z", 3600, "2026-03-01T09:00:00Z"),
        ("cron(0 0 1 1 ? 2026)", "2026-01-01T00:00:00Z", 86_400, "2025-12-31T00:00:00Z"),
        ("cron(0 17/6 ? * * *)", "2026-03-02T17:00:00Z", 21_600, "2026-03-02T11:00:00Z"),
    ] {
        let expression = ScheduleExpression::parse(text, EXTENDED).unwrap();
        assert_eq!(expression.period(), SignedDuration::from_secs(seconds), "{text}");
        assert_eq!(expression.window_start(at(tick)), at(start), "{text}");
    }
}

#[test]
fn the_ends_of_time_are_no_trap() {
    for text in [
        "cron(0 * ? * * *)",
        "cron(0 5/7 ? * * *)",
        "rate(7 days)",
        "cron(1 2 3 4 ? *)",
        "cron(0 0 31 2 ? *)",
        "cron(0 0 L 2 ? 2198)",
    ] {
        let expression = ScheduleExpression::parse(text, EXTENDED).unwrap();
        for moment in [
            Timestamp::MIN,
            Timestamp::MAX,
            Timestamp::UNIX_EPOCH,
            at("2199-12-31T23:59:59Z"),
            at("1969-12-31T23:59:59.5Z"),
        ] {
            assert!(expression.next_after(moment).is_none_or(|tick| tick > moment), "{text} after {moment}");
            assert!(expression.previous_before(moment).is_none_or(|tick| tick < moment), "{text} before {moment}");
        }
    }
}

#[test]
fn a_search_without_an_end_ends_soon() {
    let start = std::time::Instant::now();
    for text in [
        "cron(0 0 31 2 ? *)",
        "cron(0 0 31 2,4,6,9,11 ? 1970/1)",
        "cron(59 23 30W 2 ? *)",
        "cron(59 23 ? 2 7#5 *)",
        "cron(0 0 29 2 ? 2001/4)",
    ] {
        let expression = ScheduleExpression::parse(text, EXTENDED).unwrap();
        let _ = expression.next_after(Timestamp::UNIX_EPOCH);
        let _ = expression.previous_before(at("2199-12-31T00:00:00Z"));
    }
    // A second for what takes some milliseconds: the point is that it is not minutes.
    assert!(start.elapsed() < std::time::Duration::from_secs(1), "{:?}", start.elapsed());
}

/// What a search promises, whatever the expression.
fn laws_hold(expression: &ScheduleExpression, moment: Timestamp) -> Result<(), TestCaseError> {
    let next = expression.next_after(moment);
    if let Some(next) = next {
        prop_assert!(next > moment);
        prop_assert_eq!(next.subsec_nanosecond(), 0);
        // No tick lies between.
        if let Some(previous) = expression.previous_before(next) {
            prop_assert!(previous <= moment);
            prop_assert_eq!(expression.next_after(previous), Some(next));
        }
    }
    if let Some(previous) = expression.previous_before(moment) {
        prop_assert!(previous < moment);
    }
    Ok(())
}

fn moments() -> impl Strategy<Value = Timestamp> {
    // 1990 to 2100, on the second, just beside it, and in between.
    (
        631_152_000_i64..4_102_444_800,
        prop_oneof![Just(0_i32), Just(1), Just(999_999_999), 0..1_000_000_000],
        any::<bool>(),
    )
        .prop_map(|(second, nanosecond, on_the_hour)| {
            let second = if on_the_hour { second / 3600 * 3600 } else { second };
            Timestamp::new(second, nanosecond).unwrap()
        })
}

proptest! {
    #[test]
    fn hourly_forms_agree_with_a_walk_over_hours(start in 0_i64..24, step in proptest::option::of(1_i64..=24), every: bool, moment in moments()) {
        let hour = match (every, step) {
            (true, _) => "*".to_owned(),
            (false, Some(step)) => format!("{start}/{step}"),
            (false, None) => start.to_string(),
        };
        let expression = ScheduleExpression::parse(&format!("cron(0 {hour} ? * * *)"), AWS).unwrap();
        let runs = |hour: i64| every || match step {
            Some(step) => hour >= start && (hour - start) % step == 0,
            None => hour == start,
        };
        // Every hour of the three days around, in order.
        let around = moment.as_second() / 3600;
        let walked: Vec<Timestamp> = (around - 30..around + 30)
            .filter(|hour| runs(hour % 24))
            .map(|hour| Timestamp::from_second(hour * 3600).unwrap())
            .collect();
        prop_assert_eq!(expression.next_after(moment), walked.iter().copied().find(|tick| *tick > moment));
        prop_assert_eq!(expression.previous_before(moment), walked.iter().copied().rfind(|tick| *tick < moment));
        laws_hold(&expression, moment)?;
    }

    #[test]
    fn cron_extensions_agree_with_a_walk_over_minutes(
        minutes in proptest::collection::btree_set(0_i8..60, 1..4),
        first_hour in 0_i8..24, last_hour in 0_i8..24,
        first_day in 1_i8..=7, last_day in 1_i8..=7,
        moment in moments(),
    ) {
        let list = minutes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let text = format!("cron({list} {first_hour}-{last_hour} ? * {first_day}-{last_day} *)");
        let expression = ScheduleExpression::parse(&text, EXTENDED).unwrap();
        // A range whose end is before its start passes the end of the day or the week.
        let within = |value: i8, first: i8, last: i8| if first <= last { (first..=last).contains(&value) } else { value >= first || value <= last };
        let runs = |minute: i64| {
            let civil = Timestamp::from_second(minute * 60).unwrap().to_zoned(TimeZone::UTC);
            minutes.contains(&civil.minute())
                && within(civil.hour(), first_hour, last_hour)
                && within(civil.weekday().to_sunday_one_offset(), first_day, last_day)
        };
        let around = moment.as_second().div_euclid(60);
        let walked = (around..around + 8 * 24 * 60)
            .filter(|minute| Timestamp::from_second(minute * 60).unwrap() > moment)
            .find(|minute| runs(*minute))
            .map(|minute| Timestamp::from_second(minute * 60).unwrap());
        prop_assert_eq!(expression.next_after(moment), walked, "{}", text);
        laws_hold(&expression, moment)?;
    }

    #[test]
    fn rates_are_multiples_of_themselves(number in 2_i64..5000, unit in prop_oneof![Just(("seconds", 1)), Just(("minutes", 60)), Just(("hours", 3600))], moment in moments()) {
        let expression = ScheduleExpression::parse(&format!("rate({number} {})", unit.0), EXTENDED).unwrap();
        let next = expression.next_after(moment).unwrap();
        prop_assert_eq!(next.as_second() % (number * unit.1), 0);
        prop_assert!(next.duration_since(moment) <= expression.period());
        laws_hold(&expression, moment)?;
    }

    #[test]
    fn no_text_makes_it_panic_or_search_for_long(fields in proptest::collection::vec("[0-9*?,/LW#A-Z-]{1,6}", 0..8), noise in ".{0,40}", moment in moments()) {
        for text in [format!("cron({})", fields.join(" ")), format!("rate({noise})"), noise.clone(), format!("cron({noise})")] {
            let _ = ScheduleExpression::parse(&text, AWS);
            if let Ok(expression) = ScheduleExpression::parse(&text, EXTENDED) {
                laws_hold(&expression, moment)?;
            }
        }
    }
}
