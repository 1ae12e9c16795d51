//! The model quality monitor: predictions measured by labels, and judged by a baseline if there is one.
//!
//! Rows are typed once and kept in order, in memory or beside the results, because the spread of a metric is that over
//! subsamples of a known size, and the size is known at the end. What a run takes does not grow with the number of rows.

mod measurement;

use std::path::Path;

use jiff::Timestamp;
use watchkeeper_engine::quality::{Residuals, judge};
use watchkeeper_formats::contract::CLOUDWATCH_METRICS_FILE;
use watchkeeper_formats::{
    ExitMessage, MetricViolation, MetricViolations, ModelQualityConstraints, ModelQualityJob, ModelQualityStatistics,
    ProblemType,
};

use crate::metrics::model_quality_lines;
use crate::output::Output;
use crate::{Error, Level, Observer, post_analytics};

/// What a run found out.
#[derive(Clone, Debug)]
pub struct ModelQualityAnalysis {
    /// Metrics of the dataset.
    pub statistics: ModelQualityStatistics,
    /// Constraints that it suggests.
    pub constraints: ModelQualityConstraints,
    /// The constraints it was judged by, and what violates them.
    pub judged: Option<(ModelQualityConstraints, Vec<MetricViolation>)>,
    /// What predictions of a regression are off by.
    pub residuals: Option<Residuals>,
    /// What the reader should know: rows dropped and why, how labels were mapped, constraints that were not evaluated.
    pub notes: Vec<String>,
}

impl ModelQualityAnalysis {
    /// The violations.
    pub fn violations(&self) -> &[MetricViolation] {
        self.judged.as_ref().map_or(&[], |(_, violations)| violations)
    }

    /// The message of a job that has come to this end.
    pub fn exit_message(&self) -> ExitMessage {
        match self.violations().len() {
            0 => ExitMessage::Completed,
            count => ExitMessage::CompletedWithViolations(count as u64),
        }
    }
}

/// Reads a baseline's constraints.
pub fn read_constraints(path: &Path, problem_type: ProblemType) -> Result<ModelQualityConstraints, Error> {
    read(path, |text| ModelQualityConstraints::parse(text, problem_type))
}

/// Reads a baseline's constraints, which say themselves of which problem type they are.
pub fn read_constraints_of_any_type(path: &Path) -> Result<ModelQualityConstraints, Error> {
    read(path, ModelQualityConstraints::parse_any)
}

fn read(
    path: &Path,
    parse: impl FnOnce(&str) -> Result<ModelQualityConstraints, watchkeeper_formats::Error>,
) -> Result<ModelQualityConstraints, Error> {
    let failed = |problem: String| Error::BaselineConstraints { path: path.to_owned(), problem };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    parse(&text).map_err(|error| failed(error.to_string()))
}

/// Reads a baseline's statistics.
pub fn read_statistics(path: &Path) -> Result<ModelQualityStatistics, Error> {
    let failed = |problem: String| Error::BaselineStatistics { path: path.to_owned(), problem };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    ModelQualityStatistics::parse(&text).map_err(|error| failed(error.to_string()))
}

/// Measures the job's dataset and judges it. Nothing is written but scratch files without names.
pub fn analyze(
    job: &ModelQualityJob,
    baseline: Option<ModelQualityConstraints>,
    observer: &dyn Observer,
) -> Result<ModelQualityAnalysis, Error> {
    let measured = measurement::measure(job, observer)?;
    let mut notes = measured.notes;
    let constraints = ModelQualityConstraints::suggest(&measured.metrics);
    let judged = baseline.map(|baseline| {
        let (violations, remarks) = judge(&measured.metrics, &baseline);
        // A remark is of a constraint that was not evaluated.
        let is_nothing_judged = remarks.len() == baseline.constraints.len();
        notes.extend(remarks);
        if is_nothing_judged {
            notes.push("nothing was judged: there is no constraint that could be evaluated".to_owned());
        }
        (baseline, violations)
    });
    for note in &notes {
        observer.log(Level::Warning, note);
    }
    Ok(ModelQualityAnalysis {
        statistics: ModelQualityStatistics {
            item_count: measured.item_count,
            evaluation_time: Some(format!("{:.3}", Timestamp::now())),
            metrics: measured.metrics,
        },
        constraints,
        judged,
        residuals: measured.residuals,
        notes,
    })
}

/// Writes the documents of an analysis to a folder, with `further` files beside them: all or none.
pub fn write_documents(
    folder: &Path,
    analysis: &ModelQualityAnalysis,
    further: &[(&str, String)],
) -> Result<(), Error> {
    let mut output = Output::default();
    add_documents(&mut output, folder, analysis)?;
    for (name, content) in further {
        output.add(&folder.join(name), content.as_bytes())?;
    }
    output.finish()
}

fn add_documents(output: &mut Output, folder: &Path, analysis: &ModelQualityAnalysis) -> Result<(), Error> {
    output.add(&folder.join("statistics.json"), analysis.statistics.to_json().as_bytes())?;
    output.add(&folder.join("constraints.json"), analysis.constraints.to_json().as_bytes())?;
    let path = folder.join("constraint_violations.json");
    match analysis.violations() {
        // One of an earlier run would tell of it.
        [] => {
            output.remove(&path);
            Ok(())
        }
        violations => {
            let document = MetricViolations { violations: violations.to_vec() };
            output.add(&path, document.to_json().as_bytes())
        }
    }
}

/// Carries out a model quality job: reads, judges, writes documents and metrics, runs the post-analytics script.
pub(crate) fn run(job: &ModelQualityJob, observer: &dyn Observer) -> Result<ExitMessage, Error> {
    crate::output::check_folder(&job.output_path)?;
    let path = job.baseline_constraints.as_deref();
    let baseline = path.map(|path| read_constraints(path, job.problem_type)).transpose()?;
    let analysis = analyze(job, baseline, observer)?;
    if observer.stopped() {
        return Err(Error::Stopped);
    }
    let mut output = Output::default();
    add_documents(&mut output, &job.output_path, &analysis)?;
    if job.publish_cloudwatch_metrics {
        let lines = model_quality_lines(job, &analysis.statistics.metrics);
        let lines: String = lines.iter().map(|line| line.to_json_line() + "\n").collect();
        output.add(&job.cloudwatch_metrics_directory.join(CLOUDWATCH_METRICS_FILE), lines.as_bytes())?;
    }
    output.finish()?;
    let message = analysis.exit_message();
    if let Some(script) = &job.post_analytics_processor_script {
        // The script may read it.
        crate::output::write(&job.output_message_file, message.to_string().as_bytes())?;
        observer.log(Level::Info, "Invoking customer's post-processing script...");
        post_analytics(script, &job.variables, job.settings.script_time_limit, observer)?;
    }
    Ok(message)
}
