//! `watchkeeper pause`: no schedule starts anything.

use clap::Args;
use watchkeeper_service::api::operators::PauseView;

use crate::Ending;
use crate::operators::ServiceArguments;
use crate::terminal;

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct PauseArguments {
    #[command(flatten)]
    pub(super) service: ServiceArguments,
}

pub(crate) fn run(arguments: &PauseArguments) -> anyhow::Result<Ending> {
    set(&arguments.service, "pause")
}

/// Begins or ends the pause.
pub(super) fn set(service: &ServiceArguments, action: &str) -> anyhow::Result<Ending> {
    let pause: PauseView = service.open()?.post(&[action], &serde_json::json!({}))?;
    service.print(&pause, terminal::pause)?;
    Ok(Ending::Fine)
}
