//! `watchkeeper remerge`: past windows again, with the labels that have come since.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;
use watchkeeper_formats::{MetricViolations, ModelQualityStatistics};
use watchkeeper_service::api::operators::{
    ExecutionDetail, RemergeAnswer, RemergeRequest, RemergedWindowView, WhyView, WindowView,
};

use crate::Ending;
use crate::operators::{Operators, PAUSE, Patience, ServiceArguments, moment};
use crate::terminal::{self, Finding, RemergedWindow};

/// How often it is asked whether an execution that is not there yet is still to come.
const LOOK: Duration = Duration::from_secs(5);

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct RemergeArguments {
    /// The schedule.
    #[arg(value_name = "SCHEDULE")]
    schedule: String,
    /// Only windows that end after this moment: a time ago such as 2d, 6h or -PT6H, or 2026-01-31T23:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = since, allow_hyphen_values = true)]
    since: Option<String>,
    /// Say only which windows have labels that have come since.
    #[arg(long)]
    dry_run: bool,
    /// Do not wait for the results.
    #[arg(long, conflicts_with = "dry_run")]
    no_wait: bool,
    #[command(flatten)]
    service: ServiceArguments,
}

/// What `--format json` prints of a remerge that was waited for.
#[derive(Serialize)]
struct Printed {
    windows: Vec<PrintedWindow>,
    unchanged: u64,
    without_captures: u64,
}

#[derive(Serialize)]
struct PrintedWindow {
    window: WindowView,
    before: PrintedFinding,
    after: PrintedFinding,
}

#[derive(Serialize)]
struct PrintedFinding {
    #[serde(flatten)]
    detail: ExecutionDetail,
    /// Scalar metrics, those that are numbers.
    metrics: serde_json::Map<String, serde_json::Value>,
    /// How many constraints are violated; none where there is no result.
    violated: Option<u64>,
}

pub(crate) fn run(arguments: &RemergeArguments) -> anyhow::Result<Ending> {
    let operators = arguments.service.open()?;
    let request = RemergeRequest { since: arguments.since.clone(), dry_run: arguments.dry_run };
    let schedule = arguments.schedule.as_str();
    let answer: RemergeAnswer = operators.post(&["schedules", schedule, "remerge"], &request)?;
    let style = crate::output::style();
    if arguments.dry_run || arguments.no_wait || answer.windows.is_empty() {
        arguments
            .service
            .print(&answer, |answer| terminal::remerge_plan(answer, schedule, arguments.dry_run, &style))?;
        return Ok(Ending::Fine);
    }
    let is_text = matches!(arguments.service.format, crate::arguments::OutputFormat::Text);
    let mut windows = Vec::new();
    for window in &answer.windows {
        let remerged = wait(&operators, schedule, window)?;
        if is_text {
            // A window takes its time, and there may be many.
            crate::output::print(&terminal::remerged_window(&remerged, &style))?;
        }
        windows.push(remerged);
    }
    let ending = ending(&windows);
    let printed = Printed {
        windows: windows.iter().map(printed).collect(),
        unchanged: answer.unchanged,
        without_captures: answer.without_captures,
    };
    arguments.service.print(&printed, |_| terminal::remerge_rest(&answer, schedule, &style))?;
    ending
}

/// Violations that are there now, or the first window that has failed.
fn ending(windows: &[RemergedWindow]) -> anyhow::Result<Ending> {
    let status = |window: &RemergedWindow| window.after.detail.execution.status.clone().unwrap_or_default();
    let is_good = |window: &&RemergedWindow| ["Completed", "CompletedWithViolations"].contains(&&*status(window));
    if let Some(failed) = windows.iter().find(|window| !is_good(window)) {
        let reason = failed.after.detail.execution.reason.as_deref().unwrap_or("no reason was given");
        bail!("the window {} to {} is {}: {reason}", failed.window.start, failed.window.end, status(failed));
    }
    let has_violations = windows.iter().any(|window| status(window) == "CompletedWithViolations");
    Ok(if has_violations { Ending::Violations } else { Ending::Fine })
}

/// A window before and after, once that is known.
fn wait(operators: &Operators, schedule: &str, window: &RemergedWindowView) -> anyhow::Result<RemergedWindow> {
    let before = finding(operators, operators.get(&["executions", &window.earlier], &[])?)?;
    let (mut looked, mut patience) = (Instant::now(), Patience::default());
    let after = loop {
        match operators.find::<ExecutionDetail>(&["executions", &window.id]) {
            Ok(Some(detail)) if detail.is_over => break detail,
            Ok(Some(_)) => patience.renew(),
            Ok(None) => {
                patience.renew();
                if looked.elapsed() > LOOK {
                    looked = Instant::now();
                    let why: WhyView = operators.get(&["schedules", schedule, "why"], &[])?;
                    let is_known =
                        matches!(operators.find::<ExecutionDetail>(&["executions", &window.id]), Ok(Some(_)));
                    if why.schedule.remerge_left == 0 && !is_known {
                        bail!("the remerge of {schedule} was given up: was the schedule made anew?");
                    }
                }
            }
            Err(error) => {
                patience.bear(error).context("the remerge goes on, but its service does not answer")?;
            }
        }
        operators.pause(PAUSE);
    };
    Ok(RemergedWindow { window: window.window.clone(), before, after: finding(operators, after)? })
}

/// What an execution found: its metrics and violations, as far as it came to any.
fn finding(operators: &Operators, detail: ExecutionDetail) -> anyhow::Result<Finding> {
    let text = |address: &str| -> anyhow::Result<Option<String>> {
        Ok(operators.object(address)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    };
    let status = detail.execution.status.as_deref();
    let has_results = matches!(status, Some("Completed" | "CompletedWithViolations"));
    let Some(results) = detail.results.clone().filter(|_| has_results) else {
        return Ok(Finding { detail, metrics: Vec::new(), violated: None });
    };
    let statistics = text(&format!("{}/statistics.json", results.trim_end_matches('/')))?;
    // Those of other monitors and of own images are theirs.
    let statistics = statistics.and_then(|text| ModelQualityStatistics::parse(&text).ok());
    let metrics = statistics.map_or_else(Vec::new, |statistics| {
        let metrics = statistics.metrics.scalars().into_iter();
        metrics.map(|(name, metric)| (name.to_owned(), metric.value)).collect()
    });
    let violated = match &detail.violations {
        None => Some(0),
        Some(address) => {
            let violations = text(address)?.and_then(|text| MetricViolations::parse(&text).ok());
            violations.map(|document| document.violations.len() as u64)
        }
    };
    Ok(Finding { detail, metrics, violated })
}

fn printed(window: &RemergedWindow) -> PrintedWindow {
    let finding = |finding: &Finding| PrintedFinding {
        detail: finding.detail.clone(),
        metrics: finding.metrics.iter().map(|(name, value)| (name.clone(), (*value).into())).collect(),
        violated: finding.violated,
    };
    PrintedWindow { window: window.window.clone(), before: finding(&window.before), after: finding(&window.after) }
}

/// A moment of the command line, or so long ago as `2d`, `6h` or `30m` say.
fn since(text: &str) -> Result<String, String> {
    let ago = [('d', "-P", "D"), ('h', "-PT", "H"), ('m', "-PT", "M")].into_iter().find_map(|(unit, before, after)| {
        let number = text.strip_suffix(unit)?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| format!("{before}{number}{after}"))
    });
    let words = "write it as 2d, 6h, -PT1H or 2026-01-31T23:00:00Z";
    moment(ago.as_deref().unwrap_or(text)).map_err(|_| words.to_owned())
}
