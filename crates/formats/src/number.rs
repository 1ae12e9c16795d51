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
        if magnitude < 1.0e7 && magnitude.fract() == 0.0 {
            return write!(self, "{}.0", magnitude as u32);
        }
        let (digits, exponent) = shortest_digits(magnitude);
        let digits = digits.as_str();
        if !(1.0e-3..1.0e7).contains(&magnitude) {
            let (first, rest) = digits.split_at(1);
            return write!(self, "{first}.{}E{exponent}", if rest.is_empty() { "0" } else { rest });
        }
        if exponent < 0 {
            return write!(self, "0.{}{digits}", &"00"[..(-exponent - 1) as usize]);
        }
        // Not a whole number, so there is a digit behind the point.
        let (whole, fraction) = digits.split_at(exponent as usize + 1);
        write!(self, "{whole}.{fraction}")
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

/// The digits of a finite positive value without a point or trailing zeros, and the decimal exponent of the first.
fn shortest_digits(magnitude: f64) -> (DoubleText, i32) {
    let mut scientific = DoubleText { bytes: [0; DoubleText::CAPACITY], length: 0 };
    write!(scientific, "{magnitude:e}").expect("17 digits and an exponent fit");
    if magnitude < 1.0e-320 && !scientific.as_str().contains('.') {
        scientific.length = 0;
        write!(scientific, "{magnitude:.1e}").expect("two digits and an exponent fit");
    }
    let (mantissa, exponent) = scientific.as_str().split_once('e').expect("`{:e}` writes an exponent");
    let exponent = exponent.parse().expect("`{:e}` writes a whole exponent");
    let mut digits = DoubleText { bytes: [0; DoubleText::CAPACITY], length: 0 };
    for part in mantissa.split('.') {
        digits.write_str(part).expect("17 digits fit");
    }
    while digits.length > 1 && digits.bytes[digits.length - 1] == b'0' {
        digits.length -= 1;
    }
    (digits, exponent)
}
