//! In the place of `namespaces`, on systems that have none: nothing can be entered.

use std::convert::Infallible;
use std::path::Path;

use watchkeeper_service::program::launch::HostContract;

/// There is none.
pub(super) struct Entered(Infallible);

/// Says that there are no namespaces.
pub(super) fn enter(_network: bool, _processes: bool) -> Result<Entered, String> {
    Err("this system has no namespaces".to_owned())
}

impl Entered {
    pub(super) fn by_parent(_user: &str) -> anyhow::Result<Self> {
        anyhow::bail!("this system has no namespaces")
    }

    pub(super) fn user(&self) -> String {
        match self.0 {}
    }

    pub(super) fn see_own_processes(&mut self) -> Result<(), String> {
        match self.0 {}
    }

    pub(super) fn start_loopback(&mut self, _folder: &Path) -> Result<(), String> {
        match self.0 {}
    }

    pub(super) fn protect(&mut self, _folder: &Path) -> Result<(), String> {
        match self.0 {}
    }

    pub(super) fn release(&mut self, _folder: &Path) {
        match self.0 {}
    }

    pub(super) fn protect_inputs(&mut self, _contract: &HostContract) -> Result<(), String> {
        match self.0 {}
    }

    pub(super) fn mount_job_folder(&mut self, _root: &Path) -> Result<(), String> {
        match self.0 {}
    }

    pub(super) fn become_user_again(self) -> Result<(), String> {
        match self.0 {}
    }
}
