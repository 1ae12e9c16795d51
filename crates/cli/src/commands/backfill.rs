//! `watchkeeper backfill`: the ticks of a range that did not run.

use clap::Args;
use watchkeeper_service::api::operators::{BackfillAnswer, BackfillRequest};

use crate::Ending;
use crate::operators::{ServiceArguments, moment};
use crate::terminal;

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct BackfillArguments {
    /// The schedule.
    #[arg(value_name = "SCHEDULE")]
    schedule: String,
    /// Ticks at this moment or later: 2026-01-31T23:00:00Z, or a time ago such as -P1D.
    #[arg(long, value_name = "TIME", value_parser = moment, allow_hyphen_values = true)]
    from: String,
    /// Ticks before this moment; now unless given.
    #[arg(long, value_name = "TIME", value_parser = moment, allow_hyphen_values = true)]
    to: Option<String>,
    #[command(flatten)]
    service: ServiceArguments,
}

pub(crate) fn run(arguments: &BackfillArguments) -> anyhow::Result<Ending> {
    let to = arguments.to.clone().map_or_else(|| moment("-PT0S").map_err(anyhow::Error::msg), Ok)?;
    let request = BackfillRequest { from: arguments.from.clone(), to };
    let answer: BackfillAnswer =
        arguments.service.open()?.post(&["schedules", &arguments.schedule, "backfill"], &request)?;
    arguments.service.print(&answer, |answer| terminal::backfill(answer, &request, &arguments.schedule))?;
    Ok(Ending::Fine)
}
