//! The scheduler over a real store, with a clock that is set.

mod clock;
mod ends;
mod ground_truth;
mod looks;
mod merged_data;
mod merges;
mod operators;
mod plans;
mod races;
mod remerges;
mod ticks;
pub(crate) mod world;
