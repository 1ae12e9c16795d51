//! Numbers, widths and cuts.

use super::*;

/// Against C's `printf("%.4g")`, but for grouped digits before the point, `e` without padding, and no rounding there.
#[test]
fn numbers_have_four_significant_digits() {
    let cases = [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (12.5, "12.5"),
        (0.123_456_7, "0.1235"),
        (0.001_234_56, "0.001235"),
        (0.000_123_456, "1.235e-4"),
        (-0.6623, "-0.6623"),
        (999.94, "999.9"),
        (999.96, "1,000"),
        (9.9996, "10"),
        (614_658.98, "614,659"),
        (-1234.5, "-1,234"),
        (9_999_400.0, "9,999,400"),
        (9_999_999.0, "1e7"),
        (12_345_678.0, "1.235e7"),
        (-2.5e9, "-2.5e9"),
        (5e-324, "4.941e-324"),
        (f64::INFINITY, "inf"),
        (f64::NAN, "NaN"),
    ];
    for (value, expected) in cases {
        assert_eq!(figures::number(value), expected, "{value:?}");
    }
}

#[test]
fn percentages_claim_neither_all_nor_nothing_falsely() {
    let exact = [(0.0, "0%"), (1.0, "100%"), (0.999_999_9, ">99.99%"), (0.996_459, "99.65%"), (0.000_001, "1e-4%")];
    for (share, expected) in exact {
        assert_eq!(figures::percent(share), expected);
    }
    let whole = [(0.0, "0%"), (1.0, "100%"), (0.004, "<1%"), (0.998, ">99%"), (0.85, "85%"), (0.014, "1%")];
    for (share, expected) in whole {
        assert_eq!(figures::whole_percent(share), expected);
    }
}

/// Widths by `wcswidth` of the Python package `wcwidth` 0.7.0.
#[test]
fn widths_are_those_of_the_terminal() {
    let cases = [
        ("abc", 3),
        ("日本語", 6),
        ("한국어", 6),
        ("\u{1112}\u{1161}\u{11ab}", 2),
        ("ｆｕｌｌ", 8),
        ("ﾊﾝｶｸ", 4),
        ("e\u{301}", 1),
        ("👍", 2),
        ("👍🏽", 2),
        ("👨\u{200d}👩\u{200d}👧", 2),
        ("❤\u{fe0f}", 2),
        ("❤", 1),
        ("🇩🇪", 2),
        ("नमस्ते", 4),
        ("ไทย", 3),
        ("…─█", 3),
        ("①", 1),
    ];
    for (text, expected) in cases {
        assert_eq!(width(text), expected, "{text}");
        assert_eq!(visible(text, &WIDE), text);
    }
}

/// What `str::escape_debug` leaves as it is, this does too, and quotes and backslashes besides.
#[test]
fn control_characters_are_escaped() {
    let cases = [
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\u{1b}[31mred", r"\u{1b}[31mred"),
        ("nul\0", r"nul\0"),
        ("left\u{202e}thgir", r"left\u{202e}thgir"),
        ("zero\u{200b}width", r"zero\u{200b}width"),
        ("no\u{a0}break", r"no\u{a0}break"),
        ("  blank ", r"\u{20} blank\u{20}"),
        (" ", r"\u{20}"),
        ("", "(empty)"),
        ("in\u{200d}visible", r"in\u{200d}visible"),
        ("\u{301}mark first", r"\u{301}mark first"),
        ("\u{9b}31m", r"\u{9b}31m"),
        (r#"C:\dir "quoted""#, r#"C:\dir "quoted""#),
    ];
    for (text, expected) in cases {
        assert_eq!(visible(text, &WIDE), expected);
    }
    assert_eq!(visible("Größe 日", &ASCII), r"Gr\u{f6}\u{df}e \u{65e5}");
}

#[test]
fn cuts_keep_to_the_room_and_do_not_part_marks_from_letters() {
    assert_eq!(cut_end("Account Length", 8, &WIDE), "Account…");
    assert_eq!(cut_end("Account Length", 8, &ASCII), "Accoun..");
    assert_eq!(cut_middle("feature_0000000001", 11, &WIDE), "featu…00001");
    assert_eq!(cut_end("日本語日本語", 6, &WIDE), "日本…");
    assert_eq!(cut_middle("日本語日本語", 7, &WIDE), "日…本語");
    let marked = "xe\u{301}".repeat(20);
    for limit in 0..45 {
        for cut in [
            cut_end(&marked, limit, &WIDE),
            cut_middle(&marked, limit, &WIDE),
            cut_middle("日本語日本語", limit, &WIDE),
        ] {
            assert!(width(&cut) <= limit, "{cut} in {limit}");
            assert!(!cut.starts_with('\u{301}') && !cut.contains("…\u{301}"), "{cut}");
        }
    }
}

#[test]
fn sentences_are_broken_at_spaces() {
    assert_eq!(wrap("the quick brown fox jumps", 10, &WIDE), ["the quick", "brown fox", "jumps"]);
    assert_eq!(wrap("incomprehensibilities are long", 10, &WIDE), ["incompreh…", "are long"]);
}
