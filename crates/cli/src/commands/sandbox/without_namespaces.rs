//! In the place of `namespaces`, on systems that have none: nothing can be entered.

use std::convert::Infallible;
use std::path::Path;

use watchkeeper_service::program::launch::{Confinement, HostContract};

use super::identity::Identity;

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

    pub(super) fn start_loopback(&mut self, _folder: &Path) -> Result<(), String> {
        match self.0 {}
    }

    pub(super) fn protect_inputs(&mut self, _contract: &HostContract) -> Result<(), String> {
        match self.0 {}
    }

    pub(super) fn prepare(&mut self, _contract: &HostContract, _confinement: &Confinement) -> Result<(), String> {
        match self.0 {}
    }

    pub(super) fn enter_view(&mut self, _contract: &HostContract, _confinement: &Confinement) -> Result<(), String> {
        match self.0 {}
    }

    pub(super) fn has_own_processes(&self) -> bool {
        match self.0 {}
    }

    pub(super) fn become_user_again(self, _identity: Identity, _as_root: bool) -> Result<(), String> {
        match self.0 {}
    }
}
