//! Approximate number of distinct texts: HyperLogLog++ with 512 registers, the estimator of Spark and Deequ, to the
//! last unit.

mod bias;

use self::bias::{BIAS, RAW_ESTIMATE};
use crate::encoding::{DecodeError, Reader, Writer};

const VERSION: u8 = 1;

/// The number of leading bits of a hash that choose the register.
const PRECISION: u32 = 9;
const REGISTERS: usize = 1 << PRECISION;
/// The largest rank: a hash whose bits after the index are all zero.
const MAX_RANK: u8 = (64 - PRECISION + 1) as u8;

/// Estimates up to here come from the share of empty registers (published threshold for this precision).
const LINEAR_COUNTING_LIMIT: f64 = 400.0;
/// How many neighbours the bias is averaged over.
const NEIGHBOURS: usize = 6;

/// With fewer empty registers than this the rounded estimate is above 120.
const EMPTY_AT_CATEGORY_LIMIT: u16 = 405;

/// The hash that the sketch and [`super::Categories`] work with: XXH64 with Spark's seed, over the text in UTF-8.
#[inline]
pub fn hash(text: &[u8]) -> u64 {
    xxhash_rust::xxh64::xxh64(text, 42)
}

/// An estimate of the number of distinct hashes, relative error 0.05.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HyperLogLog {
    registers: Box<[u8; REGISTERS]>,
    /// How many registers are not zero.
    occupied: u16,
}

impl Default for HyperLogLog {
    fn default() -> Self {
        Self::new()
    }
}

impl HyperLogLog {
    /// The sketch of no texts.
    pub fn new() -> Self {
        Self { registers: Box::new([0; REGISTERS]), occupied: 0 }
    }

    /// Takes in the [`hash`] of a text and tells whether an empty register was filled: only then can
    /// [`Self::exceeds_category_limit`] change its answer.
    #[inline]
    pub fn add_hash(&mut self, hash: u64) -> bool {
        let register = &mut self.registers[(hash >> (64 - PRECISION)) as usize];
        let stopper = 1 << (PRECISION - 1);
        let rank = 1 + ((hash << PRECISION) | stopper).leading_zeros() as u8;
        if rank <= *register {
            return false;
        }
        let was_empty = *register == 0;
        *register = rank;
        self.occupied += u16::from(was_empty);
        was_empty
    }

    /// Takes in everything that `other` has seen.
    pub fn merge(&mut self, other: &Self) {
        for (own, &others) in self.registers.iter_mut().zip(other.registers.iter()) {
            *own = (*own).max(others);
        }
        self.occupied = occupied(&self.registers);
    }

    /// Whether [`Self::estimate`] is above 120, the limit up to which Deequ counts categories. Needs no arithmetic.
    #[inline]
    pub fn exceeds_category_limit(&self) -> bool {
        self.empty() < EMPTY_AT_CATEGORY_LIMIT
    }

    /// The estimated number of distinct texts, rounded half up.
    ///
    /// Heule, Nunkesser and Hall, "HyperLogLog in Practice", 2013, with Spark's way of finding the neighbours.
    pub fn estimate(&self) -> u64 {
        let registers = REGISTERS as f64;
        let empty = self.empty();
        if empty > 0 {
            let linear_count = registers * (registers / f64::from(empty)).ln();
            if linear_count <= LINEAR_COUNTING_LIMIT {
                return linear_count.round() as u64;
            }
        }
        let harmonic: f64 = self.registers.iter().map(|&rank| 0.5_f64.powi(i32::from(rank))).sum();
        unbiased(raw_estimate(harmonic)).round() as u64
    }

    /// Appends the state.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u8(VERSION);
        writer.raw(&self.registers[..]);
    }

    /// Reads a state from the front of what is left.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.version("distinct count", VERSION)?;
        let mut registers = Box::new([0; REGISTERS]);
        registers.copy_from_slice(reader.raw(REGISTERS)?);
        if registers.iter().any(|&rank| rank > MAX_RANK) {
            return Err(DecodeError::new("a register of a distinct count state is out of range"));
        }
        let occupied = occupied(&registers);
        Ok(Self { registers, occupied })
    }

    fn empty(&self) -> u16 {
        REGISTERS as u16 - self.occupied
    }
}

fn occupied(registers: &[u8; REGISTERS]) -> u16 {
    registers.iter().filter(|&&rank| rank > 0).count() as u16
}

/// The estimate before any correction; `harmonic` is the sum over the registers of 2^-rank.
fn raw_estimate(harmonic: f64) -> f64 {
    let registers = REGISTERS as f64;
    (0.7213 / (1.0 + 1.079 / registers)) * registers * registers / harmonic
}

fn unbiased(estimate: f64) -> f64 {
    if estimate < 5.0 * REGISTERS as f64 { estimate - bias(estimate) } else { estimate }
}

/// The mean bias of the entries next to `estimate`. The search is Spark's: start below the estimate and move up
/// while the next entry is strictly nearer than the first one of the window.
fn bias(estimate: f64) -> f64 {
    let distance = |index: usize| {
        let difference = estimate - RAW_ESTIMATE[index];
        difference * difference
    };
    let nearest = RAW_ESTIMATE.partition_point(|&raw| raw < estimate);
    let mut low = (nearest + 1).saturating_sub(NEIGHBOURS);
    let mut high = (low + NEIGHBOURS).min(RAW_ESTIMATE.len());
    while high < RAW_ESTIMATE.len() && distance(high) < distance(low) {
        low += 1;
        high += 1;
    }
    BIAS[low..high].iter().sum::<f64>() / (high - low) as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The estimate of a sketch whose `occupied` registers are as low as they can be.
    fn lowest(occupied: u64) -> HyperLogLog {
        let mut sketch = HyperLogLog::new();
        for register in 0..occupied {
            sketch.add_hash((register << 55) | (1 << 54));
        }
        sketch
    }

    /// [`HyperLogLog::exceeds_category_limit`] looks at the number of empty registers alone.
    #[test]
    fn the_empty_registers_decide_whether_the_estimate_exceeds_120() {
        let largest_bias = BIAS.iter().copied().fold(0.0, f64::max);
        for occupied in 0..=512_u64 {
            let sketch = lowest(occupied);
            assert_eq!(sketch.exceeds_category_limit(), sketch.estimate() > 120, "{occupied} registers");
            let registers = REGISTERS as f64;
            let linear_count = registers * (registers / (512 - occupied) as f64).ln();
            if linear_count > LINEAR_COUNTING_LIMIT {
                // Higher ranks only raise the raw estimate, and no bias takes it down to the limit.
                let raw = raw_estimate((512 - occupied) as f64 + 0.5 * occupied as f64);
                assert!(raw - largest_bias > 120.5, "{occupied} registers");
            }
        }
        // Up to there the estimate is the linear count, which does not depend on the ranks.
        assert!(lowest(107).estimate() <= 120 && lowest(108).estimate() > 120);
    }

    #[test]
    fn the_bias_table_is_the_published_one() {
        let table: serde_json::Value = serde_json::from_str(include_str!("../../tests/vectors/hllpp-p9.json")).unwrap();
        assert_eq!(serde_json::json!(RAW_ESTIMATE.to_vec()), table["raw_estimate"]);
        assert_eq!(serde_json::json!(BIAS.to_vec()), table["bias"]);
    }
}
