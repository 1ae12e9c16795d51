//! What a check has left: its documents in a folder, the report, and what is shown of it.

use std::path::{Path, PathBuf};

use watchkeeper_analyzer::report::{Documents, Report, Run};
use watchkeeper_engine::profile::compare_distributions;
use watchkeeper_formats::{ConstraintViolations, Constraints, DriftRule, Statistics};

use super::monitor::Results;
use super::site::Site;
use crate::terminal::{self, CheckView, Style};

/// What traffic is held against.
pub(super) struct Baseline {
    statistics: Statistics,
    constraints: Constraints,
}

/// What a check has found.
pub(super) struct Findings {
    name: String,
    statistics: Statistics,
    violations: ConstraintViolations,
}

impl Baseline {
    /// Fetches the documents, and leaves copies in the folder.
    pub(super) async fn fetch(site: &Site, addresses: [String; 2], folder: &Path) -> anyhow::Result<Self> {
        let [statistics, constraints] = addresses;
        let statistics = site.text(&statistics).await?;
        let constraints = site.text(&constraints).await?;
        write(folder, &[("statistics.json", &statistics), ("constraints.json", &constraints)])?;
        Ok(Self { statistics: Statistics::parse(&statistics)?, constraints: Constraints::parse(&constraints)? })
    }

    /// How many columns it speaks of.
    pub(super) fn columns(&self) -> usize {
        self.statistics.features.len()
    }
}

impl Findings {
    /// Fetches the documents, and leaves copies in the folder.
    pub(super) async fn fetch(site: &Site, results: &Results, name: &str, folder: &Path) -> anyhow::Result<Self> {
        let mut violations = ConstraintViolations::default();
        if results.has_violations {
            let text = site.text(&format!("{}/constraint_violations.json", results.folder)).await?;
            violations = ConstraintViolations::parse(&text)?;
            write(folder, &[("constraint_violations.json", &text)])?;
        }
        let statistics = site.text(&format!("{}/statistics.json", results.folder)).await?;
        write(folder, &[("statistics.json", &statistics)])?;
        Ok(Self { name: name.to_owned(), statistics: Statistics::parse(&statistics)?, violations })
    }

    /// How many records were checked.
    pub(super) fn records(&self) -> u64 {
        self.statistics.dataset.item_count
    }

    /// How many violations there are.
    pub(super) fn violations(&self) -> usize {
        self.violations.violations.len()
    }

    /// The violations as `watchkeeper check` shows them.
    pub(super) fn shown(&self, baseline: &Baseline, style: &Style) -> String {
        let view = CheckView {
            records: self.statistics.dataset.item_count,
            baseline: Some(&baseline.statistics),
            current: &self.statistics,
            constraints: &baseline.constraints,
            violations: &self.violations.violations,
            // Left to the report.
            drift: &[],
            notes: &[],
        };
        terminal::check(&view, style)
    }

    fn run(&self, baseline: &Baseline) -> Run {
        let Baseline { statistics, constraints } = baseline;
        Run {
            documents: Documents { name: self.name.clone(), statistics: self.statistics.clone(), constraints: None },
            violations: self.violations.violations.clone(),
            drift: compare_distributions(&self.statistics, statistics, constraints, DriftRule::Aws),
            notes: Vec::new(),
        }
    }
}

/// Writes the report of checks, the last of them first, and says where it is.
pub(super) fn write_report(
    folder: &Path,
    title: &str,
    baseline: &Baseline,
    findings: &[Findings],
) -> anyhow::Result<PathBuf> {
    let documents = Documents {
        name: "the customers it was trained on".to_owned(),
        statistics: baseline.statistics.clone(),
        constraints: Some(baseline.constraints.clone()),
    };
    let runs = findings.iter().rev().map(|findings| findings.run(baseline)).collect();
    let report = Report { title: title.to_owned(), baseline: Some(documents), runs };
    write(folder, &[("report.html", &report.to_html())])?;
    Ok(folder.join("report.html"))
}

fn write(folder: &Path, files: &[(&str, &str)]) -> anyhow::Result<()> {
    for (name, content) in files {
        watchkeeper_analyzer::output::write(&folder.join(name), content.as_bytes())?;
    }
    Ok(())
}
