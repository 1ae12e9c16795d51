//! The HTML report.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use watchkeeper_analyzer::report::{Documents, Report, Run};
use watchkeeper_engine::column::{Batch, Cell, CellKind};
use watchkeeper_engine::profile::{ColumnProfile, DriftOutcome, Profile, Rules, judge};
use watchkeeper_formats::{
    Categorical, CategoricalBucket, CategoricalDistribution, CheckType, CommonStatistics, DatasetStatistics,
    FeatureStatistics, InferredType, KllBucket, KllDistribution, KllParameters, KllSketch, MonitoringConfigOverrides,
    NumericalDistribution, NumericalStatistics, Statistics, StringStatistics, Violation,
};

/// A dataset by columns; an empty text is a missing value.
type Columns<'a> = Vec<(&'a str, Vec<String>)>;

fn profile(columns: &Columns<'_>, domains: &HashMap<String, Vec<String>>) -> Profile {
    let mut profile = Profile { records: columns[0].1.len() as u64, columns: Vec::new() };
    for (name, values) in columns {
        let mut batch = Batch { columns: 1, rows: values.len(), ..Batch::default() };
        for value in values {
            batch.cells.push(Cell::new(batch.text.len(), value.len(), CellKind::Text));
            batch.text.extend_from_slice(value.as_bytes());
        }
        let domain = domains.get(*name).into_iter().flatten().map(String::as_str);
        let mut column = ColumnProfile::with_domain(domain);
        column.update(&batch, 0);
        profile.columns.push(((*name).to_owned(), column));
    }
    profile
}

fn baseline(name: &str, columns: &Columns<'_>) -> Documents {
    let profile = profile(columns, &HashMap::new());
    Documents { name: name.to_owned(), statistics: profile.statistics(), constraints: Some(profile.constraints()) }
}

fn check(name: &str, columns: &Columns<'_>, baseline: &Documents) -> Run {
    let constraints = baseline.constraints.as_ref().unwrap();
    let domain = |strings: &watchkeeper_formats::StringConstraints| strings.domains.clone();
    let domains = constraints.features.iter().filter_map(|feature| {
        Some((feature.name.clone(), feature.string_constraints.as_ref().map(domain)?))
    });
    let profile = profile(columns, &domains.collect());
    let judgement = judge(&profile, constraints, Some(&baseline.statistics), Rules::default());
    Run {
        documents: Documents {
            name: name.to_owned(),
            statistics: profile.statistics(),
            constraints: Some(profile.constraints()),
        },
        violations: judgement.violations,
        drift: judgement.drift,
        notes: Vec::new(),
    }
}
