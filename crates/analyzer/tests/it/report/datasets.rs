//! Datasets, and their documents as the engine makes them.

use std::collections::HashMap;

use watchkeeper_analyzer::report::{Documents, Run};
use watchkeeper_engine::column::{Batch, Cell, CellKind};
use watchkeeper_engine::profile::{ColumnProfile, Profile, Rules, judge};
use watchkeeper_formats::{Constraints, DriftRule, MonitoringConfig};

/// A dataset by columns; an empty text is a missing value.
pub(super) type Columns = Vec<(String, Vec<String>)>;

/// One column of a dataset.
pub(super) fn column<T: ToString>(name: &str, values: impl IntoIterator<Item = T>) -> (String, Vec<String>) {
    (name.to_owned(), values.into_iter().map(|value| value.to_string()).collect())
}

/// Numbers of 0 to 1 that look random, the same every time.
pub(super) fn noise(seed: u64) -> impl Iterator<Item = f64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    })
}

pub(super) fn profile(columns: &Columns, constraints: Option<&Constraints>) -> Profile {
    let strings = constraints.into_iter().flat_map(|constraints| &constraints.features);
    let domains: HashMap<&str, &Vec<String>> = strings
        .filter_map(|feature| Some((feature.name.as_str(), &feature.string_constraints.as_ref()?.domains)))
        .collect();
    let mut profile = Profile { records: columns[0].1.len() as u64, columns: Vec::new() };
    for (name, values) in columns {
        let mut batch = Batch { columns: 1, rows: values.len(), ..Batch::default() };
        for value in values {
            // As in a CSV file, nothing is a missing value.
            let cell = Cell::new(batch.text.len(), value.len(), CellKind::Text);
            batch.cells.push(if value.is_empty() { Cell::MISSING } else { cell });
            batch.text.extend_from_slice(value.as_bytes());
        }
        let domain = domains.get(name.as_str()).copied().into_iter().flatten();
        let mut column = ColumnProfile::with_domain(domain.map(String::as_str));
        column.update(&batch, 0);
        profile.columns.push((name.clone(), column));
    }
    profile
}

pub(super) fn baseline(columns: &Columns) -> Documents {
    baseline_of(&profile(columns, None))
}

pub(super) fn baseline_of(profile: &Profile) -> Documents {
    Documents {
        name: "baseline.csv".to_owned(),
        statistics: profile.statistics(),
        constraints: Some(profile.suggest_constraints(MonitoringConfig::default())),
    }
}

pub(super) fn check(columns: &Columns, baseline: &Documents) -> Run {
    check_by(DriftRule::Aws, columns, baseline)
}

pub(super) fn check_by(drift: DriftRule, columns: &Columns, baseline: &Documents) -> Run {
    check_profile(drift, &profile(columns, baseline.constraints.as_ref()), baseline)
}

pub(super) fn check_profile(drift: DriftRule, profile: &Profile, baseline: &Documents) -> Run {
    let constraints = baseline.constraints.as_ref().unwrap();
    let statistics = profile.statistics();
    let rules = Rules { drift, ..Rules::default() };
    let judgement = judge(profile, &statistics, constraints, Some(&baseline.statistics), rules);
    Run {
        documents: Documents {
            name: "current.csv".to_owned(),
            statistics,
            constraints: Some(profile.suggest_constraints(MonitoringConfig::default())),
        },
        violations: judgement.violations,
        drift: judgement.drift,
        notes: Vec::new(),
    }
}
