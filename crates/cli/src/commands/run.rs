//! `watchkeeper run`: one schedule, now.

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;
use watchkeeper_formats::{ConstraintViolations, MetricViolations};
use watchkeeper_service::api::operators::{ExecutionDetail, ExecutionView, RunRequest};

use crate::Ending;
use crate::operators::{Operators, PAUSE, Patience, ServiceArguments, moment};
use crate::terminal;

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct RunArguments {
    /// The schedule.
    #[arg(value_name = "SCHEDULE")]
    schedule: String,
    /// Start of the window, 2026-01-31T23:00:00Z or a time ago such as -PT6H; one period before its end unless given.
    #[arg(long, value_name = "TIME", value_parser = moment, allow_hyphen_values = true)]
    from: Option<String>,
    /// End of the window; now unless given.
    #[arg(long, value_name = "TIME", value_parser = moment, allow_hyphen_values = true)]
    to: Option<String>,
    /// Do not wait for the result.
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    service: ServiceArguments,
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Printed {
    #[serde(flatten)]
    detail: ExecutionDetail,
    /// The document of violations, when there are any.
    violations_document: Option<serde_json::Value>,
}

pub(crate) fn run(arguments: &RunArguments) -> anyhow::Result<Ending> {
    let operators = arguments.service.open()?;
    let request = RunRequest { from: arguments.from.clone(), to: arguments.to.clone() };
    let execution: ExecutionView = operators.post(&["schedules", &arguments.schedule, "run"], &request)?;
    if arguments.no_wait {
        arguments.service.print(&execution, terminal::run_started)?;
        return Ok(Ending::Fine);
    }
    let detail = wait(&operators, &execution.id)?;
    let violations = match &detail.violations {
        Some(address) => operators.object(address)?,
        None => None,
    };
    let text = violations.map(String::from_utf8).transpose()?;
    let printed = Printed { violations_document: text.as_deref().map(serde_json::from_str).transpose()?, detail };
    arguments.service.print(&printed, |printed| shown(printed, text.as_deref()))?;
    let execution = &printed.detail.execution;
    match execution.status.as_deref() {
        Some("Completed") => Ok(Ending::Fine),
        Some("CompletedWithViolations") => Ok(Ending::Violations),
        status => {
            let reason = execution.reason.as_deref().unwrap_or("no reason was given");
            bail!(
                "the execution is {}: {reason}; `watchkeeper why {}` says more",
                status.unwrap_or("not started"),
                execution.schedule
            );
        }
    }
}

/// The execution at its end.
fn wait(operators: &Operators, id: &str) -> anyhow::Result<ExecutionDetail> {
    let mut patience = Patience::default();
    loop {
        match operators.get::<ExecutionDetail>(&["executions", id], &[]) {
            Ok(detail) if detail.is_over => return Ok(detail),
            Ok(_) => patience.renew(),
            Err(error) => patience
                .bear(error)
                .with_context(|| format!("the execution {id} goes on, but its service does not answer"))?,
        }
        operators.pause(PAUSE);
    }
}

/// The execution, and its violations where they are those of a dataset or of metrics; other monitors' as they are.
fn shown(printed: &Printed, violations: Option<&str>) -> String {
    let style = crate::output::style();
    let mut text = terminal::execution(&printed.detail, &style);
    if let Some(violations) = violations {
        text.push('\n');
        if let Ok(document) = ConstraintViolations::parse(violations) {
            text.push_str(&terminal::violations(&document, &style));
        } else if let Ok(document) = MetricViolations::parse(violations) {
            text.push_str(&terminal::quality_violations(&document, &style));
        } else {
            text.push_str(violations);
            text.push('\n');
        }
    }
    text
}
