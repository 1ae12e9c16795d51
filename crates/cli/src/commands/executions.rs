//! `watchkeeper executions`: what schedules have run, and which ticks did not start.

use clap::Args;
use watchkeeper_service::api::operators::ExecutionList;

use crate::Ending;
use crate::operators::{ServiceArguments, moment};
use crate::terminal;

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct ExecutionsArguments {
    /// The schedule; all unless given.
    #[arg(value_name = "SCHEDULE")]
    schedule: Option<String>,
    /// Only those with this status: `Pending`, `InProgress`, `Completed`, `CompletedWithViolations`, `Failed`,
    /// `Stopping`, `Stopped`, or `skipped`, `missed`, `paused`.
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Ticks at this moment or later: 2026-01-31T23:00:00Z, or a time ago such as -P1D.
    #[arg(long, value_name = "TIME", value_parser = moment, allow_hyphen_values = true)]
    from: Option<String>,
    /// Ticks before this moment.
    #[arg(long, value_name = "TIME", value_parser = moment, allow_hyphen_values = true)]
    to: Option<String>,
    /// The most that are shown, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    #[command(flatten)]
    service: ServiceArguments,
}

pub(crate) fn run(arguments: &ExecutionsArguments) -> anyhow::Result<Ending> {
    let limit = arguments.limit.to_string();
    let query = [
        ("schedule", arguments.schedule.as_deref()),
        ("status", arguments.status.as_deref()),
        ("from", arguments.from.as_deref()),
        ("to", arguments.to.as_deref()),
        ("limit", Some(limit.as_str())),
    ];
    let list: ExecutionList = arguments.service.open()?.get(&["executions"], &query)?;
    arguments.service.print(&list, |list| terminal::executions(list, &crate::output::style()))?;
    Ok(Ending::Fine)
}
