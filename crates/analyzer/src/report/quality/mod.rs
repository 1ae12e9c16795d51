//! The report of model quality: which metric is worse than what, by how much, and whether that is within its spread.
//!
//! It is a page like the data quality report, with the same promises: offline, accessible, light and dark, printed, without scripts, the
//! same bytes for the same documents. What stands where, from the top: the verdict with the worst metric in a sentence; notes on how
//! predictions and labels were read, because a mismatch there makes every metric 0; metrics on one axis of distance from their limit; the
//! curves; the confusions; the residuals. With several runs every metric over time comes before the runs.
//!
//! What the spread is worth: five subsamples of 80 % share most of their rows, so their standard deviation s is that of the mean over
//! all rows times the root of (1 - 0.8) / 0.8, a half. From one window to another of the same quality a metric moves by about 2 s, and
//! seldom by more than 4 s. The page says so, and marks differences beyond 4 s.
//!
//! # What a test of the page can rely on
//!
//! Ids of the first run; those of the n-th have the suffix `-n`:
//!
//! | selector | what it is |
//! |---|---|
//! | `#verdict` | the result of the whole report; class `bad`, `good` or `neutral` |
//! | `#lead > p` | what must be known first |
//! | `#trends > figure[data-metric]` | a metric over several runs |
//! | `#runs > details.run` | each of several runs, the last first and open; `summary .tag` is its verdict |
//! | `#notes > li` | notes |
//! | `#metrics tr[data-metric]` | one metric, worst violation first, then as in the file; class `violated`; cells `.current`, `.limit`, `.baseline`, `.difference` |
//! | `#violations > li[data-metric][data-check]` | the violations in the file's words |
//! | `svg.roc`, `svg.precision-recall`, `table.confusion`, `table.confusions`, `table.classes`, `svg.histogram` | the charts and tables |

mod chapter;
mod comparison;
mod confusion;
mod curves;
mod metric;
mod residuals;
mod trend;

use askama::Template;
use watchkeeper_engine::quality::Residuals;
use watchkeeper_formats::{MetricViolation, ModelQualityConstraints, ModelQualityStatistics};

use super::chapter::{Verdict, VerdictKind};
use super::figures::{Prose, counted, readable};
use chapter::{Chapter, Position, nothing_checked};
use trend::{Trend, trends};

/// The documents of one model quality analysis.
#[derive(Clone, Debug, PartialEq)]
pub struct QualityDocuments {
    /// What people call the dataset: a file, a folder, a window.
    pub name: String,
    /// The metrics.
    pub statistics: ModelQualityStatistics,
    /// What is demanded (of a baseline), or was suggested.
    pub constraints: Option<ModelQualityConstraints>,
}

/// One analysis that was judged.
#[derive(Clone, Debug)]
pub struct QualityRun {
    /// The dataset that was checked.
    pub documents: QualityDocuments,
    /// What it violates, in any order.
    pub violations: Vec<MetricViolation>,
    /// What predictions of a regression are off by, where it is known.
    pub residuals: Option<Residuals>,
    /// What else the reader should know, a sentence each: how labels were read, what was dropped.
    pub notes: Vec<String>,
}

/// A report of any number of runs, the oldest first; of the baseline alone when there is none.
#[derive(Clone, Debug)]
pub struct QualityReport {
    /// The first line of the page.
    pub title: String,
    /// What the runs were checked against.
    pub baseline: Option<QualityDocuments>,
    /// The runs, oldest first.
    pub runs: Vec<QualityRun>,
}

#[derive(Template)]
#[template(path = "quality/report.html")]
struct Page<'a> {
    title: &'a str,
    verdict: Verdict,
    lead: Vec<Prose>,
    /// Where there are several runs.
    trends: Vec<Trend>,
    /// Names of the first run and the last one.
    ends: (String, String),
    has_baseline: bool,
    chapters: Vec<Chapter>,
    style: &'static str,
    script: &'static str,
}

impl QualityRun {
    /// The report of a baseline by itself, with its notes and residuals; its violations do not count.
    pub fn to_baseline_html(&self, title: &str) -> String {
        let chapter = Chapter::of_baseline(self, &Position { number: 1, is_only: true, is_last: true });
        Page { lead: chapter.lead.clone(), ..Page::new(title, nothing_checked(), vec![chapter]) }.to_html()
    }
}

impl<'a> Page<'a> {
    /// Of one run or none.
    fn new(title: &'a str, verdict: Verdict, chapters: Vec<Chapter>) -> Self {
        Self {
            title,
            verdict,
            lead: Vec::new(),
            trends: Vec::new(),
            ends: (String::new(), String::new()),
            has_baseline: false,
            chapters,
            style: concat!(include_str!("../style.css"), include_str!("style.css")),
            script: include_str!("../script.js"),
        }
    }

    fn to_html(&self) -> String {
        self.render().expect("a string takes any text")
    }

    /// Whether a limit is drawn beside the baseline's value.
    fn has_own_limits(&self) -> bool {
        self.trends.iter().any(|trend| trend.limit.is_some())
    }
}

impl QualityReport {
    /// The whole file.
    pub fn to_html(&self) -> String {
        let baseline = self.baseline.as_ref();
        let title = &self.title;
        if self.runs.is_empty() {
            let Some(documents) = self.baseline.clone() else {
                return Page::new(title, nothing_checked(), Vec::new()).to_html();
            };
            let run = QualityRun { documents, violations: Vec::new(), residuals: None, notes: Vec::new() };
            return run.to_baseline_html(title);
        }
        let chapters = self.chapters();
        let page = Page { lead: self.lead(&chapters), ..Page::new(title, self.verdict(&chapters), chapters) };
        if self.runs.len() == 1 {
            return page.to_html();
        }
        let trends = trends(baseline, &self.runs);
        let page = Page { trends, ends: self.ends(), has_baseline: baseline.is_some(), ..page };
        page.to_html()
    }

    fn chapters(&self) -> Vec<Chapter> {
        let count = self.runs.len();
        let position = |number| Position { number, is_only: count == 1, is_last: number == count };
        let chapter = |(run, number)| Chapter::of_run(self.baseline.as_ref(), run, &position(number));
        self.runs.iter().zip(1..).map(chapter).collect()
    }

    fn verdict(&self, chapters: &[Chapter]) -> Verdict {
        if let [only] = chapters {
            return Verdict { text: only.verdict.text.clone(), kind: only.verdict.kind };
        }
        let found: usize = self.runs.iter().map(|run| run.violations.len()).sum();
        let count = self.runs.len();
        if found == 0 {
            return Verdict { text: format!("No violations in {count} runs"), kind: VerdictKind::Clean };
        }
        let bad = self.runs.iter().filter(|run| !run.violations.is_empty()).count();
        let text = format!("{} in {bad} of {count} runs", counted(found, "violation", "violations"));
        Verdict { text, kind: VerdictKind::Violations }
    }

    /// Of several runs the last is what matters.
    fn lead(&self, chapters: &[Chapter]) -> Vec<Prose> {
        let (Some(run), Some(last)) = (self.runs.last(), chapters.last()) else { return Vec::new() };
        if chapters.len() == 1 {
            return last.lead.clone();
        }
        let words = Prose::new("The last run, ").name(&run.documents.name).words(": ");
        [vec![words.words(&last.verdict.text).words(".")], last.lead.clone()].concat()
    }

    /// Names of the first run and the last one, without the folders that all names begin with.
    fn ends(&self) -> (String, String) {
        let names: Vec<&str> = self.runs.iter().map(|run| run.documents.name.as_str()).collect();
        let (Some(first), Some(last)) = (names.first(), names.last()) else { return (String::new(), String::new()) };
        let is_common = |end: usize| names.iter().all(|name| name.get(..end) == first.get(..end));
        let folders = first.match_indices(['/', '\\']).map(|(at, _)| at + 1);
        let common = folders.take_while(|&end| is_common(end)).last().unwrap_or(0);
        (readable(&first[common..]), readable(&last[common..]))
    }
}
