//! Any text as a schedule's expression: what is accepted gives itself back and has ticks in their order, soon enough.

#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use watchkeeper_aws::types::{Extensions, ScheduleExpression};

/// Moments to look from: the first, the last before a leap day, one with a fraction, the last of AWS's years.
const MOMENTS: [&str; 4] =
    ["1970-01-01T00:00:00Z", "2024-02-28T23:59:59Z", "2026-11-26T19:12:00.5Z", "2199-12-31T23:59:59Z"];

fuzz_target!(|text: &str| {
    let of_aws = ScheduleExpression::parse(text, Extensions::default());
    let extended = ScheduleExpression::parse(text, Extensions { minutes: true });
    let Ok(expression) = extended else {
        assert!(of_aws.is_err(), "the extensions take nothing away");
        return;
    };
    assert_eq!(expression.as_str(), text);
    assert_eq!(expression.to_string(), text);
    assert_eq!(text.parse::<ScheduleExpression>().expect("it was accepted once"), expression);
    let period = expression.period();
    assert!(period.as_secs() > 0 || expression.is_now(), "{text} has the period {period:?}");
    for moment in MOMENTS {
        let moment: Timestamp = moment.parse().expect("it is a moment");
        if let Some(next) = expression.next_after(moment) {
            assert!(next > moment && next.subsec_nanosecond() == 0, "{text}: {next} after {moment}");
            assert!(expression.window_start(next) < next, "{text}: the window of {next}");
            if let Some(before) = expression.previous_before(next) {
                assert!(before <= moment, "{text}: {before} lies between {moment} and {next}");
            }
        }
        if let Some(previous) = expression.previous_before(moment) {
            assert!(previous < moment, "{text}: {previous} before {moment}");
        }
    }
});
