//! `watchkeeper quality`: what a model's predictions are worth, measured by labels.

mod baseline;
mod check;
mod merge;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use watchkeeper_analyzer::model_quality::ModelQualityAnalysis;
use watchkeeper_analyzer::report::{QualityDocuments, QualityRun};
use watchkeeper_formats::contract::JOB_ROOT;
use watchkeeper_formats::{JobContract, ModelQualityConstraints, ModelQualityJob, ModelQualityStatistics, ProblemType};

use crate::Ending;
use crate::arguments::{DatasetArguments, OutputFormat, RunArguments};

#[derive(Args)]
pub(crate) struct QualityArguments {
    #[command(subcommand)]
    action: QualityAction,
}

#[derive(Subcommand)]
enum QualityAction {
    /// Measure predictions by labels, and suggest constraints for datasets to come.
    Baseline(QualityBaselineArguments),
    /// Measure predictions by labels, and judge them by a baseline.
    Check(QualityCheckArguments),
    /// Merge captured predictions with labels that came later, for `check` to read.
    Merge(QualityMergeArguments),
}

#[derive(Args)]
struct QualityBaselineArguments {
    #[command(flatten)]
    scored: ScoredArguments,
    /// Folder for statistics.json, constraints.json and report.html.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

#[derive(Args)]
struct QualityCheckArguments {
    #[command(flatten)]
    scored: ScoredArguments,
    /// Folder with a baseline's constraints.json and statistics.json, or a dataset to make the baseline of.
    #[arg(long, value_name = "DIR|DATASET", required_unless_present = "dry_run_script")]
    baseline: Option<PathBuf>,
    /// Constraints to use in place of the baseline's.
    #[arg(long, value_name = "FILE")]
    constraints: Option<PathBuf>,
    /// Folder for the documents and report.html.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

#[derive(Args)]
struct QualityMergeArguments {
    /// Folder of captured data, `<endpoint>/<variant>/yyyy/mm/dd/hh` or only `yyyy/mm/dd/hh` below it.
    #[arg(long, value_name = "DIR")]
    captures: PathBuf,
    /// Folder of labels, `yyyy/mm/dd/hh` below it.
    #[arg(long, value_name = "DIR")]
    ground_truth: PathBuf,
    /// Folder for the merged records, laid out as the captures are, and the report of the merge below `_reports`.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// What a batch transform wrote (AWS's JSON form of csv or json), where the captures are those of one.
    #[arg(long, value_name = "FORMAT")]
    dataset_format: Option<String>,
    /// Table or JSON.
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    #[command(flatten)]
    run: RunArguments,
}

/// A dataset with predictions and labels, and where they are in its records: by a column's name or place, by a member's
/// name or path.
#[derive(Args, Clone)]
struct ScoredArguments {
    #[command(flatten)]
    dataset: DatasetArguments,
    /// What the model predicts; a check knows it from the baseline's constraints.
    #[arg(long, value_name = "Regression|BinaryClassification|MulticlassClassification")]
    problem_type: Option<ProblemType>,
    /// Where the prediction is.
    #[arg(long, value_name = "NAME|INDEX|PATH")]
    inference_attribute: Option<String>,
    /// Where the probability of class 1 is, or a list of the classes' probabilities.
    #[arg(long, value_name = "NAME|INDEX|PATH")]
    probability_attribute: Option<String>,
    /// Where the label is; of merged records, the member of a label that is an object.
    #[arg(long, value_name = "NAME|INDEX|PATH")]
    ground_truth_attribute: Option<String>,
    /// A probability above it predicts class 1; 0.5 unless given.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    probability_threshold_attribute: Option<f64>,
}

pub(crate) fn run(arguments: &QualityArguments) -> anyhow::Result<Ending> {
    match &arguments.action {
        QualityAction::Baseline(arguments) => baseline::run(arguments),
        QualityAction::Check(arguments) => check::run(arguments),
        QualityAction::Merge(arguments) => merge::run(arguments),
    }
}

impl ScoredArguments {
    /// The job that measures this dataset; it writes nothing by itself.
    fn job(&self, problem_type: ProblemType, output: Option<&std::path::Path>) -> anyhow::Result<ModelQualityJob> {
        let environment = crate::environment();
        let mut variables = environment.clone();
        // Settings hold for whoever works at the terminal; what a job would be told is said by arguments.
        variables.retain(|name, _| name.starts_with("WATCHKEEPER_") && name != JOB_ROOT);
        let threshold = self.probability_threshold_attribute.map(|threshold| threshold.to_string());
        let said = [
            ("analysis_type", Some("MODEL_QUALITY".to_owned())),
            ("problem_type", Some(problem_type.to_string())),
            ("dataset_format", Some(self.dataset.resolved_format()?.to_json_text())),
            ("dataset_source", Some(self.dataset.source.display().to_string())),
            ("output_path", Some(".".to_owned())),
            ("inference_attribute", self.inference_attribute.clone()),
            ("probability_attribute", self.probability_attribute.clone()),
            ("ground_truth_attribute", self.ground_truth_attribute.clone()),
            ("probability_threshold_attribute", threshold),
        ];
        for (name, value) in said {
            variables.extend(value.map(|value| (name.to_owned(), value)));
        }
        let job = ModelQualityJob::from_contract(&JobContract { variables, root: None }).map_err(as_said_here)?;
        Ok(ModelQualityJob {
            // As they are, which a text may not tell.
            dataset_source: self.dataset.source.clone(),
            output_path: output.map_or_else(PathBuf::new, std::path::Path::to_owned),
            record_preprocessor_script: self.dataset.record_preprocessor_script.clone(),
            variables: environment,
            ..job
        })
    }

    /// The same options for another dataset.
    fn for_source(&self, source: &std::path::Path) -> Self {
        Self { dataset: self.dataset.for_source(source), ..self.clone() }
    }
}

/// A refusal of a job's variable as one of the argument that it came from.
fn as_said_here(error: watchkeeper_formats::Error) -> anyhow::Error {
    use watchkeeper_formats::Error;
    let argument = |name: &str| format!("--{}", name.replace('_', "-"));
    match error {
        Error::MissingVariable { name, expected } => {
            anyhow::anyhow!("{} is not given, expected {expected}", argument(name))
        }
        Error::Variable { name, value, expected } => {
            anyhow::anyhow!("{} is `{value}`, expected {expected}", argument(name))
        }
        error => error.into(),
    }
}

fn expected_problem_types() -> String {
    let words: Vec<&str> = ProblemType::ALL.iter().map(|problem_type| problem_type.as_str()).collect();
    format!("expected one of {}", words.join(", "))
}

fn documents(
    name: String,
    statistics: &ModelQualityStatistics,
    constraints: Option<&ModelQualityConstraints>,
) -> QualityDocuments {
    QualityDocuments { name, statistics: statistics.clone(), constraints: constraints.cloned() }
}

/// A run as the report takes it.
fn report_run(name: String, analysis: &ModelQualityAnalysis) -> QualityRun {
    QualityRun {
        documents: documents(name, &analysis.statistics, Some(&analysis.constraints)),
        violations: analysis.violations().to_vec(),
        residuals: analysis.residuals.clone(),
        notes: analysis.notes.clone(),
    }
}
