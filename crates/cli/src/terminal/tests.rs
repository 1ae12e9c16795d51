//! What a user sees, as snapshots. The documents are AWS's own, or those of the churn example; figures that are worked
//! out here (medians, percentages, cuts) have a test with a referee of their own.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use watchkeeper_data::{Reading, list, open};
use watchkeeper_engine::column::Batch;
use watchkeeper_engine::profile::{ColumnProfile, Judgement, Profile, Rules, judge};
use watchkeeper_formats::{
    CategoricalDriftMethod, CheckType, ConstraintViolations, Constraints, DatasetFormat, DriftRule, MonitoringConfig,
    OutputColumnsPosition, Statistics, Violation,
};

use super::text::{cut_end, cut_middle, visible, width, wrap};
use super::{CheckView, Style, figures};

mod cells;
mod clarify;
mod documents;
mod quality;
mod service;
mod steps;
mod texts;

const WIDE: Style = Style { color: false, width: 140, unicode: true };
const NARROW: Style = Style { color: false, width: 80, unicode: true };
const ASCII: Style = Style { color: false, width: 140, unicode: false };

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn golden(name: &str) -> String {
    fs::read_to_string(here().join("../formats/tests/goldens").join(name)).unwrap()
}

/// A snapshot named after what is shown, without the module's path.
fn assert_shown(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// A dataset, folded.
fn profile(path: &Path, baseline: Option<&Constraints>) -> Profile {
    let reading =
        Reading::of(DatasetFormat::Csv { header: true, output_columns_position: OutputColumnsPosition::default() });
    let mut source = open(list(path).unwrap(), &reading, None);
    let mut batch = Batch::default();
    let mut columns: Vec<ColumnProfile> = Vec::new();
    if let Some(constraints) = baseline {
        let domain = |feature: &watchkeeper_formats::FeatureConstraints| match &feature.string_constraints {
            Some(strings) => ColumnProfile::with_domain(strings.domains.iter().map(String::as_str)),
            None => ColumnProfile::default(),
        };
        columns = constraints.features.iter().map(domain).collect();
    }
    let mut records = 0;
    while source.fill(&mut batch).unwrap() {
        columns.resize_with(batch.columns.max(columns.len()), ColumnProfile::default);
        for (index, column) in columns.iter_mut().enumerate() {
            column.update(&batch, index);
        }
        records += batch.rows as u64;
    }
    Profile { records, columns: source.names().iter().cloned().zip(columns).collect() }
}

/// A check from profile to judgement, to be shown.
struct Checked {
    baseline: Statistics,
    current: Statistics,
    constraints: Constraints,
    judgement: Judgement,
}

impl Checked {
    fn new(baseline: &Path, current: &Path, config: MonitoringConfig, rule: DriftRule) -> Self {
        let baseline = profile(baseline, None);
        let constraints = baseline.suggest_constraints(config);
        let current = profile(current, Some(&constraints));
        let rules = Rules { drift: rule, ..Rules::default() };
        let baseline = baseline.statistics();
        let statistics = current.statistics();
        let judgement = judge(&current, &statistics, &constraints, Some(&baseline), rules);
        Self { baseline, current: statistics, constraints, judgement }
    }

    fn churn(rule: DriftRule) -> Self {
        let folder = here().join("../../examples/churn");
        Self::new(&folder.join("baseline.csv"), &folder.join("current.csv"), MonitoringConfig::default(), rule)
    }

    fn view(&self) -> CheckView<'_> {
        CheckView {
            records: self.current.dataset.item_count,
            baseline: Some(&self.baseline),
            current: &self.current,
            constraints: &self.constraints,
            violations: &self.judgement.violations,
            drift: &self.judgement.drift,
            notes: &[],
        }
    }
}
