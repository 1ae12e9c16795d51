//! Carrying out a job: from its contract to its documents, reports, metrics and exit message.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use watchkeeper_formats::clarify::{Analysis, AnalysisConfig};
use watchkeeper_formats::{ClarifyJob, ClarifyKind, ExitMessage};

use super::documents::{self, read_baseline};
use super::metric_lines::metric_lines;
use super::places::Places;
use super::plan::Plan;
use super::task::{Source, Task};
use super::{ClarifyAnalysis, ClarifyError};
use crate::output::Output;
use crate::predictor::ModelPlace;
use crate::report::ClarifyReport;
use crate::{Error, Observer, results};

/// Resamples of the intervals of a report.
const RESAMPLES: u32 = 100;

/// Carries out a job: reads, asks, judges, writes documents, reports and metrics.
pub(crate) fn run(job: &ClarifyJob, threads: usize, observer: &dyn Observer) -> Result<ExitMessage, Error> {
    crate::output::check_folder(&job.output_path)?;
    let baseline = job.baseline_constraints.as_deref().map(read_baseline).transpose()?;
    let (plan, source) = plan(job)?;
    let url = job.predictor_url.clone().map(ModelPlace::Url);
    let task = Task {
        resamples: if plan.report().is_some() { RESAMPLES } else { 0 },
        plan,
        source,
        model: url.or_else(|| job.service.clone().map(ModelPlace::Service)),
        job_name: job.job_name.as_deref(),
        places: Places { contract: Some(&job.contract), service: job.service.as_ref() },
        baseline: baseline.as_ref(),
        bias_interval: job.bias_interval,
        ndcg_threshold: job.ndcg_threshold,
        resume: None,
        threads,
        observer,
    };
    let found = task.carry_out()?;
    if observer.stopped() {
        return Err(Error::Stopped);
    }
    write(job, &found, baseline.as_ref())?;
    Ok(match (&job.kind, found.exit_message()) {
        (ClarifyKind::Processing, ExitMessage::Completed) => ExitMessage::XaiCompleted,
        (_, message) => message,
    })
}

fn plan(job: &ClarifyJob) -> Result<(Plan, Source<'_>), Error> {
    let text = read_config(&job.analysis_config)?;
    let of_monitor = || AnalysisConfig::parse_of_monitor(&text).map_err(ClarifyError::from);
    Ok(match &job.kind {
        ClarifyKind::Processing => {
            let config = AnalysisConfig::parse(&text).map_err(ClarifyError::from)?;
            (Plan::of_processing(config)?, Source::Dataset(&job.dataset))
        }
        ClarifyKind::BiasMonitor(traffic) => (Plan::of_bias_monitor(of_monitor()?)?, Source::Traffic(traffic)),
        ClarifyKind::ExplainabilityMonitor(traffic) => {
            let mut config = of_monitor()?;
            config.features = config.features.or_else(|| traffic.features_attribute.clone());
            (Plan::of_explainability_monitor(config)?, Source::Traffic(traffic))
        }
    })
}

/// Reads the configuration. The `ConfigUri` of a definition may have any name, which its file then has in the folder.
fn read_config(path: &Path) -> Result<String, ClarifyError> {
    let failed = |source| ClarifyError::ConfigFile { path: path.to_owned(), source };
    let absent = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => error,
        read => return read.map_err(failed),
    };
    let Some(other) = path.parent().and_then(only_json) else { return Err(failed(absent)) };
    std::fs::read_to_string(&other).map_err(|source| ClarifyError::ConfigFile { path: other, source })
}

/// The JSON file of a folder, where it has just one.
fn only_json(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut json = files.filter(|file| file.extension().is_some_and(|extension| extension == "json"));
    json.next().filter(|_| json.next().is_none())
}

/// Documents, reports and metrics: all or none.
fn write(job: &ClarifyJob, found: &ClarifyAnalysis, baseline: Option<&Analysis>) -> Result<(), Error> {
    let mut output = Output::default();
    let reports = reports(found, baseline);
    let reports = reports.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    documents::add_to(&mut output, &job.output_path, found, reports)?;
    if let ClarifyKind::BiasMonitor(traffic) | ClarifyKind::ExplainabilityMonitor(traffic) = &job.kind
        && traffic.publish_cloudwatch_metrics
    {
        let lines = metric_lines(traffic, &found.analysis);
        results::add_metrics(&mut output, &job.cloudwatch_metrics_directory, &lines)?;
    }
    output.finish()
}

/// The reports that are asked for: names of files and their texts.
fn reports(found: &ClarifyAnalysis, baseline: Option<&Analysis>) -> Vec<(String, String)> {
    let Some(config) = &found.report else { return Vec::new() };
    let report = ClarifyReport::of(config.title.clone(), found, baseline);
    vec![(format!("{}.html", config.name), report.to_html()), (format!("{}.ipynb", config.name), report.to_notebook())]
}
