//! The mathematics of model monitoring.
//!
//! Everything here is pure: no files, no clock, no threads, no randomness but what follows from the data. A fold takes
//! [`column::Batch`]es and keeps a state of bounded size; states of parts are merged in the order of the parts; a
//! finished state becomes documents of `watchkeeper-formats`. The same input gives the same bytes, wherever and on
//! however many threads it is folded.

pub mod bias;
pub mod column;
pub mod encoding;
pub mod prediction;
pub mod profile;
pub mod quality;
mod random;
pub mod shap;
pub mod sketch;
pub mod table;
