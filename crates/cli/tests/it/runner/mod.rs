//! Jobs in the sandbox.

#[cfg(target_os = "linux")]
mod attacks;
#[path = "../../../../service/tests/it/runner/bench.rs"]
pub(crate) mod bench;
mod containers;
mod rootfs;
mod sandbox;
mod service;
#[path = "../../../../service/tests/it/runner/suite.rs"]
pub(crate) mod suite;
mod without_namespaces;

use bench::Machine;
use watchkeeper_service::program::sandbox::Sandbox;

fn launcher() -> Sandbox {
    Sandbox::new(vec![env!("CARGO_BIN_EXE_watchkeeper").to_owned()])
}

crate::launcher_suite!(Machine::of(launcher()));
