//! The one test command: its steps in order, and what it says at the end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::step::{Context, Missing};
use crate::tally::Tally;
use crate::workspace::{Workspace, in_ci};
use crate::{backends, public_api, referee_suite, rust_checks, service_suite};

/// A step by its name on the command line.
struct Step {
    name: &'static str,
    title: &'static str,
    run: fn(&Context<'_>) -> Result<Tally>,
}

/// Cheap before dear, so that a slip shows early.
const STEPS: &[Step] = &[
    Step { name: "format", title: "formatting", run: rust_checks::format },
    Step { name: "clippy", title: "lints", run: rust_checks::clippy },
    Step { name: "documentation", title: "documentation without warnings", run: rust_checks::documentation },
    Step { name: "public-api", title: "public items of the Rust SDK as written down", run: public_api::check },
    Step { name: "deny", title: "licences, banned crates and sources of the dependencies", run: rust_checks::deny },
    Step { name: "fuzz", title: "fuzz targets compile", run: rust_checks::fuzz_targets },
    Step { name: "tests", title: "Rust tests", run: rust_checks::tests },
    Step { name: "backends", title: "store and processes on their servers", run: backends::backends },
    Step { name: "doc-tests", title: "examples in the documentation", run: rust_checks::doc_tests },
    Step { name: "referees", title: "command line against independent referees", run: referee_suite::referees },
    Step { name: "browser", title: "report in a browser", run: referee_suite::browser },
    Step { name: "service", title: "service through its users' client libraries", run: service_suite::service },
];

/// The command's options.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    only: Vec<String>,
    deny: bool,
}

impl Options {
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match (argument.as_str(), argument.strip_prefix("--only=")) {
                ("--deny", _) => options.deny = true,
                ("--only", _) => options.only.push(arguments.next().cloned().unwrap_or_default()),
                (_, Some(name)) => options.only.push(name.to_owned()),
                _ => bail!("unknown option `{argument}`"),
            }
        }
        if let Some(unknown) = options.only.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
            let known: Vec<_> = STEPS.iter().map(|step| step.name).collect();
            bail!("unknown step `{unknown}`: the steps are {}", known.join(", "));
        }
        Ok(options)
    }

    fn includes(&self, step: &Step) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == step.name)
    }
}

enum Outcome {
    Ran(Tally),
    LeftOut(String),
    Broke(String),
}

/// Runs the steps and prints the summary. True when nothing failed and, in CI, nothing was left out.
pub fn run(workspace: &Workspace, options: &Options) -> bool {
    let in_ci = in_ci();
    let context = Context { workspace, install_slow_tools: in_ci || options.deny };
    let mut total = Tally::default();
    let mut summary = String::new();
    for step in STEPS.iter().filter(|step| options.includes(step)) {
        println!("\n=== {}: {}", step.name, step.title);
        let start = Instant::now();
        let outcome = match (step.run)(&context) {
            Ok(tally) => Outcome::Ran(tally),
            Err(error) if error.is::<Missing>() => Outcome::LeftOut(format!("{error:#}")),
            Err(error) => Outcome::Broke(format!("{error:#}")),
        };
        total += counted(&outcome, in_ci);
        summary.push_str(&summary_line(step.name, &outcome, start.elapsed()));
    }
    println!("\n=== summary\n{summary}\n{} passed, {} failed", total.passed, total.failed);
    total.failed == 0
}

fn counted(outcome: &Outcome, in_ci: bool) -> Tally {
    match outcome {
        Outcome::Ran(tally) => *tally,
        Outcome::LeftOut(_) => Tally { failed: u64::from(in_ci), ..Tally::default() },
        Outcome::Broke(_) => Tally { failed: 1, ..Tally::default() },
    }
}

fn summary_line(name: &str, outcome: &Outcome, time: Duration) -> String {
    let result = match outcome {
        Outcome::Ran(Tally { passed, failed, skipped: 0 }) => format!("{passed} passed, {failed} failed"),
        Outcome::Ran(Tally { passed, failed, skipped }) => {
            format!("{passed} passed, {failed} failed, {skipped} skipped")
        }
        Outcome::LeftOut(reason) => format!("left out: {reason}"),
        Outcome::Broke(reason) => format!("failed: {reason}"),
    };
    format!("{name:<13} {:>5.0} s  {result}\n", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options> {
        Options::parse(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn steps_are_chosen_by_name() -> Result<()> {
        let options = parse(&["--only", "format", "--only=deny", "--deny"])?;
        let chosen: Vec<_> = STEPS.iter().filter(|step| options.includes(step)).map(|step| step.name).collect();
        assert_eq!(chosen, ["format", "deny"]);
        assert!(options.deny);
        assert!(STEPS.iter().all(|step| Options::default().includes(step)));
        Ok(())
    }

    #[test]
    fn a_wrong_step_is_answered_with_the_right_ones() {
        let message = parse(&["--only", "formt"]).map_err(|error| error.to_string());
        assert_eq!(
            message,
            Err("unknown step `formt`: the steps are format, clippy, documentation, public-api, deny, fuzz, tests, backends, doc-tests, referees, browser, service"
                .to_owned())
        );
    }

    #[test]
    fn what_was_left_out_fails_in_ci_alone() {
        let left_out = Outcome::LeftOut("no browser".to_owned());
        assert_eq!(counted(&left_out, false).failed, 0);
        assert_eq!(counted(&left_out, true).failed, 1);
        assert!(summary_line("browser", &left_out, Duration::ZERO).contains("left out: no browser"));
    }
}
