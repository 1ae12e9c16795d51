//! What can be said on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use watchkeeper_formats::{CategoricalDriftMethod, DriftRule, OutputColumnsPosition};

use crate::commands;

/// Watches machine-learning models in production: describes datasets, and finds where new data breaks what a baseline
/// promised.
#[derive(Parser)]
#[command(name = "watchkeeper", version, about, after_help = "Exit status: 0 nothing found, 1 violations, 2 failed.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Describe a dataset: statistics, and constraints for datasets to come.
    Baseline(BaselineArguments),
    /// Check a dataset against a baseline.
    Check(CheckArguments),
    /// Model quality: predictions measured by labels, and judged by a baseline.
    Quality(commands::quality::QualityArguments),
    /// Bias: what differs between a sensitive group and all others, in labels and in predictions.
    Bias(Box<commands::clarify::BiasArguments>),
    /// Explain a model: how much each feature adds to its predictions.
    Explain(Box<commands::clarify::ExplainArguments>),
    /// Write the report of a baseline, or of checks against one, as one HTML file.
    Report(ReportArguments),
    /// Show a statistics, constraints or violations file as a table, AWS's own included.
    Inspect(InspectArguments),
    /// Carry out a job as the container image that AWS runs does, from its environment.
    Analyze(AnalyzeArguments),
    /// Run the service: what SageMaker scripts talk to in place of AWS.
    Serve(ServeArguments),
    /// Print the variables a shell needs for scripts to talk to the service.
    Env(EnvArguments),
    /// List, make, disable and delete access keys of the running service, or change the master key of a stopped one.
    Keys(KeysArguments),
    /// Write everything that the running service keeps to one file.
    Backup(commands::backup::BackupArguments),
    /// Make a data directory out of a backup.
    Restore(commands::restore::RestoreArguments),
    /// Show the service's effective configuration, and where each value came from.
    Config(ConfigArguments),
    /// Show what the service has and does.
    Status(commands::status::StatusArguments),
    /// Show the log of a job.
    Logs(commands::logs::LogsArguments),
    /// List executions of monitoring schedules.
    Executions(commands::executions::ExecutionsArguments),
    /// Run a monitoring schedule now.
    Run(commands::run::RunArguments),
    /// Run the ticks of a range that did not run.
    Backfill(commands::backfill::BackfillArguments),
    /// Upload labels for what a monitoring schedule watches.
    Labels(commands::labels::LabelsArguments),
    /// Merge and analyse past windows again, with labels that have come since.
    Remerge(commands::remerge::RemergeArguments),
    /// Let no schedule start anything until `resume`.
    Pause(commands::pause::PauseArguments),
    /// End a pause.
    Resume(commands::resume::ResumeArguments),
    /// Say why a schedule did not run.
    Why(commands::why::WhyArguments),
    /// Stand in front of a model server, and capture what passes.
    Proxy(commands::proxy::ProxyArguments),
    /// Capture predictions that were made elsewhere, from files of JSON lines.
    Ingest(commands::ingest::IngestArguments),
    /// Show the whole loop: deploy a model, ask it, and watch it find drift, in under a minute.
    Demo(commands::demo::DemoArguments),
    /// Start a job's program and stay its parent; the service does this.
    #[command(hide = true)]
    Sandbox(commands::sandbox::SandboxArguments),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Args)]
pub(crate) struct BaselineArguments {
    #[command(flatten)]
    pub(crate) dataset: DatasetArguments,
    /// How drift of categories is to be judged by the suggested constraints.
    #[arg(long, value_name = "LInfinity|ChiSquared")]
    pub(crate) categorical_drift_method: Option<CategoricalDriftMethod>,
    /// Folder for statistics.json, constraints.json and report.html.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) run: RunArguments,
}

#[derive(Args)]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    pub(crate) dataset: DatasetArguments,
    /// Folder with a baseline's constraints.json and statistics.json, or a dataset to make the baseline of.
    #[arg(long, value_name = "DIR|DATASET", required_unless_present = "dry_run_script")]
    pub(crate) baseline: Option<PathBuf>,
    /// Constraints to use in place of the baseline's.
    #[arg(long, value_name = "FILE")]
    pub(crate) constraints: Option<PathBuf>,
    /// How repeated values count in a drift distance: as AWS does, once, or as the definition says.
    #[arg(long, value_enum, value_name = "RULE")]
    pub(crate) drift: Option<DriftArgument>,
    /// Folder for the documents and report.html.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) run: RunArguments,
}

/// What to read, and how.
#[derive(Args, Clone)]
pub(crate) struct DatasetArguments {
    /// File or folder; - is standard input.
    #[arg(value_name = "DATASET")]
    pub(crate) source: PathBuf,
    /// Format of the dataset (csv, json, parquet, sagemakerCaptureJson, sagemakerMergeJson, or AWS's JSON form of it),
    /// where its name does not tell.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) dataset_format: Option<String>,
    /// The same for csv, parquet, sagemakerCaptureJson and sagemakerMergeJson; `json` asks for JSON on standard output, `text` for tables.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Vec<String>,
    /// The first line of CSV files is data.
    #[arg(long)]
    pub(crate) no_header: bool,
    /// JSON files are one document each, not one object a line.
    #[arg(long)]
    pub(crate) no_lines: bool,
    /// Where the prediction columns stand.
    #[arg(long, value_name = "START|END", ignore_case = true)]
    pub(crate) output_columns_position: Option<OutputColumnsPosition>,
    /// Python file with a `preprocess_handler` for captured records.
    #[arg(long, value_name = "FILE")]
    pub(crate) record_preprocessor_script: Option<PathBuf>,
    /// Run such a file on a capture file and show each record before and after; nothing is analysed.
    #[arg(long, value_name = "FILE", conflicts_with = "record_preprocessor_script")]
    pub(crate) dry_run_script: Option<PathBuf>,
}

#[derive(Args, Clone, Copy)]
pub(crate) struct RunArguments {
    /// Threads that fold columns; the result does not depend on it.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,
}

impl RunArguments {
    pub(crate) fn threads(self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        self.threads.map_or_else(all, std::num::NonZeroUsize::get)
    }
}

#[derive(Args)]
pub(crate) struct ReportArguments {
    /// Folders with documents. Of several, the first is the baseline of the others.
    #[arg(value_name = "DIR", required = true)]
    pub(crate) folders: Vec<PathBuf>,
    /// The file to write; report.html in the last folder unless given.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// How repeated values count in a drift distance.
    #[arg(long, value_enum, value_name = "RULE", default_value = "aws")]
    pub(crate) drift: DriftArgument,
}

#[derive(Args)]
pub(crate) struct InspectArguments {
    /// A statistics, constraints or violations file, of data or of model quality, the analysis of bias and features or its
    /// violations, or the report of a merge; - is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Table or JSON.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: OutputFormat,
}

#[derive(Args)]
pub(crate) struct AnalyzeArguments {
    /// Which analyzer.
    #[arg(value_enum)]
    pub(crate) analyzer: Analyzer,
    #[command(flatten)]
    pub(crate) run: RunArguments,
}

/// The built-in analyzers.
#[derive(Clone, Copy, ValueEnum)]
#[allow(clippy::enum_variant_names)] // named after the images
pub(crate) enum Analyzer {
    /// The image sagemaker-model-monitor-analyzer: data quality, or model quality where `analysis_type` says so.
    ModelMonitorAnalyzer,
    /// The image sagemaker-model-monitor-groundtruth-merger: captures and labels merged.
    GroundtruthMerger,
    /// The image sagemaker-clarify-processing: bias and feature attribution.
    ClarifyProcessing,
}

/// Which settings a command of the service takes.
#[derive(Args)]
pub(crate) struct ServeArguments {
    /// Address and port of the one listener.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Folder of everything that is kept.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Configuration file.
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct ConfigArguments {
    #[command(flatten)]
    pub(crate) settings: ServeArguments,
    /// Table or JSON.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: OutputFormat,
}

#[derive(Args)]
pub(crate) struct EnvArguments {
    /// The folder of the service; the platform's data folder unless given.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Let scripts talk to AWS's own addresses, through the service as their proxy.
    #[arg(long)]
    pub(crate) proxy: bool,
    /// For which reader.
    #[arg(long, value_enum, default_value = "shell")]
    pub(crate) format: EnvironmentFormat,
    /// Write an AWS profile of this name instead, and print what selects it.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

/// How variables are written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EnvironmentFormat {
    /// `export NAME='value'`.
    Shell,
    /// One object.
    Json,
    /// `NAME="value"`.
    Dotenv,
    /// `$env:NAME = 'value'`.
    Powershell,
}

#[derive(Args)]
pub(crate) struct KeysArguments {
    /// The folder of the service; the platform's data folder unless given.
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) data_dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) action: KeysAction,
}

#[derive(Subcommand)]
pub(crate) enum KeysAction {
    /// List the access keys.
    List,
    /// Make one; its secret is shown this once.
    Create {
        /// What it is for.
        #[arg(long, value_name = "TEXT", default_value = "")]
        description: String,
    },
    /// Refuse what is signed with a key from now on.
    Disable {
        /// The key's identifier.
        access_key_id: String,
    },
    /// Take a disabled key again.
    Enable {
        /// The key's identifier.
        access_key_id: String,
    },
    /// Forget a key for good.
    Delete {
        /// The key's identifier.
        access_key_id: String,
    },
    /// Encrypt all secrets and keys by another master key. The service must be stopped.
    RotateMaster {
        /// The configuration file of the service.
        #[arg(long, value_name = "FILE.toml")]
        config: Option<PathBuf>,
        /// A file with the new key, 64 hexadecimal digits; without it a new one takes the place of that in the data directory.
        #[arg(long, value_name = "FILE")]
        new_key_file: Option<PathBuf>,
    },
}

/// How results are shown.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Tables.
    Text,
    /// JSON.
    Json,
}

/// The drift rules, as words.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum DriftArgument {
    /// As AWS's analyzer does.
    Aws,
    /// By the definition of the distance.
    Exact,
}

impl From<DriftArgument> for DriftRule {
    fn from(argument: DriftArgument) -> Self {
        match argument {
            DriftArgument::Aws => Self::Aws,
            DriftArgument::Exact => Self::Exact,
        }
    }
}
