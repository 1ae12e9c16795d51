//! The scheduler over a real store, with a clock that is set.

mod clock;
mod ends;
mod looks;
mod operators;
mod plans;
mod races;
mod ticks;
mod world;
