//! Offsets of a window's ends.

use jiff::Timestamp;
use proptest::prelude::*;
use watchkeeper_aws::types::TimeOffset;

#[test]
fn offsets_move_a_moment() {
    let noon: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    for (text, moment) in [
        ("-PT1H", "2026-03-01T11:00:00Z"),
        ("-PT0H", "2026-03-01T12:00:00Z"),
        ("-P3D", "2026-02-26T12:00:00Z"),
        ("-P1DT12H", "2026-02-28T00:00:00Z"),
        ("-P1W", "2026-02-22T12:00:00Z"),
        ("PT15M", "2026-03-01T12:15:00Z"),
        ("+PT30S", "2026-03-01T12:00:30Z"),
        ("-P0D", "2026-03-01T12:00:00Z"),
    ] {
        let offset: TimeOffset = text.parse().unwrap();
        assert_eq!(offset.after(noon).to_string(), moment, "{text}");
        assert_eq!(offset.to_string(), text);
    }
}

#[test]
fn what_has_no_length_is_refused() {
    for text in [
        "",
        "-",
        "P",
        "-P",
        "PT",
        "-P1DT",
        "1H",
        "PT1",
        "PTH",
        "-P1M",
        "-P1Y",
        "PT1M1H",
        "PT1H1H",
        "PT1.5H",
        "PT-1H",
        "-PT1h",
        "--PT1H",
        "PT99999999999999999999H",
        "P999999W",
    ] {
        let message = text.parse::<TimeOffset>().unwrap_err().to_string();
        assert!(message.contains("ISO 8601"), "{text}: {message}");
    }
}

#[test]
fn the_ends_of_time_are_not_passed() {
    let offset: TimeOffset = "-P1000D".parse().unwrap();
    assert_eq!(offset.after(Timestamp::MIN), Timestamp::MIN);
    let offset: TimeOffset = "P1000D".parse().unwrap();
    assert_eq!(offset.after(Timestamp::MAX), Timestamp::MAX);
}

proptest! {
    /// The referee is the ISO 8601 parser of `jiff`.
    #[test]
    fn lengths_are_those_of_another_parser(weeks in 0_i64..9, days in 0_i64..9, hours in 0_i64..99, minutes in 0_i64..99, seconds in 0_i64..99, negative: bool) {
        let text = format!("{}P{weeks}W{days}DT{hours}H{minutes}M{seconds}S", if negative { "-" } else { "" });
        let span: jiff::Span = text.parse().unwrap();
        let expected = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).unwrap();
        prop_assert_eq!(text.parse::<TimeOffset>().unwrap().duration(), expected);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-+]?P?[0-9TWDHMSé]{0,20}", seconds in any::<i32>()) {
        if let Ok(offset) = text.parse::<TimeOffset>() {
            let _ = offset.after(Timestamp::from_second(i64::from(seconds)).unwrap());
        }
    }
}
