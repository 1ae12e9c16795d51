//! `watchkeeper why`: why a schedule did not run.

use clap::Args;
use watchkeeper_service::api::operators::WhyView;

use crate::Ending;
use crate::operators::ServiceArguments;
use crate::terminal;

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct WhyArguments {
    /// The schedule.
    #[arg(value_name = "SCHEDULE")]
    schedule: String,
    #[command(flatten)]
    service: ServiceArguments,
}

pub(crate) fn run(arguments: &WhyArguments) -> anyhow::Result<Ending> {
    let why: WhyView = arguments.service.open()?.get(&["schedules", &arguments.schedule, "why"], &[])?;
    arguments.service.print(&why, |why| terminal::why(why, &crate::output::style()))?;
    Ok(Ending::Fine)
}
