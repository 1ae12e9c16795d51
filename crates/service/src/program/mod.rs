//! Programs of this machine: what an image stands for ([`image`], [`rootfs`], [`container`]), processes of it ([`launch`],
//! [`sandbox`]) or threads ([`threads`]), what they see ([`confinement`]), their variables ([`environment`]) and folders
//! ([`folder`]), what they say ([`follow`]), and what an instance type lets them use ([`instance`]). Jobs and model servers
//! are programs alike.

pub(crate) mod confinement;
pub(crate) mod container;
pub(crate) mod environment;
pub(crate) mod folder;
pub(crate) mod follow;
pub(crate) mod image;
pub(crate) mod instance;
pub mod launch;
pub(crate) mod rootfs;
pub mod sandbox;
pub mod threads;
mod volume;

use crate::Configuration;

/// This program, which the built-in images run and which starts all others: an executable and its first arguments.
pub fn own(configuration: &Configuration) -> std::io::Result<Vec<String>> {
    if !configuration.runner.program.is_empty() {
        return Ok(configuration.runner.program.clone());
    }
    Ok(vec![std::env::current_exe()?.display().to_string()])
}
