//! Numbers as a person reads them: short, and never rounded to something that they are not.

use super::Style;

/// Four significant digits, all digits before the point below ten million: `0.1234`, `12.5`, `614,659`, `3.8e7`.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return format!("{value}");
    }
    let scientific = format!("{value:.3e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("`{:e}` writes an exponent");
    match exponent.parse::<i32>().expect("`{:e}` writes a whole exponent") {
        _ if value == 0.0 => "0".to_owned(),
        exponent @ -3..=2 => without_trailing_zeros(&format!("{value:.*}", (3 - exponent) as usize)).to_owned(),
        3..=6 => grouped(&format!("{value:.0}")),
        exponent => format!("{}e{exponent}", without_trailing_zeros(mantissa)),
    }
}

/// All digits, in groups of three.
pub(crate) fn count(count: u64) -> String {
    grouped(&count.to_string())
}

/// A count and its noun: `1 record`, `2,333 records`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A share of 0 to 1 in percent, with four significant digits. One that is not quite all is not written as `100%`.
pub(super) fn percent(share: f64) -> String {
    if 0.9999 < share && share < 1.0 {
        return ">99.99%".to_owned();
    }
    format!("{}%", number(share * 100.0))
}

/// A share of 0 to 1 in whole percent; `<1%` and `>99%` for what would be rounded to nothing or all.
pub(super) fn whole_percent(share: f64) -> String {
    match share {
        _ if 0.0 < share && share < 0.01 => "<1%".to_owned(),
        _ if 0.99 < share && share < 1.0 => ">99%".to_owned(),
        _ => format!("{:.0}%", share * 100.0),
    }
}

/// A part of a total, 0 when there is nothing.
pub(super) fn share(part: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { part as f64 / total as f64 }
}

/// From one number to another: `12.5 → 13`.
pub(super) fn change(from: f64, to: f64, style: &Style) -> String {
    format!("{} {} {}", number(from), style.arrow(), number(to))
}

fn without_trailing_zeros(decimal: &str) -> &str {
    if decimal.contains('.') { decimal.trim_end_matches('0').trim_end_matches('.') } else { decimal }
}

/// Whole digits, perhaps with a sign, in groups of three.
fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let mut grouped = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
