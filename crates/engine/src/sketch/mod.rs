//! Sketches: states of bounded size that are folded from the values of a column, merged, written down and asked for
//! statistics.
//!
//! All of them are deterministic and follow what Deequ 2 on Spark computes, because the numbers that are written must
//! agree with it: [`Kll`] and [`HyperLogLog`] item by item, [`Moments`] to the last bit, [`Categories`] in the order
//! that [`category_order`] gives. Merging is part of that: what a merge makes depends on the order of its parts, so
//! whoever splits a column chooses the splits, and the order of merging, by the data alone.
//!
//! Every state can be written down with [`crate::encoding`] and read back by another process.

mod categories;
mod hyperloglog;
mod kll;
mod moments;

pub use categories::{Categories, category_order};
pub use hyperloglog::{HyperLogLog, hash};
pub use kll::{Kll, Ranks};
pub use moments::Moments;
