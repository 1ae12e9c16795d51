//! `watchkeeper logs`: the log of a job.

use std::time::Duration;

use clap::Args;
use watchkeeper_service::api::operators::LogPage;

use crate::Ending;
use crate::arguments::OutputFormat;
use crate::operators::ServiceArguments;
use crate::terminal;

/// How long to wait for more lines.
const PAUSE: Duration = Duration::from_millis(500);

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct LogsArguments {
    /// The processing job.
    #[arg(value_name = "JOB")]
    job: String,
    /// Show lines as they come until the job ends.
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    service: ServiceArguments,
}

pub(crate) fn run(arguments: &LogsArguments) -> anyhow::Result<Ending> {
    let operators = arguments.service.open()?;
    let mut after: Option<String> = None;
    loop {
        let page: LogPage = operators.get(&["jobs", &arguments.job, "logs"], &[("after", after.as_deref())])?;
        for line in &page.lines {
            let shown = match arguments.service.format {
                OutputFormat::Json => serde_json::to_string(line)? + "\n",
                OutputFormat::Text => terminal::log_line(line, &crate::output::style()),
            };
            crate::output::print(&shown)?;
        }
        let is_end = page.lines.is_empty() && (page.is_over || !arguments.follow);
        if is_end {
            return Ok(Ending::Fine);
        }
        if page.lines.is_empty() {
            operators.pause(PAUSE);
        }
        after = Some(page.next);
    }
}
