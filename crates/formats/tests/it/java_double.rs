//! Doubles in Java's layout. Referee of the table: `Double.toString` as its documentation defines it.

use proptest::prelude::*;
use watchkeeper_formats::number::{java_double, write_java_double};

#[test]
fn layout_of_java() {
    let table = [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (-1.0, "-1.0"),
        (100.0, "100.0"),
        (0.1, "0.1"),
        (0.05, "0.05"),
        (-0.25, "-0.25"),
        (0.001, "0.001"),
        (0.001_234_5, "0.0012345"),
        (0.000_999_999_999_999_999_9, "9.999999999999998E-4"),
        (1.0e-4, "1.0E-4"),
        (1.25e-10, "1.25E-10"),
        (123_456.75, "123456.75"),
        (1_234_567.125, "1234567.125"),
        (9_999_999.0, "9999999.0"),
        (9_999_999.999_999_998, "9999999.999999998"),
        (1.0e7, "1.0E7"),
        (-1.0e7, "-1.0E7"),
        (10_000_001.0, "1.0000001E7"),
        (3.8e7, "3.8E7"),
        (14_402_689_218.907_343, "1.4402689218907343E10"),
        (9_007_199_254_740_993.0, "9.007199254740992E15"),
        (1.0e21, "1.0E21"),
        (1.0e23, "1.0E23"),
        (2.0e23, "2.0E23"),
        (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
        (4.9e-324, "4.9E-324"),
        (-4.9e-324, "-4.9E-324"),
        (9.9e-324, "9.9E-324"),
        (f64::MAX, "1.7976931348623157E308"),
        (f64::MIN, "-1.7976931348623157E308"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "Infinity"),
        (f64::NEG_INFINITY, "-Infinity"),
    ];
    for (value, expected) in table {
        assert_eq!(java_double(value), expected);
    }
}

#[test]
fn appends_to_a_text() {
    let mut text = "Expected: ".to_owned();
    write_java_double(&mut text, 99.645_928_174_001_01);
    assert_eq!(text, "Expected: 99.64592817400101");
}

proptest! {
    #[test]
    fn every_double_reads_back_to_the_same_bits(value in any::<f64>().prop_filter("a number", |value| !value.is_nan())) {
        let read: f64 = java_double(value).parse().unwrap();
        prop_assert_eq!(read.to_bits(), value.to_bits());
    }

    #[test]
    fn doubles_near_the_limits_of_plain_notation_read_back(exponent in -6_i32..10, mantissa in 1.0..10.0_f64) {
        let value = mantissa * 10.0_f64.powi(exponent);
        let text = java_double(value);
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
        prop_assert_eq!(text.contains('E'), !(1.0e-3..1.0e7).contains(&value), "{}", text);
        let (_, fraction) = text.split_once('.').unwrap();
        prop_assert!(fraction.starts_with(|character: char| character.is_ascii_digit()));
    }
}
