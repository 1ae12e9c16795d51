//! The data quality monitor: one dataset described, and judged by a baseline if there is one (section 1).

use std::path::Path;

use watchkeeper_data::{Preprocess, Source};
use watchkeeper_engine::profile::{ColumnProfile, Judgement, Profile, Rules, judge};
use watchkeeper_formats::{
    ConstraintViolations, Constraints, DataQualityJob, DatasetFormat, ExitMessage, MetricLine, MonitoringConfig,
    Statistics, Switch,
};

use crate::columns::arrange;
use crate::fold::{NewColumn, fold};
use crate::metrics::metric_lines;
use crate::results::{self, Documents};
use crate::scripts::{Script, unwrap_script_error};
use crate::{Error, Level, Observer, inputs};

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
        results::exit_message(self.violations())
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
    inputs::read_constraints(path, |text| {
        let constraints = Constraints::parse(text)?;
        constraints.validate()?;
        Ok(constraints)
    })
}

/// Reads and checks a baseline's statistics.
pub fn read_statistics(path: &Path) -> Result<Statistics, Error> {
    inputs::read_statistics(path, |text| {
        let statistics = Statistics::parse(text)?;
        statistics.validate()?;
        Ok(statistics)
    })
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
    let file_count = files.len();
    let reading = inputs::reading(&job.dataset_format, (job.start_time, job.end_time), &job.settings);
    let mut preprocessor = Script::start(
        job.record_preprocessor_script.as_deref(),
        matches!(job.dataset_format, DatasetFormat::CaptureJson { .. }),
        (&job.variables, job.settings.script_time_limit),
        observer,
    )?;
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
        return Err(inputs::no_data(&job.dataset_source, file_count, &notes));
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
    documents(analysis).write(folder, further)
}

fn documents(analysis: &Analysis) -> Documents {
    let violations = analysis.judged.as_ref().map_or(&[][..], |(_, judgement)| &judgement.violations);
    let document = || ConstraintViolations { violations: violations.to_vec() }.to_json();
    Documents {
        statistics: analysis.statistics.to_json(),
        constraints: analysis.constraints.to_json(),
        violations: (!violations.is_empty()).then(document),
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
    let lines = metrics(job, &analysis);
    let metrics = lines.as_deref().map(|lines| (job.cloudwatch_metrics_directory.as_path(), lines));
    documents(&analysis).write_with_metrics(&job.output_path, metrics)?;
    let message = analysis.exit_message();
    if let Some(script) = &job.post_analytics_processor_script {
        let message = (job.output_message_file.as_path(), &message);
        results::run_post_analytics(script, message, &job.variables, job.settings.script_time_limit, observer)?;
    }
    Ok(message)
}

/// The metrics, if there are to be any.
fn metrics(job: &DataQualityJob, analysis: &Analysis) -> Option<Vec<MetricLine>> {
    let judged = analysis.judged.as_ref();
    let constraints = judged.map_or(&analysis.constraints, |(baseline, _)| &baseline.constraints);
    if !job.publish_cloudwatch_metrics || constraints.monitoring_config.emit_metrics == Switch::Disabled {
        return None;
    }
    let drift = judged.map_or(&[][..], |(_, judgement)| &judgement.drift);
    Some(metric_lines(job, &analysis.statistics, drift))
}
