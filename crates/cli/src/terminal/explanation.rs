//! A violation in plain words, and for drift the two distributions over each other.

use std::collections::{HashMap, HashSet};

use watchkeeper_analyzer::report::Finding;
use watchkeeper_formats::{
    CategoricalBucket, Constraints, FeatureConstraints, FeatureStatistics, MonitoringConfig, Statistics, Violation,
};

use super::figures::{change, count, counted, number, percent, whole_percent};
use super::histogram::{self, bar, blocks, by_count, over_each_other};
use super::text::{cut_middle, visible, width};
use super::{Style, paints};

/// Names or categories that a sentence lists.
const LISTED: usize = 3;
/// Categories shown over each other.
const CATEGORIES: usize = 4;
/// Cells of a histogram, or of a bar, where there is room.
const CELLS: usize = 32;
/// How much of a name or category a sentence shows.
const NAME_WIDTH: usize = 24;

/// The documents beside a violation, by feature. Of features that share a name the first counts, as in a check.
#[derive(Default)]
pub(super) struct Documents<'a> {
    baseline: HashMap<&'a str, &'a FeatureStatistics>,
    current: HashMap<&'a str, &'a FeatureStatistics>,
    constraints: HashMap<&'a str, &'a FeatureConstraints>,
    /// For the names in their order and the settings for all features.
    all: Option<(&'a Statistics, &'a Constraints)>,
}

impl<'a> Documents<'a> {
    pub(super) fn new(baseline: Option<&'a Statistics>, current: &'a Statistics, constraints: &'a Constraints) -> Self {
        let by_name = |statistics: &'a Statistics| {
            statistics.features.iter().rev().map(|feature| (feature.name.as_str(), feature)).collect()
        };
        Self {
            baseline: baseline.map(by_name).unwrap_or_default(),
            current: by_name(current),
            constraints: constraints.features.iter().rev().map(|feature| (feature.name.as_str(), feature)).collect(),
            all: Some((current, constraints)),
        }
    }

    /// Both sides of a feature: baseline, current.
    fn sides(&self, name: &str) -> Option<(&'a FeatureStatistics, &'a FeatureStatistics)> {
        Some((*self.baseline.get(name)?, *self.current.get(name)?))
    }

    /// The violations with what they say, in the order of the report: worst first.
    pub(super) fn worst_first<'v>(&self, violations: &'v [Violation]) -> Vec<(&'v Violation, Finding)> {
        let finding = |violation: &'v Violation| {
            let global = self.all.map(|(_, constraints)| constraints.monitoring_config.clone()).unwrap_or_default();
            let feature = self.constraints.get(violation.feature_name.as_str());
            let config: MonitoringConfig = feature.map_or_else(|| global.clone(), |own| own.monitoring_config(&global));
            (violation, Finding::of(violation, &config))
        };
        let mut findings: Vec<_> = violations.iter().map(finding).collect();
        findings.sort_by(|(_, left), (_, right)| left.compare(right));
        findings
    }

    /// What was observed and what the baseline requires, short; blank where the document does not say.
    pub(super) fn observed_and_required(&self, finding: &Finding, style: &Style) -> (String, String) {
        match *finding {
            Finding::Columns { current, baseline } => (counted(current, "column"), count(baseline)),
            Finding::DataType { observed, limit, .. } | Finding::Completeness { observed, limit } => {
                told_apart(observed, limit, percent, |share| format!("{}%", share * 100.0))
            }
            // The limit is in the constraints alone.
            Finding::Categories { observed, limit } => {
                (percent(observed), self.all.map(|_| percent(limit)).unwrap_or_default())
            }
            Finding::Drift { distance, limit } => {
                let (distance, limit) = told_apart(distance, limit, number, |distance| distance.to_string());
                (distance, format!("{} {limit}", style.at_most()))
            }
            Finding::Other => (String::new(), String::new()),
        }
    }

    /// What happened, in a sentence.
    pub(super) fn sentence(&self, violation: &Violation, finding: &Finding, style: &Style) -> String {
        let name = violation.feature_name.as_str();
        match finding {
            Finding::Columns { current, baseline } => self.columns(*current, *baseline, style),
            Finding::DataType { expected, observed, .. } => {
                let now = self.current.get(name).map(|feature| feature.inferred_type);
                let now =
                    now.filter(|now| now.as_str() != expected).map(|now| format!(", the column as a whole is {now}"));
                format!("{} of the values are not {expected}{}", percent(1.0 - *observed), now.unwrap_or_default())
            }
            Finding::Completeness { observed, .. } => {
                match self.current.get(name).and_then(|feature| feature.common()) {
                    Some(common) => {
                        let records = counted(common.num_present.saturating_add(common.num_missing), "record");
                        format!("{} of {records} have no value", count(common.num_missing))
                    }
                    None => format!("{} of the records have no value", percent(1.0 - *observed)),
                }
            }
            Finding::Categories { observed, .. } => {
                let outside = self.outside_domain(name, style);
                format!("{} of the values are not in the baseline's domain{outside}", percent(1.0 - *observed))
            }
            Finding::Drift { .. } => self.moved(name, style),
            Finding::Other => match violation.description.trim() {
                "" => String::new(),
                description => visible(description, style).into_owned(),
            },
        }
    }

    fn columns(&self, current: u64, baseline: u64, style: &Style) -> String {
        let (difference, which) =
            if current < baseline { (baseline - current, "fewer") } else { (current.saturating_sub(baseline), "more") };
        let sentence = format!("{which} than the baseline, so nothing else was checked");
        let sentence = format!("{} {sentence}", counted(difference, "column"));
        // Names tell which only where the columns have the baseline's names, not numbers.
        let Some((statistics, constraints)) = self.all else { return sentence };
        let current: Vec<&str> = statistics.features.iter().map(|feature| feature.name.as_str()).collect();
        let baseline: Vec<&str> = constraints.features.iter().map(|feature| feature.name.as_str()).collect();
        let (longer, shorter) = if which == "fewer" { (baseline, current) } else { (current, baseline) };
        let known: HashSet<&str> = shorter.into_iter().collect();
        let names: Vec<&str> = longer.into_iter().filter(|name| !known.contains(name)).collect();
        if names.len() as u64 == difference { format!("{sentence}: {}", listed(&names, style)) } else { sentence }
    }

    /// The most frequent current categories that the domain lacks.
    fn outside_domain(&self, name: &str, style: &Style) -> String {
        let found = self.current.get(name).and_then(|feature| categories(feature)).zip(self.constraints.get(name));
        let Some((buckets, constraints)) = found else { return String::new() };
        let domain: HashSet<&str> =
            constraints.string_constraints.iter().flat_map(|strings| &strings.domains).map(String::as_str).collect();
        let mut outside = by_count(buckets);
        outside.retain(|(bucket, _)| !domain.contains(bucket.value.as_str()));
        let entry = |(bucket, share): &(&CategoricalBucket, f64)| {
            format!("{} {}", short(&bucket.value, style), whole_percent(*share))
        };
        let entries: Vec<String> = outside.iter().take(LISTED).map(entry).collect();
        if entries.is_empty() { String::new() } else { format!(": {}", with_more(&entries, outside.len())) }
    }

    /// What drift did to the feature's figures.
    fn moved(&self, name: &str, style: &Style) -> String {
        let unknown = || "the values are not distributed as in the baseline".to_owned();
        let Some((baseline, current)) = self.sides(name) else { return unknown() };
        if let Some((before, now)) = histogram::ranks(baseline).zip(histogram::ranks(current)) {
            let medians = before.quantile(0.5).zip(now.quantile(0.5));
            let means = baseline.numerical_statistics.as_ref().zip(current.numerical_statistics.as_ref());
            let median = medians.map(|(before, now)| format!("median {}", change(before, now, style)));
            let mean = means.map(|(before, now)| format!("mean {}", change(before.mean, now.mean, style)));
            return median.into_iter().chain(mean).collect::<Vec<_>>().join(", ");
        }
        let Some((before, now)) = categories(baseline).zip(categories(current)) else { return unknown() };
        let changes = share_changes(before, now);
        let Some((value, before, now)) = changes.first() else { return unknown() };
        let (before, now) = (whole_percent(*before), whole_percent(*now));
        format!("most of all the share of {}: {before} {} {now}", short(value, style), style.arrow())
    }

    /// Lines that show the two distributions of a drifted feature over each other, indented by `indent`.
    pub(super) fn overlay(&self, name: &str, indent: usize, style: &Style) -> Vec<String> {
        let Some((baseline, current)) = self.sides(name) else { return Vec::new() };
        let room = style.width.saturating_sub(indent);
        let lines = if let Some((before, now)) = histogram::ranks(baseline).zip(histogram::ranks(current)) {
            let cells = CELLS.min(room.saturating_sub(SIDE_WIDTH));
            if cells == 0 { None } else { over_each_other(&before, &now, current.inferred_type, cells) }
                .map(|overlay| histograms(&overlay, style))
        } else {
            categories(baseline).zip(categories(current)).map(|(before, now)| bars(before, now, room, style))
        };
        lines.unwrap_or_default().into_iter().map(|line| format!("{:indent$}{line}", "")).collect()
    }
}

/// A value and its limit as `short` writes them, or with all digits by `long` where they would look the same.
fn told_apart(value: f64, limit: f64, short: fn(f64) -> String, long: fn(f64) -> String) -> (String, String) {
    let (value_shown, limit_shown) = (short(value), short(limit));
    if value_shown == limit_shown { (long(value), long(limit)) } else { (value_shown, limit_shown) }
}

/// `baseline` and a blank cell.
const SIDE_WIDTH: usize = 9;

fn histograms(overlay: &histogram::Overlay, style: &Style) -> Vec<String> {
    let highest = overlay.baseline.iter().chain(&overlay.current).copied().fold(0.0, f64::max);
    let line = |side: &str, shares: &[f64], paint| {
        let blocks = blocks(shares, highest, style);
        format!("{side:<SIDE_WIDTH$}{}", style.paint(blocks.trim_end(), paint))
    };
    let tails = if overlay.has_tails { " and beyond" } else { "" };
    let range = format!("{} to {}{tails}", number(overlay.lower), number(overlay.upper));
    let mut lines =
        vec![line("baseline", &overlay.baseline, paints::BASELINE), line("current", &overlay.current, paints::CURRENT)];
    lines.extend(
        super::text::wrap(&range, CELLS, style)
            .into_iter()
            .map(|range| format!("{:SIDE_WIDTH$}{}", "", style.paint(&range, paints::QUIET))),
    );
    lines
}

/// The categories whose shares differ most, each as two bars.
fn bars(before: &[CategoricalBucket], now: &[CategoricalBucket], room: usize, style: &Style) -> Vec<String> {
    let changes = share_changes(before, now);
    let shown = &changes[..changes.len().min(CATEGORIES)];
    let names: Vec<String> = shown.iter().map(|(value, ..)| short(value, style)).collect();
    let widest = names.iter().map(|name| width(name)).max().unwrap_or(0);
    let percent_width = 1 + "100%".len();
    let Some(cells) = room.checked_sub(widest + 1 + SIDE_WIDTH + percent_width).filter(|cells| *cells > 0) else {
        return Vec::new();
    };
    let cells = cells.min(CELLS);
    let side = |side: &str, share: f64, paint| {
        let bar = style.paint(&bar(share, cells, style), paint);
        let blank = if share > 0.0 { " " } else { "" };
        format!("{side:<SIDE_WIDTH$}{bar}{blank}{}", whole_percent(share))
    };
    let mut lines = Vec::new();
    for (name, (_, before, now)) in names.iter().zip(shown) {
        let blank = widest - width(name);
        lines.push(format!("{name}{:blank$} {}", "", side("baseline", *before, paints::BASELINE)));
        lines.push(format!("{:widest$} {}", "", side("current", *now, paints::CURRENT)));
    }
    lines
}

/// Categories of either side with their share in the baseline and now, the largest difference first.
fn share_changes<'a>(before: &'a [CategoricalBucket], now: &'a [CategoricalBucket]) -> Vec<(&'a str, f64, f64)> {
    let now: HashMap<&str, f64> =
        by_count(now).into_iter().map(|(bucket, share)| (bucket.value.as_str(), share)).collect();
    let before = by_count(before);
    let known: HashSet<&str> = before.iter().map(|(bucket, _)| bucket.value.as_str()).collect();
    let mut new: Vec<_> =
        now.iter().filter(|(value, _)| !known.contains(*value)).map(|(value, now)| (*value, 0.0, *now)).collect();
    // The map has no order of its own.
    new.sort_by_key(|(value, ..)| *value);
    let share_now = |value: &str| now.get(value).copied().unwrap_or(0.0);
    let mut changes: Vec<_> =
        before.iter().map(|(bucket, share)| (bucket.value.as_str(), *share, share_now(&bucket.value))).collect();
    changes.append(&mut new);
    changes.sort_by(|(_, left_before, left_now), (_, right_before, right_now)| {
        (right_now - right_before).abs().total_cmp(&(left_now - left_before).abs())
    });
    changes
}

fn categories(feature: &FeatureStatistics) -> Option<&[CategoricalBucket]> {
    let buckets = &feature.string_statistics.as_ref()?.distribution.as_ref()?.categorical.buckets;
    (!buckets.is_empty()).then_some(buckets)
}

/// A name or category inside a sentence.
pub(super) fn short(text: &str, style: &Style) -> String {
    format!("`{}`", cut_middle(&visible(text, style), NAME_WIDTH, style))
}

/// The first names, and how many there are more.
pub(super) fn listed(names: &[&str], style: &Style) -> String {
    let entries: Vec<String> = names.iter().take(LISTED).map(|name| short(name, style)).collect();
    with_more(&entries, names.len())
}

fn with_more(entries: &[String], total: usize) -> String {
    let more = total - entries.len();
    let entries = entries.join(", ");
    if more == 0 { entries } else { format!("{entries} and {} more", count(more as u64)) }
}
