//! Records of a fixed size, more of them than memory holds: kept in order, or sorted.
//!
//! Both keep what fits into their budget in memory and put the rest into unnamed temporary files of the scratch folder, which are gone
//! with them. The folder is not touched before that.

mod file;
mod log;
mod sorter;

pub use log::RecordLog;
pub use sorter::Sorter;
