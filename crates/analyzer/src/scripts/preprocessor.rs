//! The calls into a worker: a batch of records to its results, and what to say when there are none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use watchkeeper_data::Preprocessed;

use super::error::{ScriptError, Stage};
use super::process::{Interruption, Worker, interpreter};
use crate::{Level, Observer};

/// How much of a record or a traceback goes to the log.
const LONGEST_RECORD: usize = 4 * 1024;
const LONGEST_TRACEBACK: usize = 64 * 1024;
/// How much of an exception's last line goes into the exit message.
const LONGEST_REASON: usize = 1000;

/// A running Python interpreter with a record preprocessor loaded. Dropping it kills the interpreter and whatever it
/// started.
pub struct Preprocessor<'a> {
    session: Session<'a>,
    observer: &'a dyn Observer,
}

impl<'a> Preprocessor<'a> {
    /// Starts the interpreter with the job's variables over the inherited environment and loads the script. The
    /// variable `WATCHKEEPER_PYTHON` names another interpreter than `python3`. `time_limit` is for loading, for each
    /// batch and for ending, each by itself.
    pub fn start(
        script: &Path,
        variables: &BTreeMap<String, String>,
        time_limit: Duration,
        observer: &'a dyn Observer,
    ) -> Result<Self, ScriptError> {
        let session = Session::start(Stage::Preprocessor, script, variables, time_limit, observer);
        let session = session.map_err(|failure| failure.logged(observer))?;
        Ok(Self { session, observer })
    }

    /// Runs the handler on each capture line (raw JSON text), in order: what became of each, in order. Some hundred lines
    /// a batch are enough to make the pipe's cost vanish. After an error nothing more can be processed.
    ///
    /// `None` and empty lists are [`Preprocessed::Skipped`]; a text is passed on as it is, the empty one too. In
    /// rows, keys stand in the order they were returned; values are texts, numbers, booleans and null. Integers and
    /// decimals are written with all their digits, however many; NaN is null, the infinities are the texts
    /// `Infinity` and `-Infinity`, dates are texts.
    pub fn process(&mut self, lines: &[&str]) -> Result<Vec<Preprocessed>, ScriptError> {
        let observer = self.observer;
        let results = self.session.process(lines, &mut |line| observer.log(Level::Info, line));
        results.map_err(|failure| failure.logged(observer))
    }

    /// Lets the interpreter end in order, so that the script's exit handlers run. As every record is done by then, an
    /// interpreter that ends badly or not at all is worth a warning only; the one error is [`ScriptError::Stopped`].
    pub fn finish(self) -> Result<(), ScriptError> {
        let observer = self.observer;
        self.session.finish(observer, &mut |line| observer.log(Level::Info, line))
    }
}

/// Runs a post analytics script: loads it, calls its `postprocess_handler()` and lets it end. `time_limit` is for each of
/// the three.
pub fn post_analytics(
    script: &Path,
    variables: &BTreeMap<String, String>,
    time_limit: Duration,
    observer: &dyn Observer,
) -> Result<(), ScriptError> {
    let print = &mut |line: &str| observer.log(Level::Info, line);
    let mut session = Session::start(Stage::Postprocessor, script, variables, time_limit, observer)
        .map_err(|failure| failure.logged(observer))?;
    session.exchange(Some(frame(b"call")), &[], print).map_err(|failure| failure.logged(observer))?;
    session.finish(observer, print)
}

/// An error and the lines about it that are for the log.
pub(super) struct Failure {
    pub(super) error: ScriptError,
    pub(super) details: Vec<String>,
}

impl Failure {
    fn logged(self, observer: &dyn Observer) -> ScriptError {
        for line in &self.details {
            observer.log(Level::Error, line);
        }
        self.error
    }
}

/// What the worker reports when the script fails.
#[derive(Deserialize)]
struct Report {
    kind: ReportKind,
    message: String,
    details: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReportKind {
    Unusable,
    NotFlat,
    Raised,
}

/// A worker, and how far it has come.
pub(super) struct Session<'a> {
    stage: Stage,
    script: PathBuf,
    time_limit: Duration,
    worker: Worker<'a>,
    program: String,
    loaded: bool,
    /// Records of the batches before this one.
    records_done: u64,
}

impl<'a> Session<'a> {
    /// Starts a worker. What the script prints while it is loaded goes to the observer.
    pub(super) fn start(
        stage: Stage,
        script: &Path,
        variables: &BTreeMap<String, String>,
        time_limit: Duration,
        observer: &'a dyn Observer,
    ) -> Result<Self, Failure> {
        let program = interpreter(variables).to_owned();
        let worker = match Worker::start(stage, script, variables, time_limit, observer) {
            Ok(worker) => worker,
            Err(error) => {
                return Err(Failure { error: ScriptError::NotStarted { stage, program, error }, details: Vec::new() });
            }
        };
        let script = script.to_owned();
        let mut session = Self { stage, script, time_limit, worker, program, loaded: false, records_done: 0 };
        session.exchange(None, &[], &mut |line| observer.log(Level::Info, line))?;
        session.loaded = true;
        Ok(session)
    }

    pub(super) fn process(
        &mut self,
        lines: &[&str],
        print: &mut dyn FnMut(&str),
    ) -> Result<Vec<Preprocessed>, Failure> {
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let reply = self.exchange(Some(batch_frame(lines)), lines, print)?;
        let results =
            decode_results(&reply[1..], lines).ok_or_else(|| self.interrupted(&Interruption::Ended(None), lines))?;
        self.records_done += lines.len() as u64;
        Ok(results)
    }

    /// One request and its reply, which is a failure if the script failed. A good reply begins with the byte `R`.
    fn exchange(
        &mut self,
        request: Option<Vec<u8>>,
        lines: &[&str],
        print: &mut dyn FnMut(&str),
    ) -> Result<Vec<u8>, Failure> {
        let reply =
            self.worker.exchange(request, print).map_err(|interruption| self.interrupted(&interruption, lines))?;
        let report = match reply.first() {
            Some(b'R') => return Ok(reply),
            Some(b'F') => serde_json::from_slice::<Report>(&reply[1..]).ok(),
            _ => None,
        };
        Err(match report {
            Some(report) => self.reported(report, lines),
            None => self.interrupted(&Interruption::Ended(None), lines),
        })
    }

    pub(super) fn finish(self, observer: &dyn Observer, print: &mut dyn FnMut(&str)) -> Result<(), ScriptError> {
        let Self { stage, time_limit, worker, .. } = self;
        let seconds = time_limit.as_secs_f64();
        let what = match worker.finish(print) {
            Ok(()) => return Ok(()),
            Err(Interruption::Stopped) => return Err(ScriptError::Stopped(stage)),
            Err(Interruption::TimeLimit) => format!("did not end within {seconds} s of its last call and was killed"),
            Err(Interruption::Ended(status)) => {
                let status = status.map_or_else(|| "unknown status".to_owned(), |status| status.to_string());
                format!("had done its work, but its interpreter ended badly ({status})")
            }
        };
        observer.log(Level::Warning, &format!("the {stage} script {what}"));
        Ok(())
    }

    /// The line that the script has in hand, with its number counted from one over all batches.
    fn line_in_hand<'l>(&self, lines: &[&'l str]) -> Option<(u64, &'l str)> {
        let number = self.worker.position();
        let index = number.checked_sub(self.records_done + 1)?;
        lines.get(usize::try_from(index).ok()?).map(|line| (number, *line))
    }

    fn reported(&self, report: Report, lines: &[&str]) -> Failure {
        let reason = shortened(&report.message, LONGEST_REASON);
        let error = match report.kind {
            ReportKind::NotFlat => ScriptError::NotFlat(reason),
            ReportKind::Unusable | ReportKind::Raised => ScriptError::Raised { stage: self.stage, reason },
        };
        let explanation = if report.details.is_empty() { report.message } else { report.details };
        Failure { error, details: self.details(&explanation, lines) }
    }

    fn interrupted(&self, interruption: &Interruption, lines: &[&str]) -> Failure {
        let stage = self.stage;
        let place = match self.line_in_hand(lines) {
            Some((number, line)) => format!("on {}", record_name(number, line)),
            None if !self.loaded => format!("while `{}` loaded it", self.program),
            None if stage == Stage::Postprocessor => "in `postprocess_handler`".to_owned(),
            None => "between two records".to_owned(),
        };
        let error = match *interruption {
            Interruption::Stopped => {
                return Failure { error: ScriptError::Stopped(stage), details: Vec::new() };
            }
            Interruption::TimeLimit => ScriptError::TimeLimit { stage, limit: self.time_limit, place },
            Interruption::Ended(status) => ScriptError::Ended { stage, status, place },
        };
        let explanation = error.to_string();
        let explanation = explanation.split_once(" script. ").map_or(explanation.as_str(), |(_, reason)| reason);
        Failure { details: self.details(explanation, lines), error }
    }

    /// Everything a person needs to find the fault, as lines for the log.
    fn details(&self, explanation: &str, lines: &[&str]) -> Vec<String> {
        let in_hand = self.line_in_hand(lines);
        let place = in_hand.map_or_else(String::new, |(number, line)| format!(" on {}", record_name(number, line)));
        let mut details = vec![format!("the {} script `{}` failed{place}:", self.stage, self.script.display())];
        details.extend(shortened(explanation, LONGEST_TRACEBACK).lines().map(str::to_owned));
        if let Some((_, line)) = in_hand {
            details.push("the record was:".to_owned());
            details.extend(shortened(&pretty(line), LONGEST_RECORD).lines().map(str::to_owned));
        }
        details
    }
}

/// A frame: its length, then its content.
fn frame(content: &[u8]) -> Vec<u8> {
    let mut frame = (content.len() as u64).to_le_bytes().to_vec();
    frame.extend_from_slice(content);
    frame
}

/// The frame of a batch: number of lines, their lengths, their bytes.
fn batch_frame(lines: &[&str]) -> Vec<u8> {
    let content_length = 8 + 8 * lines.len() + lines.iter().map(|line| line.len()).sum::<usize>();
    let mut frame = Vec::with_capacity(8 + content_length);
    frame.extend_from_slice(&(content_length as u64).to_le_bytes());
    frame.extend_from_slice(&(lines.len() as u64).to_le_bytes());
    for line in lines {
        frame.extend_from_slice(&(line.len() as u64).to_le_bytes());
    }
    for line in lines {
        frame.extend_from_slice(line.as_bytes());
    }
    frame
}

/// The reply to a batch: a kind for each line, a length for each, then the texts. `None` if that is not what it holds.
fn decode_results(reply: &[u8], lines: &[&str]) -> Option<Vec<Preprocessed>> {
    let (kinds, rest) = reply.split_at_checked(lines.len())?;
    let (lengths, mut texts) = rest.split_at_checked(8 * lines.len())?;
    let mut results = Vec::with_capacity(lines.len());
    for ((kind, length), line) in kinds.iter().zip(lengths.as_chunks().0).zip(lines) {
        let (text, rest) = texts.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        texts = rest;
        let text = || String::from_utf8(text.to_vec()).ok();
        results.push(match kind {
            b'S' => Preprocessed::Skipped,
            b'U' => Preprocessed::Record((*line).to_owned()),
            b'R' => Preprocessed::Record(text()?),
            b'D' => Preprocessed::Rows(text()?),
            b'L' => Preprocessed::Row(text()?),
            b'C' => Preprocessed::Csv(text()?),
            _ => return None,
        });
    }
    texts.is_empty().then_some(results)
}

/// `record 12 (event id ...)`.
pub(super) fn record_name(number: u64, line: &str) -> String {
    let event_id = serde_json::from_str::<serde_json::Value>(line)
        .ok()
        .and_then(|record| Some(record.get("eventMetadata")?.get("eventId")?.as_str()?.to_owned()));
    match event_id {
        Some(event_id) => format!("record {number} (event id {event_id})"),
        None => format!("record {number}"),
    }
}

fn pretty(line: &str) -> String {
    serde_json::from_str::<serde_json::Value>(line)
        .and_then(|record| serde_json::to_string_pretty(&record))
        .unwrap_or_else(|_| line.to_owned())
}

/// The text, or as much of it as may be shown.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    format!("{}... (cut: {} bytes in all)", &text[..text.floor_char_boundary(longest)], text.len())
}
