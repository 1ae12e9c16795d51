//! What a monitor's job leaves behind, whichever monitor it is: documents, metrics, and what a user's script makes of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use watchkeeper_formats::contract::CLOUDWATCH_METRICS_FILE;
use watchkeeper_formats::{ExitMessage, MetricLine};

use crate::output::Output;
use crate::{Error, Level, Observer, post_analytics};

/// The texts of an analysis' documents.
pub(crate) struct Documents {
    pub(crate) statistics: String,
    pub(crate) constraints: String,
    /// None where nothing was violated.
    pub(crate) violations: Option<String>,
}

impl Documents {
    /// Writes them to a folder, with `further` files beside them: all or none.
    pub(crate) fn write(&self, folder: &Path, further: &[(&str, String)]) -> Result<(), Error> {
        let mut output = Output::default();
        self.add_to(&mut output, folder)?;
        for (name, content) in further {
            output.add(&folder.join(name), content.as_bytes())?;
        }
        output.finish()
    }

    /// Writes them to a folder, and the lines of metrics, if there are to be any, to another: all or none.
    pub(crate) fn write_with_metrics(
        &self,
        folder: &Path,
        metrics: Option<(&Path, &[MetricLine])>,
    ) -> Result<(), Error> {
        let mut output = Output::default();
        self.add_to(&mut output, folder)?;
        if let Some((folder, lines)) = metrics {
            add_metrics(&mut output, folder, lines)?;
        }
        output.finish()
    }

    fn add_to(&self, output: &mut Output, folder: &Path) -> Result<(), Error> {
        output.add(&folder.join("statistics.json"), self.statistics.as_bytes())?;
        output.add(&folder.join("constraints.json"), self.constraints.as_bytes())?;
        output.add_or_remove(&folder.join("constraint_violations.json"), self.violations.as_deref())
    }
}

/// Adds the lines of metrics to files that are to appear with them.
pub(crate) fn add_metrics(output: &mut Output, folder: &Path, lines: &[MetricLine]) -> Result<(), Error> {
    let lines: String = lines.iter().map(|line| line.to_json_line() + "\n").collect();
    output.add(&folder.join(CLOUDWATCH_METRICS_FILE), lines.as_bytes())
}

/// The message of a job that has found so many violations.
pub(crate) fn exit_message(violations: usize) -> ExitMessage {
    match violations {
        0 => ExitMessage::Completed,
        count => ExitMessage::CompletedWithViolations(count as u64),
    }
}

/// Runs the post-analytics script, which finds the exit message in its file.
pub(crate) fn run_post_analytics(
    script: &Path,
    (message_file, message): (&Path, &ExitMessage),
    variables: &BTreeMap<String, String>,
    time_limit: Duration,
    observer: &dyn Observer,
) -> Result<(), Error> {
    crate::output::write(message_file, message.to_string().as_bytes())?;
    observer.log(Level::Info, "Invoking customer's post-processing script...");
    Ok(post_analytics(script, variables, time_limit, observer)?)
}
