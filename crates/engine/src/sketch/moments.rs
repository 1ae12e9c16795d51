//! Sum, mean, spread and extremes of the numbers of a column, by the recurrences that Spark uses, operation by
//! operation: the last digit of what is written depends on their order.

use crate::encoding::{DecodeError, Reader, Writer};

const VERSION: u8 = 1;

/// Running moments of a sequence of numbers.
///
/// The recurrences are Spark's `CentralMomentAgg` (Welford's update, Chan's merge).
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    count: u64,
    average: f64,
    squares: f64,
    sum: f64,
    min: f64,
    max: f64,
    merged: bool,
}

impl Default for Moments {
    fn default() -> Self {
        Self::new()
    }
}

impl Moments {
    /// The moments of no values.
    pub fn new() -> Self {
        Self {
            count: 0,
            average: 0.0,
            squares: 0.0,
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            merged: false,
        }
    }

    /// Takes in the next value. NaN is no value of a column and must not be given.
    #[inline]
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        let delta = value - self.average;
        let step = delta / self.count as f64;
        self.average += step;
        self.squares += delta * (delta - step);
        self.sum += value;
        // Of equal values the first stays, which decides between -0.0 and 0.0. Infinities are at the start already.
        if value < self.min {
            self.min = value;
        }
        if value > self.max {
            self.max = value;
        }
    }

    /// Takes in the values of `other`, which come after those of `self`.
    ///
    /// Spark merges every partition, the first one too, into an empty state, which can move the average by one bit.
    /// A state that has been folded from values is therefore first merged into an empty one itself, once.
    pub fn merge(&mut self, other: &Self) {
        if !self.merged {
            let folded = std::mem::take(self);
            self.combine(&folded);
            self.merged = true;
        }
        self.combine(other);
    }

    fn combine(&mut self, other: &Self) {
        let (own_count, other_count) = (self.count as f64, other.count as f64);
        self.count += other.count;
        if self.count == 0 {
            return;
        }
        let delta = other.average - self.average;
        let step = delta / self.count as f64;
        self.average += step * other_count;
        self.squares = self.squares + other.squares + delta * step * own_count * other_count;
        self.sum += other.sum;
        if other.min < self.min {
            self.min = other.min;
        }
        if other.max > self.max {
            self.max = other.max;
        }
    }

    /// The number of values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum, added in doubles from the first value to the last; 0.0 when there are none.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The standard deviation of the population; 0.0 when there are no values.
    pub fn std_dev(&self) -> f64 {
        if self.count == 0 { 0.0 } else { (self.squares / self.count as f64).sqrt() }
    }

    /// The smallest value, the first of equal ones; 0.0 when there are none.
    pub fn min(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.min }
    }

    /// The largest value, the first of equal ones; 0.0 when there are none.
    pub fn max(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.max }
    }

    /// Appends the state.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u8(VERSION);
        writer.u64(self.count);
        for number in [self.average, self.squares, self.sum, self.min, self.max] {
            writer.f64(number);
        }
        writer.bool(self.merged);
    }

    /// Reads a state from the front of what is left.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.version("moments", VERSION)?;
        let moments = Self {
            count: reader.u64()?,
            average: reader.f64()?,
            squares: reader.f64()?,
            sum: reader.f64()?,
            min: reader.f64()?,
            max: reader.f64()?,
            merged: reader.bool()?,
        };
        // Keeps sums of counts away from an overflow; no fold gets so far.
        if moments.count > 1 << 53 {
            return Err(DecodeError::new("a moments state counts more than 2^53 values"));
        }
        Ok(moments)
    }
}
