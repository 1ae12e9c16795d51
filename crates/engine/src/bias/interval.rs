//! The text of a facet's entry read back: one value, or an interval of which the upper end moves with the data.

/// What an entry stands for when entries of two analyses are paired.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum EntryKey<'a> {
    /// The lower end of an interval.
    Above(f64),
    /// A number.
    Number(f64),
    /// Any other text.
    Text(&'a str),
}

impl<'a> EntryKey<'a> {
    /// Reads an entry's `value_or_threshold`.
    pub(super) fn of(text: &'a str) -> Self {
        if let Some(lower) = lower_end(text) {
            return Self::Above(lower);
        }
        match text.parse::<f64>() {
            Ok(number) if !number.is_nan() => Self::Number(number),
            _ => Self::Text(text),
        }
    }
}

/// Whether an entry's `value_or_threshold` is an interval such as `(100, 225]`.
pub fn is_interval(text: &str) -> bool {
    lower_end(text).is_some()
}

/// That of `(100, 225]`.
fn lower_end(text: &str) -> Option<f64> {
    let (lower, upper) = text.strip_prefix('(')?.strip_suffix(']')?.split_once(", ")?;
    upper.parse::<f64>().ok()?;
    lower.parse().ok()
}
