//! The report: one HTML file that says what was violated and why, worst first, and shows every feature before and now.
//!
//! It promises to be readable by anyone who has the file: offline (style and script are in it, it refers to nothing
//! outside itself, and its own content security policy forbids that), by keyboard, in light and dark, printed, and
//! without scripts, which only filter and sort. Charts are SVG; each of their numbers is also text. The same documents
//! make the same bytes: there is no clock and no randomness here.
//!
//! Decided against: a chart library (half a megabyte for areas and steps), and charts that hold the data for a script
//! to draw (nothing to see without scripts, and printing at its mercy).
//!
//! How bad a violation is, is defined in the module `severity`. Beyond 200 features not every one has its charts; the report
//! says which, see [`Report::to_html`].
//!
//! # What a test of the page can rely on
//!
//! Ids of the first run; those of the n-th have the suffix `-n`:
//!
//! | selector | what it is |
//! |---|---|
//! | `#verdict` | the result of the whole report; class `bad`, `good` or `neutral` |
//! | `#violations > li[data-feature][data-check]` | one violation, worst first: names as in the document; inside it `a` (to the feature), `.sentence`, `.description` (AWS's words), `.severity` |
//! | `#rule-disagreements > li[data-feature]` | a feature that the two drift rules judge differently |
//! | `#skipped > li`, `#notes > li` | why features were not compared; notes |
//! | `#settings` | the thresholds in force |
//! | `#overview` | the table of features, a `tr` each; `th[data-sort]` holds a `button` once scripts run |
//! | `#filter`, `#only-violations`, `#filter-result` | the controls above the table, hidden without scripts |
//! | `details.feature[data-feature]` | the section of a feature, open where it has a violation; inside it `#feature-n`, `svg.histogram`, `svg.cumulative`, `table.measures`, `table.quantiles`, `table.categories`, `dl.constraints` |
//! | `#left-out` | there when not every feature has a section |

mod categories;
mod chapter;
mod charts;
mod clarify;
mod distance_plot;
mod distribution;
mod drift;
mod feature;
mod figures;
mod pairs;
mod quality;
mod settings;
mod severity;
mod violations;

use askama::Template;
use watchkeeper_engine::profile::DriftComparison;
use watchkeeper_formats::{Constraints, Statistics, Violation};

use chapter::{Chapter, MOST_FEATURES_DRAWN, Position, Verdict, VerdictKind};
pub use clarify::ClarifyReport;
use figures::{Figure, counted, readable};
pub use quality::{QualityDocuments, QualityReport, QualityRun};
pub use severity::Finding;

/// One dataset's documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Documents {
    /// What people call the dataset: a file, a folder.
    pub name: String,
    /// What it looks like.
    pub statistics: Statistics,
    /// What is expected of it (of a baseline), or was suggested from it.
    pub constraints: Option<Constraints>,
}

/// One check of a dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The dataset that was checked.
    pub documents: Documents,
    /// What it violates, in any order.
    pub violations: Vec<Violation>,
    /// The comparisons with the baseline; empty when there were none, or when they are not known any more.
    pub drift: Vec<DriftComparison>,
    /// What else the reader should know, a sentence each.
    pub notes: Vec<String>,
}

/// A report of any number of runs; of the baseline alone when there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The first line of the page.
    pub title: String,
    /// What the runs were checked against.
    pub baseline: Option<Documents>,
    /// The runs, in the order of the page.
    pub runs: Vec<Run>,
}

#[derive(Template)]
#[template(path = "data_quality.html")]
struct Page<'a> {
    title: &'a str,
    verdict: Verdict,
    /// A row for each run, where there are several.
    runs: Vec<RunRow>,
    chapters: Vec<Chapter>,
    style: &'static str,
    script: &'static str,
}

struct RunRow {
    name: String,
    target: String,
    records: Figure,
    verdict: Verdict,
}

impl Report {
    /// The whole file.
    ///
    /// A report of up to 200 features, those of all runs added up, draws every one. Of more it draws those with a
    /// violation and those that the drift rules judge differently, the worst 500 of a run, and the 200 with the largest
    /// distances; with several runs these 200 are shared out among them.
    pub fn to_html(&self) -> String {
        let chapters = self.chapters();
        let page = Page {
            title: &self.title,
            verdict: self.verdict(),
            runs: if chapters.len() > 1 { self.run_rows() } else { Vec::new() },
            chapters,
            style: include_str!("style.css"),
            script: include_str!("script.js"),
        };
        page.render().expect("a string takes any text")
    }

    fn chapters(&self) -> Vec<Chapter> {
        let baseline = self.baseline.as_ref();
        let features: usize = self.runs.iter().map(|run| run.documents.statistics.features.len()).sum();
        let features = features.max(baseline.map_or(0, |documents| documents.statistics.features.len()));
        let runs = self.runs.len().max(1);
        let most_drawn = (features > MOST_FEATURES_DRAWN).then_some(MOST_FEATURES_DRAWN / runs);
        let position = |number| Position { number, is_only: runs == 1, most_drawn };
        if self.runs.is_empty() {
            return baseline.map(|_| Chapter::new(baseline, None, &position(1))).into_iter().collect();
        }
        self.runs.iter().zip(1..).map(|(run, number)| Chapter::new(baseline, Some(run), &position(number))).collect()
    }

    fn verdict(&self) -> Verdict {
        let found: usize = self.runs.iter().map(|run| run.violations.len()).sum();
        let with_violations = self.runs.iter().filter(|run| !run.violations.is_empty()).count();
        match self.runs.as_slice() {
            [] => Verdict { text: "A profile; nothing was checked".to_owned(), kind: VerdictKind::Profile },
            [only] => Verdict::of(only),
            runs if found == 0 => {
                Verdict { text: format!("No violations in {} datasets", runs.len()), kind: VerdictKind::Clean }
            }
            runs => Verdict {
                text: format!(
                    "{} in {with_violations} of {} datasets",
                    counted(found, "violation", "violations"),
                    runs.len()
                ),
                kind: VerdictKind::Violations,
            },
        }
    }

    fn run_rows(&self) -> Vec<RunRow> {
        let row = |(run, number): (&Run, usize)| RunRow {
            name: readable(&run.documents.name),
            target: format!("run-{number}"),
            records: Figure::count(run.documents.statistics.dataset.item_count),
            verdict: Verdict::of(run),
        };
        self.runs.iter().zip(1..).map(row).collect()
    }
}
