//! The folded state of one column: everything that statistics, constraints and checks are made of.

use std::sync::Arc;

use watchkeeper_formats::InferredType;

use super::numeric::{Numeric, Reading};
use super::value::{Integer, Value};
use crate::column::{Batch, CellKind};
use crate::encoding::{DecodeError, Reader, Writer};
use crate::sketch::{Categories, HyperLogLog, hash};

/// How many categories a state may hold while the estimate is still below the limit: a guard against texts made to
/// collide in the estimator.
const MOST_CATEGORIES: usize = 4096;

/// How many values of a column are, by themselves, of which type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TypeCounts {
    pub(super) integral: u64,
    pub(super) fractional: u64,
    pub(super) boolean: u64,
    pub(super) string: u64,
}

/// One column, folded. Missing values leave no trace in it: they are the records less the values present.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnProfile {
    pub(super) types: TypeCounts,
    /// Values that had a type of their own in their source; when all had, the column's type is that of each value.
    native: u64,
    /// Native integers beyond 64 bits; they make a native column Fractional.
    native_too_large: u64,
    distinct: HyperLogLog,
    /// Gone for good when the column has too many categories for a distribution.
    categories: Option<Categories>,
    /// Gone for good when the column has turned out to be text.
    numeric: Option<Box<Numeric>>,
    /// The baseline's domain, where the column is held against one. Values in it are counted as they come, for when
    /// there turn out to be too many categories to count afterwards. Not a part of the encoded state.
    domain: Option<Arc<Categories>>,
    in_domain: u64,
}

impl Default for ColumnProfile {
    fn default() -> Self {
        Self {
            types: TypeCounts::default(),
            native: 0,
            native_too_large: 0,
            distinct: HyperLogLog::new(),
            categories: Some(Categories::default()),
            numeric: Some(Box::default()),
            domain: None,
            in_domain: 0,
        }
    }
}

impl ColumnProfile {
    /// An empty column that will be held against a baseline's domain.
    pub fn with_domain<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut domain = Categories::default();
        for value in values {
            domain.add(hash(value.as_bytes()), value.as_bytes());
        }
        Self { domain: Some(Arc::new(domain)), ..Self::default() }
    }

    /// Folds one column of a batch.
    ///
    /// # Panics
    /// When the batch has no such column.
    pub fn update(&mut self, batch: &Batch, column: usize) {
        for cell in batch.column(column) {
            if !cell.is_missing() {
                self.add(batch.text_of(cell), cell.kind());
            }
        }
    }

    #[inline]
    fn add(&mut self, text: &[u8], kind: CellKind) {
        let hash = hash(text);
        self.distinct.add_hash(hash);
        if let Some(categories) = &mut self.categories {
            categories.add(hash, text);
            if self.distinct.exceeds_category_limit() || categories.len() > MOST_CATEGORIES {
                self.categories = None;
            }
        }
        if let Some(domain) = &self.domain {
            self.in_domain += u64::from(domain.contains(hash, text));
        }
        if kind != CellKind::Text {
            self.native += 1;
        }
        match Value::of(text) {
            Value::Integral(integer) => {
                self.types.integral += 1;
                self.add_integer(integer, kind);
            }
            Value::Fractional(value) => {
                self.types.fractional += 1;
                if let Some(numeric) = &mut self.numeric {
                    numeric.add_fraction(value);
                }
            }
            Value::Boolean => {
                self.types.boolean += 1;
                self.drop_numbers_of_text();
            }
            // A native number that is not written in digits is an infinity.
            Value::String if kind == CellKind::Number => {
                self.types.fractional += 1;
                if let Some(numeric) = &mut self.numeric {
                    numeric.add_fraction(Some(if text[0] == b'-' { f64::NEG_INFINITY } else { f64::INFINITY }));
                }
            }
            Value::String => {
                self.types.string += 1;
                self.numeric = None;
            }
        }
    }

    #[inline]
    fn add_integer(&mut self, integer: Integer, kind: CellKind) {
        if self.types.boolean > 0 {
            self.numeric = None;
        }
        let Some(numeric) = &mut self.numeric else { return };
        match integer {
            Integer::Fits(value) => numeric.add_integer(value),
            Integer::NegativeZero => numeric.add_ambiguous(Some(0), -0.0),
            Integer::TooLarge(value) => {
                numeric.add_ambiguous(None, value);
                if kind == CellKind::Number {
                    self.native_too_large += 1;
                }
            }
            Integer::Unreadable => {}
        }
    }

    #[cold]
    fn drop_numbers_of_text(&mut self) {
        if self.types.integral + self.types.fractional > 0 {
            self.numeric = None;
        }
    }

    /// Puts the state of a later part of the same column behind this one.
    pub fn merge(&mut self, later: &Self) {
        self.types.integral += later.types.integral;
        self.types.fractional += later.types.fractional;
        self.types.boolean += later.types.boolean;
        self.types.string += later.types.string;
        self.native += later.native;
        self.native_too_large += later.native_too_large;
        self.in_domain += later.in_domain;
        self.distinct.merge(&later.distinct);
        self.categories = match (self.categories.take(), &later.categories) {
            (Some(mut categories), Some(others)) => {
                categories.merge(others);
                let few = !self.distinct.exceeds_category_limit() && categories.len() <= MOST_CATEGORIES;
                few.then_some(categories)
            }
            _ => None,
        };
        self.numeric = match (self.numeric.take(), &later.numeric) {
            (Some(mut numeric), Some(others)) if !self.is_text() => {
                numeric.merge(others);
                Some(numeric)
            }
            _ => None,
        };
    }

    /// True when the values cannot all be numbers, or all be booleans.
    fn is_text(&self) -> bool {
        let numbers = self.types.integral + self.types.fractional;
        self.types.string > 0 || (self.types.boolean > 0 && numbers > 0)
    }

    /// The column's type over all values (section 4.2). A column of booleans is String: there is no Boolean type.
    pub fn inferred_type(&self) -> InferredType {
        if self.present() == 0 {
            InferredType::Unknown
        } else if self.is_text() || self.types.boolean > 0 {
            InferredType::String
        } else if self.types.fractional > 0 || (self.is_native() && self.native_too_large > 0) {
            InferredType::Fractional
        } else {
            InferredType::Integral
        }
    }

    /// True when every value had a type of its own and they agree.
    fn is_native(&self) -> bool {
        self.native == self.present() && !self.is_text()
    }

    /// Values that are not missing.
    pub fn present(&self) -> u64 {
        self.types.integral + self.types.fractional + self.types.boolean + self.types.string
    }

    /// Share of the present values whose own type is exactly `expected`; 0 when there are none. With `lenient`, an
    /// Integral value is Fractional as well, and any value is String.
    pub fn share_of_type(&self, expected: InferredType, lenient: bool) -> f64 {
        let present = self.present();
        if present == 0 {
            return 0.0;
        }
        let numbers = if self.is_native() {
            let own = self.inferred_type();
            let of = |wanted| if own == wanted { present } else { 0 };
            (of(InferredType::Integral), of(InferredType::Fractional), of(InferredType::String))
        } else {
            (self.types.integral, self.types.fractional, self.types.string + self.types.boolean)
        };
        let matching = match (expected, lenient) {
            (InferredType::Integral, _) => numbers.0,
            (InferredType::Fractional, false) => numbers.1,
            (InferredType::Fractional, true) => numbers.0 + numbers.1,
            (InferredType::String, false) => numbers.2,
            (InferredType::String, true) => present,
            (InferredType::Unknown, _) => 0,
        };
        matching as f64 / present as f64
    }

    /// How many values are in a domain: exact while the categories are few, else those counted for the domain that
    /// the column was folded with.
    pub(super) fn count_in_domain(&self, domain: &[String]) -> u64 {
        match self.categories() {
            Some(categories) => {
                let domain: std::collections::HashSet<&str> = domain.iter().map(String::as_str).collect();
                categories.filter(|(value, _)| domain.contains(value)).map(|(_, count)| count).sum()
            }
            None => self.in_domain,
        }
    }

    /// Estimated number of distinct texts.
    pub fn distinct(&self) -> u64 {
        self.distinct.estimate()
    }

    /// Counts of all texts in order of first appearance, when there are few enough for a distribution.
    pub fn categories(&self) -> Option<impl Iterator<Item = (&str, u64)>> {
        let categories = self.categories.as_ref()?;
        Some(
            categories.iter().map(|(text, count)| {
                (std::str::from_utf8(text).expect("readers hand out cells that are UTF-8"), count)
            }),
        )
    }

    /// Smallest value, `None` where the column has no number.
    pub(super) fn numbers(&self) -> Option<Numbers<'_>> {
        let numeric = self.numeric.as_ref()?;
        let (reading, sum) = match self.inferred_type() {
            InferredType::Integral => numeric.integral(),
            InferredType::Fractional => (&numeric.fractional, numeric.fractional.moments.sum()),
            InferredType::String | InferredType::Unknown => return None,
        };
        Some(Numbers { reading, sum })
    }

    /// Writes the state in a form that [`Self::decode`] reads.
    pub fn encode(&self, out: &mut Writer) {
        for count in [
            self.types.integral,
            self.types.fractional,
            self.types.boolean,
            self.types.string,
            self.native,
            self.native_too_large,
            self.in_domain,
        ] {
            out.u64(count);
        }
        self.distinct.encode(out);
        out.u8(u8::from(self.categories.is_some()));
        if let Some(categories) = &self.categories {
            categories.encode(out);
        }
        out.u8(u8::from(self.numeric.is_some()));
        if let Some(numeric) = &self.numeric {
            numeric.encode(out);
        }
    }

    /// Reads a state back.
    ///
    /// # Errors
    /// When the bytes are not those of a state.
    pub fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let types =
            TypeCounts { integral: from.u64()?, fractional: from.u64()?, boolean: from.u64()?, string: from.u64()? };
        let native = from.u64()?;
        let native_too_large = from.u64()?;
        let in_domain = from.u64()?;
        let distinct = HyperLogLog::decode(from)?;
        let categories = if from.bool()? { Some(Categories::decode(from)?) } else { None };
        let numeric = if from.bool()? { Some(Box::new(Numeric::decode(from)?)) } else { None };
        let are_texts = |categories: &Categories| categories.iter().all(|(text, _)| std::str::from_utf8(text).is_ok());
        if !categories.as_ref().is_none_or(are_texts) {
            return Err(DecodeError::new("a category is not UTF-8"));
        }
        Ok(Self { types, native, native_too_large, distinct, categories, numeric, domain: None, in_domain })
    }
}

/// The numbers of a column in the reading of its type.
pub(super) struct Numbers<'a> {
    pub(super) reading: &'a Reading,
    pub(super) sum: f64,
}
