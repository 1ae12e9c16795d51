//! What a single cell of a file is: the words and the grammar that pandas reads CSV files by.

/// A cell, read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell {
    Missing,
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Text,
}

/// The texts that are a missing value in a CSV file.
const MISSING: [&str; 17] = [
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
    "NaN", "n/a", "nan", "null",
];

/// Reads the cell of a CSV file.
pub(super) fn of_csv(text: &str) -> Cell {
    if text.is_empty() {
        return Cell::Missing;
    }
    let bytes = text.as_bytes();
    if let Some(value) = plain_integer(bytes) {
        return Cell::Integer(value);
    }
    if bytes.len() <= 9 && matches!(bytes[0], b'#' | b'-' | b'1' | b'<' | b'N' | b'n') && MISSING.contains(&text) {
        return Cell::Missing;
    }
    match text {
        "True" | "TRUE" | "true" => return Cell::Boolean(true),
        "False" | "FALSE" | "false" => return Cell::Boolean(false),
        _ => {}
    }
    number(text.trim_matches([' ', '\t'])).unwrap_or(Cell::Text)
}

/// Reads a number in any of the forms that CSV and JSON have. A whole one beyond 64 bits is a float.
pub(super) fn number(text: &str) -> Option<Cell> {
    let bytes = text.as_bytes();
    if let Some(value) = plain_integer(bytes) {
        return Some(Cell::Integer(value));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    if digits == unsigned.len() && digits > 0 {
        let value = text.parse().map(Cell::Integer);
        return Some(value.unwrap_or_else(|_| Cell::Float(float(text))));
    }
    if is_float(unsigned.as_bytes(), digits) {
        return Some(Cell::Float(float(text)));
    }
    let is_infinite = unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity");
    let infinity = if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY };
    is_infinite.then_some(Cell::Float(infinity))
}

/// A whole number that is written as it would be printed; None for all others, whole or not.
pub(super) fn plain_integer(bytes: &[u8]) -> Option<i64> {
    /// So many digits always fit.
    const DIGITS: usize = 18;
    let (is_negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let first = *digits.first()?;
    if digits.len() > DIGITS || (first == b'0' && (digits.len() > 1 || is_negative)) {
        return None;
    }
    let mut value = 0_i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(digit - b'0');
    }
    Some(if is_negative { -value } else { value })
}

/// Digits with a point among, before or behind them, then an exponent or none. `digits`: how many stand at the beginning.
fn is_float(unsigned: &[u8], digits: usize) -> bool {
    let mut rest = &unsigned[digits..];
    let mut mantissa_digits = digits;
    if let [b'.', fraction @ ..] = rest {
        let fraction_digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        mantissa_digits += fraction_digits;
        rest = &fraction[fraction_digits..];
    }
    if mantissa_digits == 0 {
        return false;
    }
    let [b'e' | b'E', exponent @ ..] = rest else { return rest.is_empty() };
    let exponent = exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent);
    !exponent.is_empty() && exponent.iter().all(u8::is_ascii_digit)
}

/// The double nearest to a number whose grammar is known to be right.
fn float(text: &str) -> f64 {
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    fast_float2::parse(unsigned).expect("a number of digits, point and exponent is a double")
}
