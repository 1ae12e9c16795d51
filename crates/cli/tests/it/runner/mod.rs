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

crate::launcher_suite!(
    Machine::of(launcher()),
    a_program_that_ends_well,
    a_program_that_fails,
    a_program_that_is_not_there,
    a_program_that_is_stopped,
    a_program_that_ignores_being_stopped,
    a_program_whose_time_is_over,
    a_program_that_leaves_others_behind,
    a_talkative_program,
    inputs_and_outputs,
    an_output_that_is_uploaded_while_the_program_runs,
    several_instances,
    what_a_program_is_told,
    metrics_of_a_program,
    a_service_that_stops_and_starts_again,
);
