//! The report of a Clarify analysis: disparities with their intervals, attributions of features, dependence curves, and what has
//! changed since the baseline.
//!
//! It is a page like the other reports, with the same promises: offline, accessible, light and dark, printed, without scripts, the same
//! bytes for the same documents. What stands where, from the top: the verdict; the violations, worst first; the groups' bias metrics;
//! the scores' attributions; dependence; notes and parameters. The notebook has the same numbers as tables.
//!
//! # What a test of the page can rely on
//!
//! | selector | what it is |
//! |---|---|
//! | `#verdict` | the result; class `bad`, `good` or `neutral` |
//! | `#violations > li[data-check][data-subject][data-metric]` | one violation, worst first; `.sentence`, `.description`, `.severity` |
//! | `#disparities-predictions`, `#disparities-labels` | the sections of bias metrics |
//! | `details.group[data-facet][data-facet-value]` | one sensitive group, `tr[data-metric]` a metric; class `violated`; cells `.current`, `.interval`, `.baseline`, `.difference`, `.error` |
//! | `section.label[data-label]` | the attributions of one score; class `violated`; `.agreement` |
//! | `table.importance tr[data-feature]` | the ten largest global values, `details.all table` all of them |
//! | `.slope`, `.swarm [data-feature]`, `table.waterfall` | ranks against the baseline, local values, single rows |
//! | `#dependence figure[data-feature]` | one curve, or why there is none |
//! | `#notes > li`, `#parameters` | notes, parameters |

mod bars;
mod dependence;
mod disparities;
mod label;
mod local;
mod metric;
mod notebook;
mod ranking;
mod swarm;
mod violations;
mod waterfall;

use askama::Template;
use watchkeeper_engine::bias::MetricSpread;
use watchkeeper_formats::clarify::{Analysis, AttributionViolation, ClarifyViolation};

use super::chapter::{Verdict, VerdictKind};
use super::figures::{Prose, counted, readable};
use crate::clarify::{ClarifyAnalysis, LocalAttributions};
use dependence::{Dependence, dependences};
use disparities::{Stage, stages};
use label::{Label, labels};
use violations::{ViolationView, ranked};

/// What a report is made of.
pub struct ClarifyReport<'a> {
    /// The title.
    pub title: String,
    /// What was found.
    pub analysis: &'a Analysis,
    /// What it is compared with.
    pub baseline: Option<&'a Analysis>,
    /// The violations, where it was judged.
    pub violations: Option<&'a [ClarifyViolation]>,
    /// Spreads of bias metrics.
    pub spreads: &'a [MetricSpread],
    /// Attributions of every row; cells and predictions may be left out, they are not in the documents.
    pub local: Option<&'a LocalAttributions>,
    /// How it was analysed.
    pub parameters: &'a [(String, String)],
    /// What the reader should know.
    pub notes: &'a [String],
}

#[derive(Template)]
#[template(path = "clarify/report.html")]
struct Page<'a> {
    title: &'a str,
    verdict: Verdict,
    violations: Vec<ViolationView>,
    stages: Vec<Stage>,
    labels: Vec<Label>,
    /// What a global value of a feature is.
    global_value: &'static str,
    dependences: Vec<Dependence>,
    notes: Vec<String>,
    parameters: Vec<(String, String)>,
    style: &'static str,
    script: &'static str,
}

impl<'a> ClarifyReport<'a> {
    /// Of an analysis, and of what it is compared with.
    pub fn of(title: String, found: &'a ClarifyAnalysis, baseline: Option<&'a Analysis>) -> Self {
        Self {
            title,
            analysis: &found.analysis,
            baseline,
            violations: found.violations.as_deref(),
            spreads: &found.spreads,
            local: found.local.as_ref(),
            parameters: &found.parameters,
            notes: &found.notes,
        }
    }
}

impl ClarifyReport<'_> {
    /// One HTML file.
    pub fn to_html(&self) -> String {
        self.page().render().expect("a string takes any text")
    }

    /// The same as a notebook with the tables in it.
    pub fn to_notebook(&self) -> String {
        notebook::of(&self.page())
    }

    fn page(&self) -> Page<'_> {
        let (stages, labels) = (stages(self), labels(self));
        Page {
            title: &self.title,
            verdict: self.verdict(&stages, &labels),
            violations: ranked(self.violations.unwrap_or_default(), &stages, &labels),
            stages,
            labels,
            global_value: self.global_value(),
            dependences: dependences(self.analysis, self.baseline),
            notes: self.notes.iter().map(|note| note.trim().to_owned()).collect(),
            parameters: self.parameters.iter().map(|(name, value)| (name.clone(), readable(value))).collect(),
            style: concat!(
                include_str!("../style.css"),
                include_str!("../quality/style.css"),
                include_str!("style.css")
            ),
            script: include_str!("../script.js"),
        }
    }

    /// The violation of a label's order of features.
    fn violation(&self, label: &str) -> Option<&AttributionViolation> {
        self.violations.unwrap_or_default().iter().find_map(|violation| match violation {
            ClarifyViolation::Attribution(violation) if violation.label == label => Some(violation),
            _ => None,
        })
    }

    fn verdict(&self, stages: &[Stage], labels: &[Label]) -> Verdict {
        let found = match self.violations {
            None => return neutral("Nothing was compared with a baseline"),
            Some([]) if !is_anything_compared(stages, labels) => {
                return neutral("Nothing could be compared: the baseline has nothing that this analysis has");
            }
            Some([]) => return Verdict { text: "No violations".to_owned(), kind: VerdictKind::Clean },
            Some(found) => found,
        };
        let orders = found.iter().filter(|violation| matches!(violation, ClarifyViolation::Attribution(_))).count();
        let metrics = found.len() - orders;
        let parts = [
            (metrics > 0).then(|| {
                let metrics = counted(metrics, "bias metric", "bias metrics");
                format!("{metrics} further from zero than in the baseline")
            }),
            (orders > 0).then(|| format!("the order of features changed for {}", counted(orders, "score", "scores"))),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let text = format!("{}: {}", counted(found.len(), "violation", "violations"), parts.join(", "));
        Verdict { text, kind: VerdictKind::Violations }
    }

    /// As parameters say it.
    fn global_value(&self) -> &'static str {
        let aggregation =
            self.parameters.iter().find(|(name, _)| name == "Aggregation").map(|(_, value)| value.as_str());
        match aggregation {
            Some("mean_abs") => "the mean over the rows of the absolute attribution",
            Some("median") => "the median over the rows of the attribution",
            Some("mean_sq") => "the mean over the rows of the squared attribution",
            _ => "the attributions of all rows, aggregated",
        }
    }
}

fn neutral(text: &str) -> Verdict {
    Verdict { text: text.to_owned(), kind: VerdictKind::Profile }
}

fn is_anything_compared(stages: &[Stage], labels: &[Label]) -> bool {
    let rows = stages.iter().flat_map(|stage| &stage.groups).flat_map(|group| &group.rows);
    let is_compared = |row: &disparities::Row| row.value.is_some() && row.baseline.is_some();
    rows.into_iter().any(is_compared) || labels.iter().any(Label::has_baseline)
}

impl Page<'_> {
    fn global_value(&self) -> Prose {
        Prose::new("The global value of a feature is ")
            .words(self.global_value)
            .words(": how much it moves predictions.")
    }
}
