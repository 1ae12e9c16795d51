//! The type of one value, and its number.
//!
//! Deequ decides by regular expressions on the whole text (specification of data quality, section 4.1); here one walk
//! over the bytes finds the type and the number together. A number whose digits fit in 53 bits and whose fraction has
//! at most 22 digits is one exact division (Clinger, "How to read floating point numbers accurately", 1990); the rest
//! goes to a full parser.

/// What one text is by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Digits with an optional sign and an optional single space before them.
    Integral(Integer),
    /// A number with a fraction or an exponent; `None` when a space stands between sign and digits, which has the
    /// form of a number and cannot be read as one.
    Fractional(Option<f64>),
    /// `true` or `false`.
    Boolean,
    /// Everything else.
    String,
}

/// The number of an integral text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Integer {
    /// Fits in 64 bits.
    Fits(i64),
    /// Does not fit; its nearest double.
    TooLarge(f64),
    /// A negative zero: 0 as an integer, -0.0 as a double.
    NegativeZero,
    /// A space stands between sign and digits.
    Unreadable,
}

/// Powers of ten that a double holds exactly.
const EXACT_POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

impl Value {
    /// The type and number of a text.
    #[inline]
    pub fn of(text: &[u8]) -> Self {
        let mut at = 0;
        let mut negative = false;
        let mut readable = true;
        match text.first() {
            Some(b'0'..=b'9') => {}
            Some(b'-' | b'+') => {
                negative = text[0] == b'-';
                at = 1;
                if text.get(1) == Some(&b' ') {
                    readable = false;
                    at = 2;
                }
            }
            Some(b' ') => at = 1,
            Some(b't' | b'f') => return if text == b"true" || text == b"false" { Self::Boolean } else { Self::String },
            _ => return Self::String,
        }
        let first_digit = at;
        // Wraps silently beyond 19 digits; it is not used then.
        let mut mantissa: u64 = 0;
        while let Some(digit) = digit_at(text, at) {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
            at += 1;
        }
        let whole_digits = at - first_digit;
        if whole_digits == 0 {
            return Self::String;
        }
        if at == text.len() {
            return Self::Integral(integer(mantissa, whole_digits, negative, readable, &text[first_digit..]));
        }

        if text[at] == b'.' {
            at += 1;
            let start = at;
            while let Some(digit) = digit_at(text, at) {
                mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
                at += 1;
            }
            let fraction_digits = at - start;
            if fraction_digits == 0 {
                return Self::String;
            }
            if at == text.len() {
                if !readable {
                    return Self::Fractional(None);
                }
                let exact = whole_digits + fraction_digits <= 19 && mantissa <= 1 << 53 && fraction_digits <= 22;
                let magnitude = if exact {
                    mantissa as f64 / EXACT_POWERS_OF_TEN[fraction_digits]
                } else {
                    parse(&text[first_digit..])
                };
                return Self::Fractional(Some(if negative { -magnitude } else { magnitude }));
            }
        }
        if !matches!(text[at], b'e' | b'E') {
            return Self::String;
        }
        at += 1;
        if matches!(text.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        let exponent = at;
        while digit_at(text, at).is_some() {
            at += 1;
        }
        if at == exponent || at < text.len() {
            return Self::String;
        }
        if !readable {
            return Self::Fractional(None);
        }
        let magnitude = parse(&text[first_digit..]);
        Self::Fractional(Some(if negative { -magnitude } else { magnitude }))
    }
}

#[inline]
fn digit_at(text: &[u8], at: usize) -> Option<u8> {
    let digit = text.get(at)?.wrapping_sub(b'0');
    (digit <= 9).then_some(digit)
}

#[inline]
fn integer(mantissa: u64, digits: usize, negative: bool, readable: bool, text: &[u8]) -> Integer {
    if !readable {
        return Integer::Unreadable;
    }
    if digits <= 18 {
        return match (mantissa, negative) {
            (0, true) => Integer::NegativeZero,
            (_, true) => Integer::Fits(-(mantissa as i64)),
            (_, false) => Integer::Fits(mantissa as i64),
        };
    }
    long_integer(negative, text)
}

#[cold]
fn long_integer(negative: bool, digits: &[u8]) -> Integer {
    let mut exact: Option<i64> = Some(0);
    for digit in digits {
        let digit = i64::from(digit - b'0');
        exact = exact
            .and_then(|value| value.checked_mul(10))
            .and_then(|value| if negative { value.checked_sub(digit) } else { value.checked_add(digit) });
    }
    match exact {
        Some(0) if negative => Integer::NegativeZero,
        Some(value) => Integer::Fits(value),
        None => {
            let magnitude = parse(digits);
            Integer::TooLarge(if negative { -magnitude } else { magnitude })
        }
    }
}

/// The nearest double of a text that has the form of a number; infinity when it is too large.
fn parse(text: &[u8]) -> f64 {
    fast_float2::parse::<f64, _>(text).expect("the walk above has checked that this has the form of a number")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn exact_division_and_full_parser_agree() {
        for text in [
            "0.1",
            "123456.789",
            "9007199254740992.0",
            "0.0000000000000000000001",
            "1.7976931348623157e308",
            "1e400",
            "5.0e-324",
        ] {
            let expected: f64 = text.parse().unwrap();
            assert_eq!(Value::of(text.as_bytes()), Value::Fractional(Some(expected)), "{text}");
        }
    }
}
