//! How many requests are under way at once: as many as the model's server has shown to answer at once.
//!
//! A server of one thread that keeps its connections alive serves the first one as long as that lives; to all the others it is silent.
//! A server of four does so to the fifth. Nothing but asking tells how many there are, so a request beyond those that are known to work
//! is on trial: with its answer there is one more, and as long as all answer their number doubles. One that others overtake is taken
//! back and sent again where it works, and the number stays; so it is with one that is refused for want of time, on trial or not.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::POLL;
use super::transport::Failure;

/// As long as nothing has been answered, a further request is tried after this time: a model may be slow, and serve many.
const FIRST_ANSWER: Duration = Duration::from_millis(250);

/// How long a request on trial may take after others were answered: so long, and so many times what is usual.
const PATIENCE: (Duration, u32) = (Duration::from_secs(1), 5);

/// The same while there is a free lane that works.
const PATIENCE_BESIDE_FREE: (Duration, u32) = (Duration::from_millis(250), 3);

/// After a trial that failed the next one waits; longer with each.
const FIRST_REST: Duration = Duration::from_secs(10);
const LONGEST_REST: Duration = Duration::from_mins(10);

/// How much of what was usual still counts after another answer.
const FADING: f64 = 0.8;

/// The lanes to a model, each for one request at a time.
pub(super) struct Lanes {
    /// One for each lane that works.
    working: Semaphore,
    state: Mutex<State>,
    /// An answer came, or a trial ended.
    changed: Notify,
    most: usize,
}

struct State {
    working: usize,
    on_trial: usize,
    last_trial: Option<Instant>,
    no_trial_before: Option<Instant>,
    rest: Duration,
    answered: u64,
    pace: Pace,
}

/// What answers take; older ones count less.
#[derive(Default)]
struct Pace {
    answers: f64,
    seconds: f64,
    bytes: f64,
}

/// A request's place among those under way.
pub(super) struct Lane<'a> {
    lanes: &'a Lanes,
    place: Place<'a>,
}

enum Place<'a> {
    Working(SemaphorePermit<'a>),
    Trial(Verdict),
    /// It is no more: the server has refused to serve so many.
    Closed,
}

/// What came of a trial.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    None,
    Works,
    Fails,
}

impl Lanes {
    /// As many as the server shows, `most` at most.
    pub(super) fn to_find(most: usize) -> Self {
        Self::new(most, 0)
    }

    /// So many that work for certain.
    pub(super) fn that_work(count: usize) -> Self {
        Self::new(count, count)
    }

    fn new(most: usize, working: usize) -> Self {
        let state = State {
            working,
            on_trial: 0,
            last_trial: None,
            no_trial_before: None,
            rest: FIRST_REST,
            answered: 0,
            pace: Pace::default(),
        };
        Self { working: Semaphore::new(working), state: Mutex::new(state), changed: Notify::new(), most }
    }

    /// The most there can be.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Waits for a lane.
    pub(super) async fn enter(&self) -> Lane<'_> {
        tokio::select! {
            biased;
            lane = self.enter_working() => lane,
            () = self.begin_trial() => Lane { lanes: self, place: Place::Trial(Verdict::None) },
        }
    }

    /// Waits for a lane that works.
    pub(super) async fn enter_working(&self) -> Lane<'_> {
        let permit = self.working.acquire().await.expect("it is never closed");
        Lane { lanes: self, place: Place::Working(permit) }
    }

    async fn begin_trial(&self) {
        loop {
            // Before the look, so that no change is missed in between.
            let changed = self.changed.notified();
            let Some(wait) = self.state().try_begin(self.most) else { return };
            let _ = tokio::time::timeout(wait, changed).await;
        }
    }

    /// Comes to an end when a request on trial, of so many bytes, has waited for too long.
    async fn overtaken(&self, bytes: usize, begun: Instant, limit: Duration) {
        let answered_before = self.state().answered;
        loop {
            tokio::time::sleep(POLL).await;
            let is_free = self.working.available_permits() > 0;
            let (least, times) = if is_free { PATIENCE_BESIDE_FREE } else { PATIENCE };
            let state = self.state();
            let patience = state.pace.usual(bytes).saturating_mul(times).max(least).min(limit / 2);
            if state.answered > answered_before && begun.elapsed() >= patience {
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }
}

impl State {
    /// Begins a trial, or says how long to wait before asking again.
    fn try_begin(&mut self, most: usize) -> Option<Duration> {
        let now = Instant::now();
        if self.working + self.on_trial >= most {
            return Some(LONGEST_REST);
        }
        if let Some(end) = self.no_trial_before.filter(|end| now < *end) {
            return Some(end - now);
        }
        if self.on_trial >= self.working.max(1) {
            let since = self.last_trial.map_or(Duration::MAX, |last| now - last);
            if self.working > 0 {
                return Some(LONGEST_REST);
            }
            if since < FIRST_ANSWER {
                return Some(FIRST_ANSWER.saturating_sub(since));
            }
        }
        self.on_trial += 1;
        self.last_trial = Some(now);
        None
    }

    /// Begins no trial for a while.
    fn rest(&mut self) {
        self.no_trial_before = Some(Instant::now() + self.rest);
        self.rest = (2 * self.rest).min(LONGEST_REST);
    }
}

impl Pace {
    fn add(&mut self, bytes: usize, time: Duration) {
        self.answers = self.answers * FADING + 1.0;
        self.seconds = self.seconds * FADING + time.as_secs_f64();
        self.bytes = self.bytes * FADING + bytes as f64;
    }

    /// What a request of so many bytes usually takes.
    fn usual(&self, bytes: usize) -> Duration {
        if self.answers == 0.0 {
            return Duration::ZERO;
        }
        let share = (bytes as f64 / (self.bytes / self.answers).max(1.0)).max(1.0);
        Duration::try_from_secs_f64(self.seconds / self.answers * share).unwrap_or(Duration::MAX)
    }
}

impl Lane<'_> {
    /// Whether nobody knows yet that it works.
    pub(super) fn is_on_trial(&self) -> bool {
        matches!(self.place, Place::Trial(_))
    }

    /// What comes of a request of so many bytes that may take as long as `limit`. None where it is to be sent again on a lane that
    /// works: this one does not.
    pub(super) async fn run<T>(
        &mut self,
        bytes: usize,
        limit: Duration,
        request: impl Future<Output = Result<T, Failure>>,
    ) -> Option<Result<T, Failure>> {
        let begun = Instant::now();
        let outcome = match self.place {
            Place::Working(_) | Place::Closed => Some(request.await),
            Place::Trial(_) => tokio::select! {
                outcome = request => Some(outcome),
                () = self.lanes.overtaken(bytes, begun, limit) => None,
            },
        };
        let is_answered = match &outcome {
            Some(Ok(_) | Err(Failure::Model { .. } | Failure::TooLarge(_) | Failure::Unusable(_))) => true,
            Some(Err(Failure::Unreachable(_) | Failure::Broken(_) | Failure::TimedOut | Failure::Busy { .. }))
            | None => false,
        };
        let mut state = self.lanes.state();
        if is_answered {
            state.answered += 1;
        }
        if let Some(Ok(_)) = &outcome {
            state.pace.add(bytes, begun.elapsed());
        }
        match &mut self.place {
            Place::Trial(verdict) if is_answered => *verdict = Verdict::Works,
            Place::Trial(verdict) if state.working > 0 => {
                *verdict = Verdict::Fails;
                return None;
            }
            Place::Working(_) if state.working > 1 && matches!(outcome, Some(Err(Failure::Busy { .. }))) => {
                state.working -= 1;
                state.rest();
                if let Place::Working(permit) = std::mem::replace(&mut self.place, Place::Closed) {
                    permit.forget();
                }
                return None;
            }
            Place::Working(_) | Place::Trial(_) | Place::Closed => {}
        }
        outcome
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        let Place::Trial(verdict) = self.place else { return };
        let mut state = self.lanes.state();
        state.on_trial -= 1;
        match verdict {
            Verdict::None => {}
            Verdict::Works => {
                state.working += 1;
                self.lanes.working.add_permits(1);
            }
            Verdict::Fails => state.rest(),
        }
        drop(state);
        self.lanes.changed.notify_waiters();
    }
}
