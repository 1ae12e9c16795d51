//! The data quality monitor: one dataset described, and judged by a baseline if there is one (section 1).

use std::path::Path;

use watchkeeper_data::{Preprocess, Reading, Source};
use watchkeeper_engine::profile::{ColumnProfile, Judgement, Profile, Rules, judge};
use watchkeeper_formats::contract::CLOUDWATCH_METRICS_FILE;
use watchkeeper_formats::{
    ConstraintViolations, Constraints, DataQualityJob, DatasetFormat, ExitMessage, MonitoringConfig, Statistics, Switch,
};

use crate::columns::arrange;
use crate::fold::{NewColumn, fold};
use crate::metrics::metric_lines;
use crate::output::Output;
use crate::scripts::{Script, unwrap_script_error};
use crate::{Error, Level, Observer, Preprocessor, post_analytics};

/// What a dataset is judged by.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// Constraints.
    pub constraints: Constraints,
    /// Statistics, for drift.
    pub statistics: Option<Statistics>,
}

/// What a run found out.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysis {
    /// Statistics of the dataset.
    pub statistics: Statistics,
    /// Constraints that it suggests.
    pub constraints: Constraints,
    /// The baseline it was judged by, and the judgement.
    pub judged: Option<(Baseline, Judgement)>,
    /// What the reader should know: rows cut, records skipped, columns taken by position.
    pub notes: Vec<String>,
}

impl Analysis {
    /// How many violations there are.
    pub fn violations(&self) -> usize {
        self.judged.as_ref().map_or(0, |(_, judgement)| judgement.violations.len())
    }

    /// The message of a job that has come to this end.
    pub fn exit_message(&self) -> ExitMessage {
        match self.violations() {
            0 => ExitMessage::Completed,
            count => ExitMessage::CompletedWithViolations(count as u64),
        }
    }
}

/// Reads the baseline that a job names.
pub fn read_baseline(job: &DataQualityJob) -> Result<Option<Baseline>, Error> {
    let Some(path) = &job.baseline_constraints else { return Ok(None) };
    let constraints = read_constraints(path)?;
    let statistics = job.baseline_statistics.as_deref().map(read_statistics).transpose()?;
    Ok(Some(Baseline { constraints, statistics }))
}

/// Reads and checks a baseline's constraints.
pub fn read_constraints(path: &Path) -> Result<Constraints, Error> {
    let failed = |problem: String| Error::BaselineConstraints { path: path.to_owned(), problem };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let constraints = Constraints::parse(&text).map_err(|error| failed(error.to_string()))?;
    constraints.validate().map_err(|error| failed(error.to_string()))?;
    Ok(constraints)
}

/// Reads and checks a baseline's statistics.
pub fn read_statistics(path: &Path) -> Result<Statistics, Error> {
    let failed = |problem: String| Error::BaselineStatistics { path: path.to_owned(), problem };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let statistics = Statistics::parse(&text).map_err(|error| failed(error.to_string()))?;
    statistics.validate().map_err(|error| failed(error.to_string()))?;
    Ok(statistics)
}

/// Describes the job's dataset and judges it. Nothing is written.
pub fn analyze(
    job: &DataQualityJob,
    baseline: Option<Baseline>,
    threads: usize,
    observer: &dyn Observer,
) -> Result<Analysis, Error> {
    let mut baseline = baseline;
    let (profile, notes) = read(job, baseline.as_mut().map(|baseline| &mut baseline.constraints), threads, observer)?;
    for note in &notes {
        observer.log(Level::Warning, note);
    }
    let statistics = profile.statistics();
    let constraints = profile.suggest_constraints(monitoring_config(job));
    let rules = Rules {
        lenient_types: job.settings.lenient_types,
        check_non_negative: job.settings.check_non_negative,
        drift: job.settings.drift,
    };
    let judged = baseline.map(|baseline| {
        let judgement = judge(&profile, &statistics, &baseline.constraints, baseline.statistics.as_ref(), rules);
        for comparison in &judgement.drift {
            if let Some(line) = skipped(comparison) {
                observer.log(Level::Info, &line);
            }
        }
        (baseline, judgement)
    });
    Ok(Analysis { statistics, constraints, judged, notes })
}

/// The line that AWS's analyzer logs for a feature whose type has changed.
fn skipped(comparison: &watchkeeper_engine::profile::DriftComparison) -> Option<String> {
    use watchkeeper_engine::profile::{DriftOutcome, DriftSkip};
    let DriftOutcome::Skipped(DriftSkip::TypesDiffer { baseline, current }, _) = &comparison.outcome else {
        return None;
    };
    Some(format!(
        "Inferred data type don't match for column {}. Inferred data type in baseline statistics: {baseline}. Inferred \
         data type in current dataset: {current}",
        comparison.feature
    ))
}

/// The configuration that suggested constraints carry.
fn monitoring_config(job: &DataQualityJob) -> MonitoringConfig {
    let mut config = MonitoringConfig::default();
    if let Some(method) = job.categorical_drift_method {
        config.distribution_constraints.categorical_drift_method = Some(method);
    }
    match &job.data_quality_monitoring_config {
        Some(overrides) => overrides.over(&config),
        None => config,
    }
}

/// Reads the dataset; the profile's columns are arranged and named after the baseline, which loses the features of
/// excluded columns.
fn read(
    job: &DataQualityJob,
    baseline: Option<&mut Constraints>,
    threads: usize,
    observer: &dyn Observer,
) -> Result<(Profile, Vec<String>), Error> {
    let files = watchkeeper_data::list(&job.dataset_source)?;
    let found = match files.as_slice() {
        [] => format!("There is no file in {}.", job.dataset_source.display()),
        [_] => format!("There is no record in {}.", job.dataset_source.display()),
        files => format!("There is no record in the {} files of {}.", files.len(), job.dataset_source.display()),
    };
    let reading = Reading {
        format: job.dataset_format.clone(),
        window: job.start_time.zip(job.end_time),
        flatten_json: job.settings.flatten_json,
        mixed_encoding: job.settings.mixed_encoding,
        strict_key_order: job.settings.strict_key_order,
    };
    let mut preprocessor = preprocessor(job, observer)?;
    let (profile, arrangement, mut notes) = {
        let script = preprocessor.as_mut().map(|preprocessor| preprocessor as &mut dyn Preprocess);
        let mut source = watchkeeper_data::open(files, &reading, script);
        let plan = |source: &dyn Source| new_columns(source, baseline.as_deref(), &job.exclude_features);
        let profile = fold(&mut *source, plan, threads, observer).map_err(unwrap_script_error)?;
        (profile, arrange(&*source, baseline.as_deref(), &job.exclude_features), source.notes())
    };
    if let Some(preprocessor) = preprocessor {
        preprocessor.finish()?;
    }
    if profile.records == 0 {
        let skipped = notes.iter().fold(String::new(), |text, note| format!("{text} ({note})"));
        return Err(Error::NoData { found: format!("{found}{skipped}") });
    }
    notes.extend(arrangement.notes);
    if let Some(baseline) = baseline {
        baseline.features = arrangement.features.iter().map(|&feature| baseline.features[feature].clone()).collect();
        if baseline.features.len() == arrangement.columns.len() {
            let names: Vec<&str> = arrangement.columns.iter().map(|(_, name)| name.as_str()).collect();
            observer.log(Level::Info, &format!("Using baseline columns: {}", names.join(", ")));
        }
    }
    let mut columns: Vec<Option<ColumnProfile>> = profile.columns.into_iter().map(|(_, column)| Some(column)).collect();
    let columns = arrangement
        .columns
        .into_iter()
        .map(|(place, name)| (name, columns.get_mut(place).and_then(Option::take).unwrap_or_default()))
        .collect();
    Ok((Profile { records: profile.records, columns }, notes))
}

/// The script, if there is one and it applies.
fn preprocessor<'a>(job: &DataQualityJob, observer: &'a dyn Observer) -> Result<Option<Script<'a>>, Error> {
    let Some(script) = &job.record_preprocessor_script else { return Ok(None) };
    if !matches!(job.dataset_format, DatasetFormat::CaptureJson { .. }) {
        observer.log(Level::Warning, "the record preprocessor script is ignored: it applies to captured data only");
        return Ok(None);
    }
    let started = Preprocessor::start(script, &job.variables, job.settings.script_time_limit, observer)?;
    Ok(Some(Script::new(started)))
}

/// How each column's fold begins: those that stand for a feature with a domain count its values.
fn new_columns<'a>(source: &dyn Source, baseline: Option<&'a Constraints>, excluded: &[String]) -> Box<NewColumn<'a>> {
    let Some(baseline) = baseline else { return Box::new(|_, _| ColumnProfile::default()) };
    let domains: std::collections::HashMap<&str, &[String]> = baseline
        .features
        .iter()
        .filter_map(|feature| Some((feature.name.as_str(), feature.string_constraints.as_ref()?.domains.as_slice())))
        .collect();
    let names: std::collections::HashMap<usize, String> =
        arrange(source, Some(baseline), excluded).columns.into_iter().collect();
    Box::new(move |place, name| {
        let name = names.get(&place).map_or(name, String::as_str);
        match domains.get(name) {
            Some(values) => ColumnProfile::with_domain(values.iter().map(String::as_str)),
            None => ColumnProfile::default(),
        }
    })
}

/// Writes the documents of an analysis to a folder, with `further` files beside them: all or none.
pub fn write_documents(folder: &Path, analysis: &Analysis, further: &[(&str, String)]) -> Result<(), Error> {
    let mut output = Output::default();
    add_documents(&mut output, folder, analysis)?;
    for (name, content) in further {
        output.add(&folder.join(name), content.as_bytes())?;
    }
    output.finish()
}

fn add_documents(output: &mut Output, folder: &Path, analysis: &Analysis) -> Result<(), Error> {
    output.add(&folder.join("statistics.json"), analysis.statistics.to_json().as_bytes())?;
    output.add(&folder.join("constraints.json"), analysis.constraints.to_json().as_bytes())?;
    let violations = folder.join("constraint_violations.json");
    match &analysis.judged {
        Some((_, judgement)) if !judgement.violations.is_empty() => {
            let document = ConstraintViolations { violations: judgement.violations.clone() };
            output.add(&violations, document.to_json().as_bytes())
        }
        // One of an earlier run would tell of it.
        _ => {
            output.remove(&violations);
            Ok(())
        }
    }
}

/// Carries out a data quality job: reads, judges, writes documents and metrics, runs the post-analytics script.
pub(crate) fn run(job: &DataQualityJob, threads: usize, observer: &dyn Observer) -> Result<ExitMessage, Error> {
    crate::output::check_folder(&job.output_path)?;
    let baseline = read_baseline(job)?;
    let analysis = analyze(job, baseline, threads, observer)?;
    if observer.stopped() {
        return Err(Error::Stopped);
    }
    let mut output = Output::default();
    add_documents(&mut output, &job.output_path, &analysis)?;
    if let Some(lines) = metrics(job, &analysis) {
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

/// The metrics file, if there is to be one.
fn metrics(job: &DataQualityJob, analysis: &Analysis) -> Option<String> {
    let judged = analysis.judged.as_ref();
    let constraints = judged.map_or(&analysis.constraints, |(baseline, _)| &baseline.constraints);
    if !job.publish_cloudwatch_metrics || constraints.monitoring_config.emit_metrics == Switch::Disabled {
        return None;
    }
    let drift = judged.map_or(&[][..], |(_, judgement)| &judgement.drift);
    let lines = metric_lines(job, &analysis.statistics, drift);
    Some(lines.iter().map(|line| line.to_json_line() + "\n").collect())
}
