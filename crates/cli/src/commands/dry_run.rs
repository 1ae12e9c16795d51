//! `--dry-run-script`: what a preprocessor makes of each record of a capture file.

use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::Path;

use anyhow::Context as _;
use watchkeeper_analyzer::ScriptError;

use crate::Ending;
use crate::arguments::DatasetArguments;
use crate::watcher::Watcher;

pub(crate) fn run(dataset: &DatasetArguments, script: &Path) -> anyhow::Result<Ending> {
    let watcher = Watcher::for_dry_run()?;
    let job = dataset.job()?;
    let files = watchkeeper_data::list(&dataset.source)?;
    let file = files.first().with_context(|| format!("there is no file in {}", dataset.source.display()))?;
    let lines = BufReader::new(file.open()?).lines();
    let mut out = anstream::stdout().lock();
    let limit = job.settings.script_time_limit;
    let summary = match watchkeeper_analyzer::dry_run(script, lines, &job.variables, limit, &watcher, &mut out) {
        // Whoever reads has seen enough.
        Err(ScriptError::Report(error)) if error.kind() == ErrorKind::BrokenPipe => return Ok(Ending::Fine),
        summary => summary?,
    };
    drop(out);
    crate::output::print(&format!(
        "{} records: {} rows, {} skipped, {} unchanged, {} unreadable\n",
        summary.records, summary.rows, summary.skipped, summary.unchanged, summary.unreadable
    ))?;
    Ok(Ending::Fine)
}
