//! Doubles as Java writes them, which is how they stand in the files.
//!
//! Digits: the fewest that read back to the same double, but at least two, and of those the pair nearest to the value
//! (only the smallest subnormals make a difference: `4.9E-324`, not `5.0E-324`). Layout: plain when the magnitude is
//! at least 0.001 and below 10,000,000, otherwise one digit before the point and an exponent after a capital E.

use std::fmt::{self, Write};

/// The value in Java's layout: `100.0`, `1.4402689218907343E10`, `1.0E-4`, `-0.0`, `NaN`, `-Infinity`.
pub fn java_double(value: f64) -> String {
    let mut text = String::new();
    write_java_double(&mut text, value);
    text
}

/// Appends the value in Java's layout.
pub fn write_java_double(text: &mut String, value: f64) {
    text.push_str(DoubleText::new(value).as_str());
}

/// One double in Java's layout, on the stack: documents hold a million of them.
pub(crate) struct DoubleText {
    bytes: [u8; DoubleText::CAPACITY],
    length: usize,
}

impl DoubleText {
    /// The longest text, `-2.2250738585072014E-308`, has 24 characters.
    const CAPACITY: usize = 32;

    pub(crate) fn new(value: f64) -> Self {
        let mut text = Self { bytes: [0; Self::CAPACITY], length: 0 };
        text.lay_out(value).expect("every double in Java's layout fits in 32 characters");
        text
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).expect("only whole texts are appended")
    }

    fn lay_out(&mut self, value: f64) -> fmt::Result {
        if value.is_nan() {
            return self.write_str("NaN");
        }
        if value.is_sign_negative() {
            self.write_char('-')?;
        }
        let magnitude = value.abs();
        if magnitude.is_infinite() {
            return self.write_str("Infinity");
        }
        let mut shortest = zmij::Buffer::new();
        let shortest = shortest.format_finite(magnitude);
        // Where Java writes a plain number, so does everyone.
        if (1.0e-3..1.0e7).contains(&magnitude) || magnitude == 0.0 {
            return self.write_str(shortest);
        }
        if magnitude < 1.0e-320 && !shortest.contains('.') {
            let mut two_digits = Self { bytes: [0; Self::CAPACITY], length: 0 };
            write!(two_digits, "{magnitude:.1e}")?;
            return self.lay_out_scientific(two_digits.as_str());
        }
        self.lay_out_scientific(shortest)
    }

    /// Lays out a number that is written in any way with a power of ten of its own.
    fn lay_out_scientific(&mut self, number: &str) -> fmt::Result {
        let (digits, exponent) = Self::digits_and_exponent(number)?;
        let (first, rest) = digits.as_str().split_at(1);
        write!(self, "{first}.{}E{exponent}", if rest.is_empty() { "0" } else { rest })
    }

    /// The digits of a positive number without zeros before and after them, and the power of ten of the first.
    fn digits_and_exponent(number: &str) -> Result<(Self, i32), fmt::Error> {
        let (mantissa, exponent) = number.split_once('e').unwrap_or((number, "0"));
        let exponent: i32 = exponent.parse().map_err(|_| fmt::Error)?;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let significant_whole = whole.trim_start_matches('0');
        let significant_fraction =
            if significant_whole.is_empty() { fraction.trim_start_matches('0') } else { fraction };
        let mut digits = Self { bytes: [0; Self::CAPACITY], length: 0 };
        digits.write_str(significant_whole)?;
        digits.write_str(significant_fraction)?;
        digits.length = digits.as_str().trim_end_matches('0').len();
        let zeros_behind_the_point = fraction.len() - significant_fraction.len();
        Ok((digits, exponent + significant_whole.len() as i32 - 1 - zeros_behind_the_point as i32))
    }
}

impl Write for DoubleText {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.length + part.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(part.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// The value as Python prints it, which is how it stands in Clarify's documents: `1.0`, `1e-05`, `1e+16`, `inf`, `nan`.
///
/// Digits: the fewest that read back to the same double. Layout: plain from 1e-4 and below 1e16, otherwise an exponent with its
/// sign and at least two digits.
pub fn python_float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let magnitude = value.abs();
    if magnitude.is_infinite() {
        return format!("{sign}inf");
    }
    if magnitude == 0.0 {
        return format!("{sign}0.0");
    }
    let mut shortest = zmij::Buffer::new();
    let (digits, exponent) = DoubleText::digits_and_exponent(shortest.format_finite(magnitude))
        .expect("a double has an exponent and at most 17 digits");
    let digits = digits.as_str();
    let plain_exponents = -4..16;
    if !plain_exponents.contains(&exponent) {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{point}{rest}e{exponent_sign}{:02}", exponent.abs());
    }
    if exponent < 0 {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("{sign}0.{zeros}{digits}");
    }
    let whole_digits = exponent as usize + 1;
    match digits.split_at_checked(whole_digits) {
        Some((whole, "")) => format!("{sign}{whole}.0"),
        Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{digits}{}.0", "0".repeat(whole_digits - digits.len())),
    }
}
