//! "Why didn't it run": what is known of a schedule's ticks, and what there is to be seen of its data now.

use uuid::Uuid;
use watchkeeper_aws::Time;
use watchkeeper_aws::generated::sagemaker::{ExecutionStatus, ScheduleStatus};
use watchkeeper_store::metadata::{Query, SortBy};

use super::due::at_or_before;
use super::examine::examine;
use super::operator::{Refusal, load};
use super::ticks::expression;
use crate::Context;
use crate::control::execution::{Execution, Looked, Outcome, Trigger, Window};
use crate::control::merge::Merge;
use crate::control::pause::Pause;
use crate::control::schedule::{MonitoringSchedule, Target};

/// Rows that are shown.
const MOST_ROWS: usize = 20;

/// What is known of a schedule.
pub struct Why {
    /// The schedule.
    pub schedule: MonitoringSchedule,
    /// The pause of all schedules, if there is one.
    pub pause: Option<Pause>,
    /// Its latest ticks with their outcomes, the newest first.
    pub rows: Vec<Execution>,
    /// What the last tick, or the next where there was none, would find if it ran at this moment.
    pub now: Option<Findings>,
    /// All of it in sentences, what matters most first.
    pub sentences: Vec<String>,
}

/// What a tick would find.
pub struct Findings {
    /// The tick.
    pub tick: Time,
    /// Its window.
    pub window: Option<Window>,
    /// What was looked for.
    pub looked: Vec<Looked>,
    /// Why it could not run; None when it could.
    pub reason: Option<String>,
}

/// Finds out what can be said about a schedule; changes nothing.
pub async fn why(context: &Context, name: &str) -> Result<Why, Refusal> {
    let schedule = load(context, name).await?.resource;
    let pause = context.resources.get::<Pause>(Pause::KEY).await?.map(|pause| pause.resource);
    let query = Query {
        schedule: Some(schedule.name.clone()),
        key_prefix: Some(Execution::key_prefix(&schedule)),
        sort_by: SortBy::Scheduled,
        descending: true,
        limit: MOST_ROWS,
        ..Query::default()
    };
    let rows = context.resources.list::<Execution>(&query).await.map_err(Refusal::Failed)?;
    let rows: Vec<Execution> = rows.into_iter().map(|row| row.resource).collect();
    let mut why =
        Why { pause: pause.filter(|pause| pause.is_paused), rows, now: None, sentences: Vec::new(), schedule };
    why.now = findings(context, &why).await?;
    why.sentences = sentences(&why);
    Ok(why)
}

/// What the last tick would find; that it ran before says what there was then, not what there is.
async fn findings(context: &Context, why: &Why) -> Result<Option<Findings>, Refusal> {
    let schedule = &why.schedule;
    let row = why.rows.first();
    let passed = || at_or_before(&expression(schedule).ok()?, context.now());
    let tick = row.map(|row| row.scheduled.0).or_else(passed).or(schedule.next_tick.map(|tick| tick.0));
    let Some(tick) = tick else { return Ok(None) };
    let window = row.and_then(|row| row.window);
    let trigger = row.map_or(Trigger::Tick, |row| row.trigger);
    let examined = examine(context, schedule, (tick, trigger), window, Uuid::nil()).await?;
    Ok(Some(Findings {
        tick: Time(tick),
        window: examined.window,
        looked: examined.looked,
        reason: examined.jobs.err(),
    }))
}

fn sentences(why: &Why) -> Vec<String> {
    let schedule = &why.schedule;
    let name = &schedule.name;
    let mut sentences = Vec::new();
    if let Some(pause) = &why.pause {
        sentences.push(format!(
            "all schedules are paused since {}: ticks are passed over until `watchkeeper resume`",
            pause.since
        ));
    }
    sentences.extend(status_sentence(schedule));
    match why.rows.first() {
        None => sentences.push(first_tick_sentence(schedule)),
        Some(row) => sentences.extend(row_sentences(row)),
    }
    if schedule.running.is_some() {
        let ticks = if schedule.operator.is_running { "wait for its end" } else { "are skipped" };
        sentences.push(format!("an execution is running, and ticks that come meanwhile {ticks}"));
    }
    if let Some(findings) = &why.now
        && !why.rows.first().is_some_and(has_run)
    {
        sentences.extend(findings_sentences(findings));
    }
    let is_waiting = schedule.status == ScheduleStatus::Scheduled && schedule.running.is_none();
    if let Some(next) = schedule.next_tick.filter(|_| is_waiting) {
        sentences.push(format!("the next tick of {name} is {next}"));
    }
    sentences
}

/// Whether there is nothing to explain: it runs, or it ended well.
fn has_run(row: &Execution) -> bool {
    row.outcome == Outcome::Started && !matches!(row.status, ExecutionStatus::Failed | ExecutionStatus::Stopped)
}

fn status_sentence(schedule: &MonitoringSchedule) -> Option<String> {
    let name = &schedule.name;
    match schedule.status {
        ScheduleStatus::Stopped => Some(format!(
            "{name} is Stopped, so it has no ticks: start it with StartMonitoringSchedule, or run it now with \
             `watchkeeper run {name}`"
        )),
        ScheduleStatus::Failed => {
            let reason = schedule.failure_reason.as_deref().unwrap_or("no reason was recorded");
            Some(format!("{name} is Failed: {reason}; update it with UpdateMonitoringSchedule"))
        }
        ScheduleStatus::Pending => {
            let to = schedule.transition.as_ref().map(|transition| transition.to);
            Some(format!(
                "{name} is being {}",
                match to {
                    Some(Target::Deleted) => "deleted",
                    Some(Target::Stopped) => "stopped",
                    _ => "started",
                }
            ))
        }
        ScheduleStatus::Scheduled => None,
    }
}

fn first_tick_sentence(schedule: &MonitoringSchedule) -> String {
    match schedule.next_tick {
        Some(tick) => {
            format!("no tick has come since {} was created at {}: the first is {tick}", schedule.name, schedule.created)
        }
        None => format!("no tick has come since {} was created at {}", schedule.name, schedule.created),
    }
}

fn row_sentences(row: &Execution) -> Vec<String> {
    let tick = row.scheduled;
    let what = match row.trigger {
        Trigger::Run => "run",
        Trigger::Remerge => "remerge",
        Trigger::Tick | Trigger::Backfill => "tick",
    };
    match row.outcome {
        Outcome::Skipped => {
            vec![format!("the last tick, {tick}, was skipped: the execution before it was still running")]
        }
        Outcome::Missed => {
            vec![format!("the last tick, {tick}, was missed: no scheduler was running; `watchkeeper backfill` runs it")]
        }
        Outcome::Paused => vec![format!(
            "the last tick, {tick}, was passed over: all schedules were paused; `watchkeeper backfill` runs it"
        )],
        Outcome::Started => {
            let mut sentences = match (row.status, &row.failure_reason) {
                (ExecutionStatus::Pending, _) => {
                    vec![format!(
                        "the last {what}, {tick}, waits for its start, which is due at {}",
                        row.earliest_start
                    )]
                }
                (status, Some(reason)) => {
                    vec![format!("the execution of the last {what}, {tick}, is {status}: {reason}")]
                }
                (status, None) => vec![format!("the execution of the last {what}, {tick}, is {status}")],
            };
            if let Some(window) = row.window {
                sentences.push(format!("its window was {} to {} (UTC, the end excluded)", window.start, window.end));
            }
            sentences.extend(row.merge.as_ref().and_then(merge_sentence));
            sentences.extend(row.note.clone());
            sentences.extend(row.looked.iter().filter(|looked| looked.objects == 0).map(nothing_found));
            sentences
        }
    }
}

fn merge_sentence(merge: &Merge) -> Option<String> {
    let merged = merge.merged.as_ref()?;
    let counts = merged.counts?;
    let report = merged.report.as_ref().map_or_else(String::new, |report| format!(", see {report}"));
    Some(format!(
        "its merge matched {} of {} captured records with {} records of ground truth{report}",
        counts.matched, counts.captures, counts.labels
    ))
}

fn nothing_found(looked: &Looked) -> String {
    let sentence = format!("no {} was found in {}", looked.what, looked.places.join(", "));
    match (&looked.nearest_before, &looked.nearest_after) {
        (None, None) => sentence,
        (before, after) => {
            let said = |nearest: &Option<String>| nearest.clone().unwrap_or_else(|| "nothing".to_owned());
            format!("{sentence}; before the window there is {}, after it {}", said(before), said(after))
        }
    }
}

fn findings_sentences(findings: &Findings) -> Vec<String> {
    let mut sentences = Vec::new();
    let is_data = |looked: &&Looked| looked.what.starts_with("capture") || looked.what == "ground truth";
    for looked in findings.looked.iter().filter(is_data).filter(|looked| looked.objects > 0) {
        let plural = if looked.objects == 1 { "" } else { "s" };
        sentences.push(format!(
            "at this moment the hours that its window touches hold {} object{plural} of {} ({} bytes)",
            looked.objects, looked.what, looked.bytes
        ));
    }
    match &findings.reason {
        Some(reason) => sentences.push(format!("run again at this moment, it would fail: {reason}")),
        None => sentences.push("run again at this moment, its job would start".to_owned()),
    }
    sentences
}
