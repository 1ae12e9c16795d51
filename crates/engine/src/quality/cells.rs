//! One cell as a number or as one of two classes (section 2.2).

use crate::column::CellKind;

/// What a cell of a binary classification is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum BinaryLabel {
    /// 1 or 0.
    Class(bool),
    /// A number that is neither.
    Other(f64),
    /// No value, or a text that is none.
    Missing,
}

/// The number of a cell, finite; None for everything else.
#[inline]
pub(super) fn number(kind: CellKind, text: &[u8]) -> Option<f64> {
    if kind == CellKind::Boolean {
        return Some(f64::from(u8::from(text == b"true")));
    }
    let text = text.trim_ascii();
    match text {
        [digit @ b'0'..=b'9'] => Some(f64::from(digit - b'0')),
        // Letters would be read as infinity or not a number.
        [b'0'..=b'9' | b'.' | b'-' | b'+', ..] => {
            fast_float2::parse::<f64, _>(text).ok().filter(|number| number.is_finite())
        }
        _ => None,
    }
}

/// The class of a cell.
#[inline]
pub(super) fn binary_label(kind: CellKind, text: &[u8]) -> BinaryLabel {
    match text {
        b"0" => return BinaryLabel::Class(false),
        b"1" => return BinaryLabel::Class(true),
        _ => {}
    }
    let word = text.trim_ascii();
    if word.eq_ignore_ascii_case(b"true") {
        return BinaryLabel::Class(true);
    }
    if word.eq_ignore_ascii_case(b"false") {
        return BinaryLabel::Class(false);
    }
    match number(kind, word) {
        Some(0.0) => BinaryLabel::Class(false),
        Some(1.0) => BinaryLabel::Class(true),
        Some(other) => BinaryLabel::Other(other),
        None => BinaryLabel::Missing,
    }
}

/// A text as messages quote it.
pub(super) fn quoted(text: &[u8]) -> String {
    const LONGEST: usize = 60;
    let text = String::from_utf8_lossy(text.trim_ascii());
    if text.chars().count() > LONGEST {
        let start: String = text.chars().take(LONGEST).collect();
        return format!("`{start}…`");
    }
    format!("`{text}`")
}

/// Quoted things as a list, the later ones of many as a number.
pub(super) fn list<T: AsRef<[u8]>>(texts: &[T]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = texts.iter().take(SHOWN).map(|text| quoted(text.as_ref())).collect();
    let rest = texts.len().saturating_sub(SHOWN);
    if rest > 0 { format!("{} and {rest} more", shown.join(", ")) } else { shown.join(", ") }
}
