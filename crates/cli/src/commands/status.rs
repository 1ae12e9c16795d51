//! `watchkeeper status`: what the service is doing.

use clap::Args;
use serde::Serialize;
use watchkeeper_service::api::operators::{ScheduleList, ScheduleView, StatusView};

use crate::Ending;
use crate::operators::ServiceArguments;
use crate::terminal;

/// The most schedules that are shown.
const MOST_SCHEDULES: &str = "200";

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    service: ServiceArguments,
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Printed {
    #[serde(flatten)]
    status: StatusView,
    schedule_list: Vec<ScheduleView>,
}

pub(crate) fn run(arguments: &StatusArguments) -> anyhow::Result<Ending> {
    let operators = arguments.service.open()?;
    let status: StatusView = operators.get(&["status"], &[])?;
    let schedules: ScheduleList = operators.get(&["schedules"], &[("limit", Some(MOST_SCHEDULES))])?;
    let printed = Printed { status, schedule_list: schedules.schedules };
    arguments.service.print(&printed, |printed| {
        terminal::status(&printed.status, &printed.schedule_list, &crate::output::style())
    })?;
    Ok(Ending::Fine)
}
