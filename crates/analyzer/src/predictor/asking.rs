//! Asking for many records: which request holds which records, and what is done about one that fails.
//!
//! - Equal records are asked for once.
//! - A request holds as many records as fit into the payload limit, but no more than keep all requests that may be under way busy.
//! - What may pass (nobody answers, no time) is tried again after a pause that doubles.
//! - A request that is too large, or that takes too long, is cut; so are the ones after it.
//! - A request on which the model fails is cut into sixteen, each of which is cut again where the model fails on it, down to single
//!   records: that says which records the model fails on, with a fraction of the requests that asking for each would take where few
//!   of them are to blame.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use watchkeeper_engine::prediction::Answer;

use super::cells::{CellStyle, Records};
use super::distinct::Distinct;
use super::lanes::Lanes;
use super::request::RequestFormat;
use super::response::ResponseFormat;
use super::transport::{Failure, Transport, Way};
use super::{Answers, Asked, POLL, PredictorError, REQUEST_TIMEOUT, excerpt};
use crate::{Level, Observer};

/// The longest body, in bytes: hosted endpoints take no more.
const LONGEST_BODY: usize = 5_000_000;

/// Requests of fewer records are not made for the sake of having more of them under way.
const WORTH_A_REQUEST: usize = 64;

/// Why batches become smaller, in the words that AWS's log has.
const TO_FIT: &str = "to fit max payload size limit";

/// Into how many a request is cut on which the model fails.
const CUTS: usize = 16;

/// How often a request is sent where the failure may pass, and where the model itself fails.
const ATTEMPTS: u32 = 6;
const ATTEMPTS_OF_FAILING_MODEL: u32 = 2;

/// After so many second attempts of which none helped, a model that fails is not given one any more.
const ENOUGH_VAIN_ATTEMPTS: u32 = 16;

/// The pause before the second attempt; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause that a server can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// So many failing records in a row, or in all, and the model is asked no more.
const MOST_FAILURES_IN_A_ROW: u64 = 100;
const MOST_FAILURES: u64 = 1000;

/// So many single records without an answer in time, one after the other, and the model is taken for gone.
const MOST_SILENCES: u32 = 3;

/// After so many requests for several records of which none was answered, while single records were, single ones alone are asked for.
const ENOUGH_FAILED_BATCHES: u32 = 8;

/// Asks a model; shared by all who do.
pub(super) struct Asker {
    transport: Transport,
    requests: RequestFormat,
    responses: ResponseFormat,
    lanes: Lanes,
    /// How long a request may take.
    pub(super) timeout: Duration,
    /// The most records of a request, and the longest body, as far as is known by now.
    most_records: AtomicUsize,
    longest_body: AtomicUsize,
    /// The most records where nothing is known.
    most_records_at_first: usize,
    sent: AtomicU64,
    retried: AtomicU64,
    records: AtomicU64,
    experience: Mutex<Experience>,
    has_told_of_payload: AtomicBool,
}

/// What is known of a model by now.
#[derive(Debug, Default)]
struct Experience {
    has_answered: bool,
    batches_answered: u32,
    batches_failed: u32,
    failures: u64,
    failures_in_a_row: u64,
    silences_in_a_row: u32,
    /// Second attempts that ended as the first, since one last helped.
    vain_attempts: u32,
    gave_up: bool,
    /// Requests for several records all failed, those for one did not.
    takes_single_records: bool,
}

/// A request that is to be sent.
struct Request {
    /// Which of the distinct records.
    range: Range<usize>,
    body: Bytes,
}

impl Asker {
    /// One that puts no more than `most_records` into a request.
    pub(super) fn new(
        transport: Transport,
        requests: RequestFormat,
        responses: ResponseFormat,
        lanes: Lanes,
        most_records: usize,
    ) -> Self {
        let most_records = if requests.takes_one_record() { 1 } else { most_records };
        Self {
            transport,
            requests,
            responses,
            lanes,
            timeout: REQUEST_TIMEOUT,
            most_records: AtomicUsize::new(most_records),
            longest_body: AtomicUsize::new(LONGEST_BODY),
            most_records_at_first: most_records,
            sent: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            records: AtomicU64::new(0),
            experience: Mutex::default(),
            has_told_of_payload: AtomicBool::new(false),
        }
    }

    pub(super) fn cell_style(&self) -> CellStyle {
        self.requests.cell_style()
    }

    pub(super) fn asked(&self) -> Asked {
        Asked {
            requests: self.sent.load(Ordering::Relaxed),
            records: self.records.load(Ordering::Relaxed),
            retries: self.retried.load(Ordering::Relaxed),
        }
    }

    pub(super) fn requests_for(&self, records: u64, bytes: u64) -> u64 {
        let by_records = records.div_ceil(self.most_records.load(Ordering::Relaxed) as u64);
        by_records.max(bytes.div_ceil(self.longest_body.load(Ordering::Relaxed) as u64))
    }

    /// Asks for all of the records.
    pub(super) async fn ask(
        self: &Arc<Self>,
        records: &Records,
        observer: &dyn Observer,
    ) -> Result<Answers, PredictorError> {
        let distinct = Distinct::of(records);
        let mut round = Round {
            asker: self,
            records,
            distinct: &distinct,
            observer,
            queue: std::iter::once(0..distinct.firsts.len()).collect(),
            answers: vec![None; distinct.firsts.len()],
            failures: HashMap::new(),
        };
        let mut under_way = JoinSet::new();
        let result = round.run(&mut under_way).await;
        // What was under way is gone before anybody hears of the end, the processes of a command among it.
        under_way.shutdown().await;
        result?;
        let (answers, failures) = (round.answers, round.failures);
        let places = distinct.of_record.iter().map(|place| *place as usize).enumerate();
        let failed = places.filter_map(|(record, place)| Some((record, failures.get(&place)?.clone())));
        Ok(Answers {
            failures: failed.collect(),
            answers: distinct.spread(answers),
            gave_up: self.experience().gave_up,
        })
    }

    fn experience(&self) -> MutexGuard<'_, Experience> {
        self.experience.lock().expect("nobody panics while holding it")
    }

    /// Sends a request, again where the failure may pass.
    async fn exchange(&self, request: Request) -> (Request, Result<Bytes, Failure>) {
        let mut lane = self.lanes.enter().await;
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            self.sent.fetch_add(1, Ordering::Relaxed);
            let way = if lane.is_on_trial() && attempt == 1 { Way::New } else { Way::Known };
            let sending = self.transport.send(request.body.clone(), way, self.timeout);
            let Some(outcome) = lane.run(request.body.len(), self.timeout, sending).await else {
                drop(lane);
                lane = self.lanes.enter_working().await;
                self.retried.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let outcome = outcome.and_then(|answer| {
                // Nothing is no answer, whatever the status says.
                let empty = || Failure::Model { words: "an empty answer".to_owned(), may_pass: false };
                if answer.is_empty() { Err(empty()) } else { Ok(answer) }
            });
            if attempt >= self.attempts(&outcome) {
                self.experience().learn(attempt, &outcome);
                return (request, outcome);
            }
            let asked_for = if let Err(Failure::Busy { after, .. }) = &outcome { *after } else { None };
            tokio::time::sleep(asked_for.unwrap_or(pause).clamp(pause, LONGEST_PAUSE.max(pause))).await;
            self.retried.fetch_add(1, Ordering::Relaxed);
            pause *= 2;
            attempt += 1;
        }
    }

    /// How often a request is sent that ends so.
    fn attempts(&self, outcome: &Result<Bytes, Failure>) -> u32 {
        match outcome {
            Err(Failure::Unreachable(_) | Failure::Broken(_) | Failure::Busy { .. }) => ATTEMPTS,
            Err(Failure::Model { may_pass: true, .. }) if self.experience().vain_attempts < ENOUGH_VAIN_ATTEMPTS => {
                ATTEMPTS_OF_FAILING_MODEL
            }
            Ok(_) | Err(Failure::Model { .. } | Failure::TimedOut | Failure::TooLarge(_) | Failure::Unusable(_)) => 1,
        }
    }
}

impl Experience {
    /// Whether second attempts help.
    fn learn(&mut self, attempt: u32, outcome: &Result<Bytes, Failure>) {
        match outcome {
            Err(Failure::Model { .. }) if attempt > 1 => self.vain_attempts += 1,
            Ok(_) if attempt > 1 => self.vain_attempts = 0,
            Ok(_) | Err(_) => {}
        }
    }
}

/// One call for answers.
struct Round<'a> {
    asker: &'a Arc<Asker>,
    records: &'a Records,
    distinct: &'a Distinct,
    observer: &'a dyn Observer,
    /// Distinct records that are still to be asked for, each range in requests of its own.
    queue: VecDeque<Range<usize>>,
    answers: Vec<Option<Answer>>,
    /// By place of the distinct record.
    failures: HashMap<usize, String>,
}

impl Round<'_> {
    async fn run(&mut self, under_way: &mut JoinSet<(Request, Result<Bytes, Failure>)>) -> Result<(), PredictorError> {
        let asker = self.asker;
        let mut look = tokio::time::interval(POLL);
        loop {
            if self.observer.stopped() {
                return Err(PredictorError::Stopped);
            }
            if asker.experience().gave_up {
                return Ok(());
            }
            while under_way.len() < asker.lanes.most()
                && let Some(request) = self.next_request()
            {
                let asker = Arc::clone(asker);
                // A task of its own: it goes on while answers are read here.
                under_way.spawn(async move { asker.exchange(request).await });
            }
            tokio::select! {
                ended = under_way.join_next() => match ended {
                    Some(Ok((request, outcome))) => self.take(request, outcome)?,
                    Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                    None => return Ok(()),
                },
                _ = look.tick() => {}
            }
        }
    }

    fn next_request(&mut self) -> Option<Request> {
        let range = self.queue.pop_front()?;
        if range.is_empty() {
            return None;
        }
        let share = self.distinct.firsts.len().div_ceil(self.asker.lanes.most()).max(WORTH_A_REQUEST);
        let most = self.asker.most_records.load(Ordering::Relaxed).min(share).min(range.len());
        let wanted = range.clone().take(most);
        let longest = self.asker.longest_body.load(Ordering::Relaxed);
        let body = self.asker.requests.body(wanted.map(|place| self.record(place)), longest);
        if body.is_full && !self.asker.has_told_of_payload.swap(true, Ordering::Relaxed) {
            self.tell_of_size(body.records, TO_FIT);
        }
        let end = range.start + body.records;
        if end < range.end {
            self.queue.push_front(end..range.end);
        }
        Some(Request { range: range.start..end, body: body.bytes.into() })
    }

    fn record(&self, place: usize) -> &[u8] {
        self.records.record(self.distinct.firsts[place])
    }

    /// Takes the outcome of a request.
    fn take(&mut self, request: Request, outcome: Result<Bytes, Failure>) -> Result<(), PredictorError> {
        let is_single = request.range.len() == 1;
        match outcome {
            Ok(body) => self.take_answer(&request, &body),
            Err(Failure::TooLarge(_)) if !is_single => {
                // Of bytes, not of records: one long record says nothing about the others.
                let half = request.body.len() / 2;
                if self.asker.longest_body.fetch_min(half, Ordering::Relaxed) > half {
                    self.tell_of_size(request.range.len() / 2, TO_FIT);
                }
                self.queue.push_front(request.range);
                Ok(())
            }
            Err(Failure::TimedOut) => self.take_silence(request),
            Err(Failure::Broken(words) | Failure::Busy { words, .. }) if !self.asker.experience().has_answered => {
                if is_single {
                    return Err(PredictorError::Unavailable(format!("the model does not answer: {words}")));
                }
                self.probe(request.range);
                Ok(())
            }
            Err(Failure::Model { words, .. } | Failure::Broken(words) | Failure::Busy { words, .. }) if !is_single => {
                self.fall_back(request.range, &words);
                Ok(())
            }
            Err(
                Failure::Model { words, .. }
                | Failure::TooLarge(words)
                | Failure::Broken(words)
                | Failure::Busy { words, .. },
            ) => {
                self.fail(&request, &words);
                Ok(())
            }
            Err(Failure::Unreachable(reason)) => {
                Err(PredictorError::Unavailable(format!("the model cannot be reached: {reason}")))
            }
            Err(Failure::Unusable(reason)) => {
                Err(PredictorError::Unavailable(format!("the model cannot be asked: {reason}")))
            }
        }
    }

    fn take_answer(&mut self, request: &Request, body: &[u8]) -> Result<(), PredictorError> {
        let count = request.range.len();
        let answers = self.asker.responses.answers(body, count).map_err(|problem| {
            PredictorError::Answer(format!(
                "the model's answer to {count} {} cannot be used: {problem}; the request begins `{}`, the answer `{}`",
                if count == 1 { "record" } else { "records" },
                excerpt(&request.body),
                excerpt(body),
            ))
        })?;
        for (place, answer) in request.range.clone().zip(answers) {
            self.answers[place] = Some(answer);
        }
        self.count(request.range.clone());
        let mut experience = self.asker.experience();
        experience.has_answered = true;
        experience.failures_in_a_row = 0;
        experience.silences_in_a_row = 0;
        if count > 1 {
            experience.batches_answered += 1;
        }
        experience.takes_single_records |= experience.batches_answered == 0
            && experience.batches_failed >= ENOUGH_FAILED_BATCHES
            && experience.failures == 0;
        let takes_single_records = experience.takes_single_records;
        drop(experience);
        if takes_single_records {
            self.reduce(1, "as the model takes single records alone");
        }
        Ok(())
    }

    /// No answer came in time. As long as none ever came, single records find out whether any will.
    fn take_silence(&mut self, request: Request) -> Result<(), PredictorError> {
        let seconds = self.asker.timeout.as_secs_f64();
        let mut experience = self.asker.experience();
        if request.range.len() > 1 {
            let has_answered = experience.has_answered;
            drop(experience);
            self.reduce(request.range.len().div_ceil(4), &format!("as there was no answer within {seconds} seconds"));
            if has_answered {
                self.queue.push_front(request.range);
            } else {
                self.probe(request.range);
            }
            return Ok(());
        }
        experience.silences_in_a_row += 1;
        let may_hold_many = !experience.takes_single_records;
        let is_gone = !experience.has_answered || experience.silences_in_a_row >= MOST_SILENCES;
        drop(experience);
        if is_gone {
            return Err(PredictorError::Unavailable(format!(
                "the model does not answer: no answer within {seconds} seconds to the request `{}`",
                excerpt(&request.body)
            )));
        }
        // It was this record that took requests so long, and not their length.
        if may_hold_many {
            self.asker.most_records.store(self.asker.most_records_at_first, Ordering::Relaxed);
        }
        self.fail(&request, &format!("no answer within {seconds} seconds"));
        Ok(())
    }

    /// Asks for the first of these records alone, to find out whether anybody is there; then for the others.
    fn probe(&mut self, range: Range<usize>) {
        self.queue.push_front(range.start + 1..range.end);
        self.queue.push_front(range.start..range.start + 1);
    }

    /// Cuts a request on which the model failed.
    fn fall_back(&mut self, range: Range<usize>, words: &str) {
        let mut experience = self.asker.experience();
        experience.batches_failed += 1;
        let is_first = experience.batches_failed == 1;
        drop(experience);
        if is_first {
            let line = format!("Fallback to per-record prediction because of model error. {words}");
            self.observer.log(Level::Warning, &line);
        }
        let size = range.len().div_ceil(CUTS);
        for start in range.clone().step_by(size).rev() {
            self.queue.push_front(start..(start + size).min(range.end));
        }
    }

    /// The model failed on a single record.
    fn fail(&mut self, request: &Request, words: &str) {
        let words = format!("{words}; the request was `{}`", excerpt(&request.body));
        self.failures.insert(request.range.start, words);
        self.count(request.range.clone());
        let mut experience = self.asker.experience();
        experience.failures += 1;
        experience.failures_in_a_row += 1;
        experience.gave_up |=
            experience.failures >= MOST_FAILURES || experience.failures_in_a_row >= MOST_FAILURES_IN_A_ROW;
    }

    fn count(&self, range: Range<usize>) {
        let records: u64 = self.distinct.counts[range].iter().map(|count| u64::from(*count)).sum();
        self.asker.records.fetch_add(records, Ordering::Relaxed);
    }

    /// Requests are to hold no more than so many records from now on.
    fn reduce(&self, records: usize, why: &str) {
        let records = records.max(1);
        if self.asker.most_records.fetch_min(records, Ordering::Relaxed) > records {
            self.tell_of_size(records, why);
        }
    }

    fn tell_of_size(&self, records: usize, why: &str) {
        self.observer.log(Level::Info, &format!("Prediction batch size is reduced to {records} {why}."));
    }
}
