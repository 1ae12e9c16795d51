//! What the steps of the test command have in common.

use std::error::Error;
use std::fmt;

use crate::workspace::Workspace;

/// What a step may know.
pub struct Context<'a> {
    pub workspace: &'a Workspace,
    /// Whether tools that take minutes to build are to be installed.
    pub install_slow_tools: bool,
}

/// Something a step needs that is not here and could not be installed. A step that returns it is left out, not failed.
#[derive(Debug)]
pub struct Missing(pub String);

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Error for Missing {}
