//! `watchkeeper analyze`: a job by its contract, so that a runner can take this program for AWS's image.
//!
//! However it ends, there is an exit message, and the last line of the log says the same.

use watchkeeper_analyzer::image::{Image, Job};
use watchkeeper_analyzer::{Error, Level, leave_message, log_line};
use watchkeeper_formats::ExitMessage;

use crate::Ending;
use crate::arguments::{AnalyzeArguments, Analyzer};
use crate::watcher::Watcher;

pub(crate) fn run(arguments: &AnalyzeArguments) -> anyhow::Result<Ending> {
    let image = match arguments.analyzer {
        Analyzer::ModelMonitorAnalyzer => Image::ModelMonitorAnalyzer,
        Analyzer::GroundtruthMerger => Image::GroundTruthMerger,
        Analyzer::ClarifyProcessing => Image::ClarifyProcessing,
    };
    let job = Job::new(image, crate::environment())?;
    let contract = job.contract().clone();
    let watcher = Watcher::for_log(move || {
        let message = ExitMessage::Error(Error::Stopped.to_string());
        let left = leave_message(&contract, &message).map_or_else(|error| error.to_string(), |()| message.to_string());
        crate::output::say(&log_line(Level::Error, &left));
        1
    })?;
    let well = job.run(arguments.run.threads(), &watcher)?;
    Ok(if well { Ending::Fine } else { Ending::JobFailed })
}
