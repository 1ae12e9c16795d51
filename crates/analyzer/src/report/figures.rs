//! Numbers as people read them: four significant digits in the text, the exact value where the pointer rests.

use std::fmt::Write;

use askama::Template;
use askama::filters::HtmlSafe;
use watchkeeper_formats::number::java_double;

/// Significant digits of a number in the text.
const DIGITS: usize = 4;
/// Digits that tell every double from its neighbours.
const MOST_DIGITS: usize = 17;
const MINUS: char = '\u{2212}';
const NARROW_SPACE: char = '\u{202f}';

/// A number in the text, and its exact value where that is not what the text says.
#[derive(Clone, Template)]
#[template(path = "figure.html")]
pub(super) struct Figure {
    shown: String,
    exact: Option<String>,
}

/// The template escapes its texts itself.
impl HtmlSafe for Figure {}

impl Figure {
    /// A count, in full.
    pub(super) fn count(count: u64) -> Self {
        Self { shown: grouped(&count.to_string()), exact: None }
    }

    /// A number with four significant digits.
    pub(super) fn number(value: f64) -> Self {
        Self::rounded(value, DIGITS)
    }

    /// A number with as many significant digits as told.
    pub(super) fn rounded(value: f64, digits: usize) -> Self {
        let shown = significant(value, digits);
        let exact = (read(&shown) != Some(value)).then(|| java_double(value));
        Self { shown, exact }
    }

    /// A share of 0 to 1 as a percentage. What is not all does not read as 100 %.
    pub(super) fn share(share: f64) -> Self {
        Self::rounded_share(share, DIGITS)
    }

    /// A share with as many significant digits as told.
    pub(super) fn rounded_share(share: f64, digits: usize) -> Self {
        let percent = share * 100.0;
        let rounded = significant(percent, digits);
        let is_honest = share >= 1.0 || read(&rounded) != Some(100.0);
        let shown = if is_honest { rounded } else { ">99.99".to_owned() };
        // As the documents hold it, a share of 0 to 1: a hundred times a double has digits of its own.
        let exact = (read(&format!("{shown}e-2")) != Some(share)).then(|| java_double(share));
        Self { shown: format!("{shown}{NARROW_SPACE}%"), exact }
    }

    /// A number with its sign.
    pub(super) fn signed(value: f64) -> Self {
        let number = Self::number(value);
        let sign = if value > 0.0 { "+" } else { "" };
        Self { shown: format!("{sign}{}", number.shown), exact: number.exact }
    }

    /// A difference of two shares in percentage points, with its sign.
    pub(super) fn signed_points(difference: f64) -> Self {
        Self::signed(difference * 100.0)
    }

    /// The same to one decimal, for tables of shares.
    pub(super) fn signed_tenths_of_points(difference: f64) -> Self {
        let points = difference * 100.0;
        let shown = format!("{:.1}", points.abs());
        let sign = match points {
            _ if shown == "0.0" => String::new(),
            negative if negative < 0.0 => MINUS.to_string(),
            _ => "+".to_owned(),
        };
        Self { shown: sign + &shown, exact: Some(java_double(points)) }
    }

    /// A value and the limit it is held against, with as many digits as it takes to see that they differ.
    pub(super) fn against_limit(value: f64, limit: f64) -> (Self, Self) {
        let differ = |&digits: &usize| significant(value, digits) != significant(limit, digits);
        let digits = (DIGITS..=MOST_DIGITS).find(differ).unwrap_or(DIGITS);
        (Self::rounded(value, digits), Self::rounded(limit, digits))
    }

    /// The text alone.
    pub(super) fn as_str(&self) -> &str {
        &self.shown
    }

    /// The exact value, where it is not what the text says.
    pub(super) fn exact(&self) -> Option<&str> {
        self.exact.as_deref()
    }
}

/// How many digits it takes to tell numbers apart that lie `step` from each other, the largest being `magnitude`.
pub(super) fn digits_for_step(magnitude: f64, step: f64) -> usize {
    let ratio = (magnitude / step).log10();
    if ratio.is_finite() { (ratio.ceil().max(0.0) as usize + 1).clamp(DIGITS, MOST_DIGITS) } else { DIGITS }
}

/// The value rounded to so many significant digits, trailing zeros of a fraction left out: `614,700`, `0.1`, `1.44e10`.
fn significant(value: f64, digits: usize) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    let sign = if value < 0.0 { MINUS.to_string() } else { String::new() };
    let magnitude = value.abs();
    if magnitude.is_infinite() {
        return sign + "∞";
    }
    if magnitude == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{magnitude:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').expect("`{:e}` writes an exponent");
    let exponent: i32 = exponent.parse().expect("`{:e}` writes a whole exponent");
    let digits = mantissa.replace('.', "");
    let digits = digits.trim_end_matches('0');
    sign + &match exponent {
        0..=6 => {
            let whole_digits = exponent as usize + 1;
            let padded = format!("{digits:0<whole_digits$}");
            let (whole, fraction) = padded.split_at(whole_digits);
            with_fraction(&grouped(whole), fraction)
        }
        -5..=-1 => format!("0.{}{digits}", "0".repeat((-exponent - 1) as usize)),
        _ => {
            let (first, rest) = digits.split_at(1);
            format!("{}e{exponent}", with_fraction(first, rest))
        }
    }
}

fn with_fraction(whole: &str, fraction: &str) -> String {
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

/// Digits with a comma before every third from the right.
fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The number that a text of [`significant`] reads as.
fn read(shown: &str) -> Option<f64> {
    shown.replace(',', "").replace(MINUS, "-").parse().ok()
}

/// A sentence with figures and names in it.
#[derive(Clone, Default, Template)]
#[template(path = "prose.html")]
pub(super) struct Prose {
    pieces: Vec<Piece>,
}

/// The template escapes its texts itself.
impl HtmlSafe for Prose {}

#[derive(Clone)]
enum Piece {
    Words(String),
    Figure(Figure),
    /// A text of the data, which may run from right to left.
    Name(String),
}

impl Prose {
    pub(super) fn new(words: &str) -> Self {
        Self::default().words(words)
    }

    pub(super) fn words(mut self, words: &str) -> Self {
        if let Some(Piece::Words(last)) = self.pieces.last_mut() {
            last.push_str(words);
        } else {
            self.pieces.push(Piece::Words(words.to_owned()));
        }
        self
    }

    pub(super) fn figure(mut self, figure: Figure) -> Self {
        self.pieces.push(Piece::Figure(figure));
        self
    }

    pub(super) fn count(self, count: u64) -> Self {
        self.figure(Figure::count(count))
    }

    pub(super) fn number(self, value: f64) -> Self {
        self.figure(Figure::number(value))
    }

    pub(super) fn share(self, share: f64) -> Self {
        self.figure(Figure::share(share))
    }

    pub(super) fn name(mut self, name: &str) -> Self {
        self.pieces.push(Piece::Name(readable(name)));
        self
    }

    /// As text alone.
    pub(super) fn to_text(&self) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Words(text) | Piece::Name(text) => text.clone(),
            Piece::Figure(figure) => figure.shown.clone(),
        };
        self.pieces.iter().map(text).collect()
    }

    /// Up to `most` names with commas, then how many there are beside them.
    pub(super) fn names<'a>(mut self, names: impl ExactSizeIterator<Item = &'a str>, most: usize) -> Self {
        let count = names.len();
        for (index, name) in names.take(most).enumerate() {
            self = if index > 0 { self.words(", ") } else { self }.name(name);
        }
        if count > most {
            self = self.words(" and ").count((count - most) as u64).words(" more");
        }
        self
    }
}

/// Characters of a text of the data that are shown.
const MOST_CHARACTERS: usize = 120;

/// A text of the data as it is shown: blank ones are named, long ones cut.
pub(super) fn readable(text: &str) -> String {
    if text.trim().is_empty() {
        return if text.is_empty() { "(empty)" } else { "(blank)" }.to_owned();
    }
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `1 violation`, `2 violations`.
pub(super) fn counted(count: usize, singular: &str, plural: &str) -> String {
    let mut text = grouped(&count.to_string());
    write!(text, " {}", if count == 1 { singular } else { plural }).expect("a string takes any text");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_are_shown() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (0.1, "0.1"),
            (1.0, "1"),
            (100.0, "100"),
            (614_658.979_980_682_1, "614,700"),
            (9_999_999.0, "1e7"),
            (1.440_268_921_890_734_3e10, "1.44e10"),
            (0.000_123_456, "0.0001235"),
            (-99.645_928, "−99.65"),
            (1234.56, "1,235"),
            (5e-324, "4.941e-324"),
            (f64::INFINITY, "∞"),
            (f64::NEG_INFINITY, "−∞"),
            (f64::NAN, "NaN"),
        ];
        for (value, expected) in cases {
            assert_eq!(significant(value, DIGITS), expected, "{value:?}");
        }
    }

    #[test]
    fn a_share_is_not_rounded_to_all() {
        assert_eq!(Figure::share(0.999_999).as_str(), ">99.99\u{202f}%");
        assert_eq!(Figure::share(1.0).as_str(), "100\u{202f}%");
        assert_eq!(Figure::share(0.5).exact(), None);
        assert_eq!(Figure::share(0.996_459_281_740_010_1).exact(), Some("0.9964592817400101"));
    }

    #[test]
    fn a_value_just_beyond_its_limit_differs_from_it() {
        let (value, limit) = Figure::against_limit(0.100_000_4, 0.1);
        assert_eq!((value.as_str(), limit.as_str()), ("0.1000004", "0.1"));
    }
}
