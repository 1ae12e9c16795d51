//! `watchkeeper bias` and `watchkeeper explain`: bias metrics and feature attributions of a dataset, alone, as a baseline, or judged by one.

mod analysis;
mod bias;
mod configuration;
mod explain;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use watchkeeper_formats::clarify::DatasetType;

use crate::Ending;
use crate::arguments::{OutputFormat, RunArguments};

use bias::BiasOptions;
use explain::ExplainOptions;

/// `watchkeeper bias`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct BiasArguments {
    #[command(flatten)]
    alone: BiasOptions,
    #[command(subcommand)]
    action: Option<BiasAction>,
}

#[derive(Subcommand)]
enum BiasAction {
    /// Measure bias; analysis.json is the baseline of checks to come.
    Baseline(BiasOptions),
    /// Measure bias, and find the metrics that are further from zero than in a baseline.
    Check(BiasCheckArguments),
}

#[derive(Args)]
struct BiasCheckArguments {
    #[command(flatten)]
    options: BiasOptions,
    #[command(flatten)]
    baseline: BaselineArguments,
    /// Level of an interval, such as 0.95: a metric must leave the baseline's range with all of its bootstrap interval.
    #[arg(long, value_name = "LEVEL")]
    interval: Option<f64>,
}

/// `watchkeeper explain`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct ExplainArguments {
    #[command(flatten)]
    alone: ExplainOptions,
    #[command(subcommand)]
    action: Option<ExplainAction>,
}

#[derive(Subcommand)]
enum ExplainAction {
    /// Explain a model; analysis.json is the baseline of checks to come.
    Baseline(ExplainOptions),
    /// Explain a model, and find out whether the order of its features is another one than in a baseline.
    Check(ExplainCheckArguments),
}

#[derive(Args)]
struct ExplainCheckArguments {
    #[command(flatten)]
    options: ExplainOptions,
    #[command(flatten)]
    baseline: BaselineArguments,
    /// Below it the order of features has drifted; 1 is the baseline's order.
    #[arg(long, value_name = "NUMBER", default_value_t = watchkeeper_formats::ClarifyJob::DEFAULT_NDCG_THRESHOLD)]
    ndcg_threshold: f64,
}

#[derive(Args)]
struct BaselineArguments {
    /// The analysis.json of a baseline, or the folder it is in.
    #[arg(long, value_name = "DIR|FILE")]
    baseline: PathBuf,
}

/// The dataset, the model, and what becomes of the results: what both analyses are told.
#[derive(Args)]
struct DatasetAndModel {
    /// File or folder.
    // None only beside a subcommand, which has one of its own.
    #[arg(value_name = "DATASET", required = true)]
    dataset: Option<PathBuf>,
    /// An `analysis_config.json`, as processing jobs have it; what is said beside it goes over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the model is: a URL that takes POST requests, or a shell command that reads a request from its standard input and writes
    /// the answer.
    #[arg(long, value_name = "URL|COMMAND")]
    model: Option<String>,
    /// Format of the dataset, where its name does not tell.
    #[arg(long, value_name = "text/csv|application/jsonlines|application/json|application/x-parquet")]
    dataset_type: Option<DatasetType>,
    /// Names of the columns, separated by commas, where the files have none.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    headers: Option<Vec<String>>,
    /// Where the features of JSON records are.
    #[arg(long, value_name = "JMESPATH")]
    features_path: Option<String>,
    /// The column of the label; it is no feature.
    #[arg(long, value_name = "NAME|INDEX|JMESPATH")]
    label: Option<String>,
    /// Columns that the model does not get.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    exclude: Vec<String>,
    #[command(flatten)]
    predictor: PredictorOptions,
    /// Folder for analysis.json, report.html, report.ipynb and what else there is.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Tables or JSON.
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    #[command(flatten)]
    run: RunArguments,
}

/// How the model is spoken with; without any, as its dataset is written.
#[derive(Args)]
struct PredictorOptions {
    /// Format of requests.
    #[arg(long, value_name = "TYPE", help_heading = "Model")]
    content_type: Option<String>,
    /// Format of answers.
    #[arg(long, value_name = "TYPE", help_heading = "Model")]
    accept_type: Option<String>,
    /// A request of JSON, with `$features`, `$record` or `$records` in the place of the data.
    #[arg(long, value_name = "TEMPLATE", help_heading = "Model")]
    content_template: Option<String>,
    /// A record of a JSON request, with `$features`, `$features_kvp`, `$feature_names` or `"${NAME}"` in the place of the data.
    #[arg(long, value_name = "TEMPLATE", help_heading = "Model")]
    record_template: Option<String>,
    /// Where an answer has the predicted label.
    #[arg(long, value_name = "INDEX|JMESPATH", help_heading = "Model")]
    model_label: Option<String>,
    /// Where an answer has the score, or the scores.
    #[arg(long, value_name = "INDEX|JMESPATH", help_heading = "Model")]
    model_probability: Option<String>,
    /// Names of the scores.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = "Model")]
    label_headers: Option<Vec<String>>,
}

pub(crate) fn run_bias(arguments: &BiasArguments) -> anyhow::Result<Ending> {
    match &arguments.action {
        None => bias::run(&arguments.alone, None),
        Some(BiasAction::Baseline(options)) => bias::run(options, None),
        Some(BiasAction::Check(check)) => bias::run(&check.options, Some((&check.baseline.baseline, check.interval))),
    }
}

pub(crate) fn run_explain(arguments: &ExplainArguments) -> anyhow::Result<Ending> {
    match &arguments.action {
        None => explain::run(&arguments.alone, None),
        Some(ExplainAction::Baseline(options)) => explain::run(options, None),
        Some(ExplainAction::Check(check)) => {
            explain::run(&check.options, Some((&check.baseline.baseline, check.ndcg_threshold)))
        }
    }
}
