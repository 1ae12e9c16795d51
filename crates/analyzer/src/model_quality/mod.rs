//! The model quality monitor: predictions measured by labels, and judged by a baseline if there is one.
//!
//! Rows are typed once and kept in order, in memory or beside the results, because the spread of a metric is that over
//! subsamples of a known size, and the size is known at the end. What a run takes does not grow with the number of rows.

mod measurement;

use std::path::Path;

use jiff::Timestamp;
use watchkeeper_engine::quality::{Residuals, judge};
use watchkeeper_formats::{
    ExitMessage, MetricViolation, MetricViolations, ModelQualityConstraints, ModelQualityJob, ModelQualityStatistics,
    ProblemType,
};

use crate::metrics::model_quality_lines;
use crate::results::{self, Documents};
use crate::{Error, Level, Observer, inputs};

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
        results::exit_message(self.violations().len())
    }
}

/// Reads a baseline's constraints.
pub fn read_constraints(path: &Path, problem_type: ProblemType) -> Result<ModelQualityConstraints, Error> {
    inputs::read_constraints(path, |text| ModelQualityConstraints::parse(text, problem_type))
}

/// Reads a baseline's constraints, which say themselves of which problem type they are.
pub fn read_constraints_of_any_type(path: &Path) -> Result<ModelQualityConstraints, Error> {
    inputs::read_constraints(path, ModelQualityConstraints::parse_any)
}

/// Reads a baseline's statistics.
pub fn read_statistics(path: &Path) -> Result<ModelQualityStatistics, Error> {
    inputs::read_statistics(path, ModelQualityStatistics::parse)
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
    documents(analysis).write(folder, further)
}

fn documents(analysis: &ModelQualityAnalysis) -> Documents {
    let violations = analysis.violations();
    let document = || MetricViolations { violations: violations.to_vec() }.to_json();
    Documents {
        statistics: analysis.statistics.to_json(),
        constraints: analysis.constraints.to_json(),
        violations: (!violations.is_empty()).then(document),
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
    let lines = job.publish_cloudwatch_metrics.then(|| model_quality_lines(job, &analysis.statistics.metrics));
    let metrics = lines.as_deref().map(|lines| (job.cloudwatch_metrics_directory.as_path(), lines));
    documents(&analysis).write_with_metrics(&job.output_path, metrics)?;
    let message = analysis.exit_message();
    if let Some(script) = &job.post_analytics_processor_script {
        let message = (job.output_message_file.as_path(), &message);
        results::run_post_analytics(script, message, &job.variables, job.settings.script_time_limit, observer)?;
    }
    Ok(message)
}
