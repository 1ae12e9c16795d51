//! Jobs, with real processes.

pub(crate) mod bench;
mod clarify;
mod jobs;
pub(crate) mod plain;
pub(crate) mod suite;
mod threads;

use bench::Machine;
use plain::Plain;

crate::launcher_suite!(Machine::of(Plain));
