//! The numeric side of a column, kept until its type is known.
//!
//! The specification reads an Integral column as 64-bit integers and a Fractional one as doubles. The two readings
//! part only at a value whose integer is not its double: one that does not fit (missing in the first reading, a
//! double in the second) and `-0` (0 in the first, -0.0 in the second). Until such a value comes one state serves
//! both; from then on there are two, until a fraction or a word decides.

use crate::encoding::{DecodeError, Reader, Writer};
use crate::sketch::{Kll, Moments};

/// Sum, moments and sketch of one reading of the column.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reading {
    pub(super) moments: Moments,
    pub(super) sketch: Kll,
}

impl Reading {
    #[inline]
    pub(super) fn add(&mut self, value: f64) {
        self.moments.add(value);
        self.sketch.add(value);
    }

    fn merge(&mut self, later: &Self) {
        self.moments.merge(&later.moments);
        self.sketch.merge(&later.sketch);
    }

    fn encode(&self, out: &mut Writer) {
        self.moments.encode(out);
        self.sketch.encode(out);
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { moments: Moments::decode(from)?, sketch: Kll::decode(from)? })
    }
}

/// Both readings of a column.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Numeric {
    /// Every number as a double.
    pub(super) fractional: Reading,
    /// Integral texts as integers; `None` while it would equal `fractional`.
    integral: Option<Box<Reading>>,
    /// Exact sum of the integers (Spark adds integers as integers).
    integer_sum: i128,
    /// A fraction has been seen: the column can no longer be Integral.
    has_fraction: bool,
}

impl Numeric {
    #[inline]
    pub(super) fn add_integer(&mut self, value: i64) {
        let double = value as f64;
        self.integer_sum += i128::from(value);
        self.fractional.add(double);
        if let Some(integral) = &mut self.integral {
            integral.add(double);
        }
    }

    /// An integral text whose two readings differ: `as_integer` is `None` when it does not fit.
    #[cold]
    pub(super) fn add_ambiguous(&mut self, as_integer: Option<i64>, as_double: f64) {
        if !self.has_fraction {
            let integral = self.integral.get_or_insert_with(|| Box::new(self.fractional.clone()));
            if let Some(value) = as_integer {
                integral.add(value as f64);
                self.integer_sum += i128::from(value);
            }
        }
        self.fractional.add(as_double);
    }

    #[inline]
    pub(super) fn add_fraction(&mut self, value: Option<f64>) {
        if !self.has_fraction {
            self.has_fraction = true;
            self.integral = None;
        }
        if let Some(value) = value {
            self.fractional.add(value);
        }
    }

    /// The integral reading and the sum of its integers, for a column without fractions.
    pub(super) fn integral(&self) -> (&Reading, f64) {
        (self.integral.as_deref().unwrap_or(&self.fractional), self.integer_sum as f64)
    }

    pub(super) fn merge(&mut self, later: &Self) {
        self.has_fraction |= later.has_fraction;
        self.integer_sum += later.integer_sum;
        if self.has_fraction {
            self.integral = None;
        } else if self.integral.is_some() || later.integral.is_some() {
            let integral = self.integral.get_or_insert_with(|| Box::new(self.fractional.clone()));
            integral.merge(later.integral.as_deref().unwrap_or(&later.fractional));
        }
        self.fractional.merge(&later.fractional);
    }

    pub(super) fn encode(&self, out: &mut Writer) {
        self.fractional.encode(out);
        out.i128(self.integer_sum);
        out.u8(u8::from(self.has_fraction));
        out.u8(u8::from(self.integral.is_some()));
        if let Some(integral) = &self.integral {
            integral.encode(out);
        }
    }

    pub(super) fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let fractional = Reading::decode(from)?;
        let integer_sum = from.i128()?;
        let has_fraction = from.bool()?;
        let integral = if from.bool()? { Some(Box::new(Reading::decode(from)?)) } else { None };
        Ok(Self { fractional, integral, integer_sum, has_fraction })
    }
}
