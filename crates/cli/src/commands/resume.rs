//! `watchkeeper resume`: the end of a pause.

use clap::Args;

use crate::Ending;
use crate::operators::ServiceArguments;

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct ResumeArguments {
    #[command(flatten)]
    service: ServiceArguments,
}

pub(crate) fn run(arguments: &ResumeArguments) -> anyhow::Result<Ending> {
    super::pause::set(&arguments.service, "resume")
}
