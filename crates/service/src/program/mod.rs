//! Programs of this machine: what an image stands for ([`image`]), processes of it ([`launch`], [`sandbox`]) or threads
//! ([`threads`]), their variables ([`environment`]) and folders ([`folder`]), what they say ([`follow`]), and what an
//! instance type lets them use ([`instance`]). Jobs and model servers are programs alike.

pub(crate) mod environment;
pub(crate) mod folder;
pub(crate) mod follow;
pub(crate) mod image;
pub(crate) mod instance;
pub mod launch;
pub mod sandbox;
pub mod threads;

use crate::Configuration;

/// This program, which the built-in images run and which starts all others: an executable and its first arguments.
pub fn own(configuration: &Configuration) -> std::io::Result<Vec<String>> {
    if !configuration.runner.program.is_empty() {
        return Ok(configuration.runner.program.clone());
    }
    Ok(vec![std::env::current_exe()?.display().to_string()])
}
