//! The Clarify monitors: bias and feature attribution, as processing jobs and as monitors' executions.
//!
//! A job is planned from its configuration, its table is read, its model is asked, its documents are written: all or none.

mod attributions;
mod background;
mod bias;
mod check;
mod datasets;
mod dependence;
mod documents;
mod error;
mod explanations;
mod job;
mod material;
mod metric_lines;
mod objects;
mod places;
mod plan;
mod predicting;
mod resume;
mod scoring;
mod task;
mod traffic;
mod workers;

use std::path::PathBuf;

use watchkeeper_engine::bias::MetricSpread;
use watchkeeper_formats::ExitMessage;
use watchkeeper_formats::clarify::{Analysis, AnalysisConfig, ClarifyViolation, PredictorConfig, ReportConfig};

use crate::predictor::ModelPlace;
use crate::{Error, Observer, results};

pub use documents::{read_baseline, write_documents};
pub use error::ClarifyError;
pub(crate) use job::run;
pub use resume::forget;
pub use scoring::FailedRows;

use places::Places;
use plan::Plan;
use task::{Source, Task};

/// What is to be analysed by somebody at a terminal: a processing job without a contract.
#[derive(Clone, Debug)]
pub struct ClarifyRequest {
    /// The configuration.
    pub config: AnalysisConfig,
    /// File or folder of the dataset.
    pub dataset: PathBuf,
    /// The model, where one is needed.
    pub model: Option<ModelPlace>,
    /// The baseline's `analysis.json`, where drift is to be looked for.
    pub baseline: Option<Analysis>,
    /// Level of the interval that a bias metric must leave.
    pub bias_interval: Option<f64>,
    /// Below it an order of features has drifted.
    pub ndcg_threshold: f64,
    /// Keeps the attributions computed so far, so that an interrupted run can go on: a folder.
    pub resume: Option<PathBuf>,
    /// Bootstrap resamples for the intervals of a report.
    pub resamples: u32,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct ClarifyAnalysis {
    /// The document.
    pub analysis: Analysis,
    /// The violations, where there is a baseline.
    pub violations: Option<Vec<ClarifyViolation>>,
    /// Spreads of bias metrics.
    pub spreads: Vec<MetricSpread>,
    /// Attributions of every row.
    pub local: Option<LocalAttributions>,
    /// Whether those are a document of their own, `explanations_shap/out.csv`.
    pub saves_local: bool,
    /// The report that is asked for.
    pub report: Option<ReportConfig>,
    /// Background rows as a table: names of features, rows of cells as written (empty: missing).
    pub background: Option<(Vec<String>, Vec<Vec<String>>)>,
    /// How it was analysed, for reports: name and value.
    pub parameters: Vec<(String, String)>,
    /// What the reader should know.
    pub notes: Vec<String>,
}

impl ClarifyAnalysis {
    /// The message of a job of a monitor that has come to this end.
    pub fn exit_message(&self) -> ExitMessage {
        results::exit_message(self.violations.as_ref().map_or(0, Vec::len))
    }
}

/// Attributions of single rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocalAttributions {
    /// The features that are explained.
    pub features: Vec<String>,
    /// The scores.
    pub labels: Vec<String>,
    /// Row after row: label after label, feature after feature.
    pub values: Vec<f64>,
    /// The cells of the explained rows as written, row after row, feature after feature, for reports.
    pub cells: Vec<String>,
    /// Scores of the explained rows before the link: row after row, label after label.
    pub predictions: Vec<f64>,
    /// The join column's name and cells, where there is one.
    pub join: Option<(String, Vec<String>)>,
}

/// Analyses. Nothing is written but what `resume` asks for; [`forget`] it when the documents are.
pub fn analyze(request: &ClarifyRequest, threads: usize, observer: &dyn Observer) -> Result<ClarifyAnalysis, Error> {
    let mut config = request.config.clone();
    if request.model.is_some() && config.predictor.is_none() {
        config.predictor = Some(PredictorConfig::default());
    }
    let task = Task {
        plan: Plan::of_processing(config)?,
        source: Source::Dataset(&request.dataset),
        model: request.model.clone(),
        job_name: None,
        places: Places { contract: None, service: None },
        baseline: request.baseline.as_ref(),
        bias_interval: request.bias_interval,
        ndcg_threshold: request.ndcg_threshold,
        resume: request.resume.as_deref(),
        resamples: request.resamples,
        threads,
        observer,
    };
    task.carry_out()
}
