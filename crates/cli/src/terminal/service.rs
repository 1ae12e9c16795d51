//! What the service says, as text: schedules, executions, why.

use watchkeeper_service::api::operators::{
    BackfillAnswer, BackfillRequest, ExecutionDetail, ExecutionList, ExecutionView, LogLine, LookedView, PauseView,
    ScheduleView, StatusView, WhyView,
};

use super::figures::{count, counted};
use super::table::{Cell, Column, Cut, Row, lay_out};
use super::text::{push_left_out, push_wrapped, visible};
use super::{Paint, Style, paints};

/// By how much lines below a heading stand back.
const INDENT: usize = 2;

/// Executions, and ticks that started none, as a table.
pub fn executions(list: &ExecutionList, style: &Style) -> String {
    if list.executions.is_empty() {
        return "no executions\n".to_owned();
    }
    let mut text = execution_table(&list.executions, style);
    if list.next.is_some() {
        push_wrapped(
            &mut text,
            "there are more: ask for more with --limit, or for others with --from and --to",
            0,
            style,
        );
    }
    text
}

fn execution_table(executions: &[ExecutionView], style: &Style) -> String {
    let columns = [
        Column::text("scheduled"),
        Column::text("schedule").cut(Cut::Middle(12)).leaves(3),
        Column::text("status"),
        Column::text("by").leaves(1),
        Column::text("job").cut(Cut::Middle(16)).leaves(0),
    ];
    let row = |execution: &ExecutionView| {
        let status = execution.status.as_deref().unwrap_or(&execution.outcome);
        let mut below = String::new();
        if let Some(reason) = &execution.reason {
            push_wrapped(&mut below, &visible(reason, style), INDENT * 2, style);
        }
        Row {
            cells: vec![
                Cell::of_document(&execution.scheduled, style),
                Cell::of_document(&execution.schedule, style),
                Cell::of_document(status, style).paint(paint_of(status)),
                Cell::of_document(&execution.trigger, style).paint(paints::QUIET),
                execution.job.as_deref().map_or_else(Cell::default, |job| Cell::of_document(job, style)),
            ],
            below: below.lines().map(str::to_owned).collect(),
        }
    };
    let rows: Vec<Row> = executions.iter().map(row).collect();
    let table = lay_out(&columns, &rows, style);
    let mut text = table.text;
    push_left_out(&mut text, &table.left_out, style);
    text
}

pub(super) fn paint_of(status: &str) -> Paint {
    match status {
        "Completed" | "Scheduled" | "OK" => paints::GOOD,
        "CompletedWithViolations" | "Failed" => paints::BAD,
        "skipped" | "missed" | "paused" | "Stopped" | "Stopping" => paints::NOTICE,
        _ => Paint::new(),
    }
}

/// One execution with what its job said.
pub fn execution(detail: &ExecutionDetail, style: &Style) -> String {
    let execution = &detail.execution;
    let status = execution.status.as_deref().unwrap_or(&execution.outcome);
    let mut text = format!(
        "{} of {}, {}\n",
        style.paint(status, paint_of(status)),
        visible(&execution.schedule, style),
        visible(&execution.scheduled, style)
    );
    let mut facts = Vec::new();
    if let Some(window) = &execution.window {
        facts.push(("window", format!("{} to {}", window.start, window.end)));
    }
    facts.extend(execution.job.iter().map(|job| ("job", job.clone())));
    let merge = execution.merge.as_ref();
    facts.extend(merge.map(|merge| ("merge job", merge.job.clone())));
    facts.extend(merge.and_then(|merge| merge.counts.as_ref()).map(|merge| {
        let captures = counted(merge.captures, "captured record");
        let labels = counted(merge.labels, "label");
        ("merge", format!("{} of {captures} matched, by {labels}", count(merge.matched)))
    }));
    facts.extend(execution.note.iter().map(|note| ("note", note.clone())));
    facts.extend(execution.reason.iter().map(|reason| ("reason", reason.clone())));
    facts.extend(detail.exit_message.iter().map(|message| ("message", message.clone())));
    facts.extend(detail.results.iter().map(|results| ("results", results.clone())));
    for (name, fact) in facts {
        push_wrapped(&mut text, &format!("{name}: {}", visible(&fact, style)), INDENT, style);
    }
    text
}

/// That an execution was started.
pub fn run_started(execution: &ExecutionView) -> String {
    let window = execution.window.as_ref();
    let window = window.map_or_else(String::new, |window| format!(", window {} to {}", window.start, window.end));
    format!("started {}{window}\n", execution.id)
}

/// What a backfill will do.
pub fn backfill(answer: &BackfillAnswer, request: &BackfillRequest, schedule: &str) -> String {
    let BackfillRequest { from, to } = request;
    if answer.ticks == 0 {
        return format!("every tick of {schedule} from {from} to {to} has run\n");
    }
    let ticks = counted(answer.ticks, "tick");
    format!("{ticks} of {schedule} from {from} to {to} will run, one after the other\n")
}

/// The pause of all schedules.
pub fn pause(pause: &PauseView) -> String {
    let since = pause.since.as_ref().map_or_else(String::new, |since| format!(" since {since}"));
    if pause.is_paused { format!("all schedules are paused{since}\n") } else { format!("schedules run{since}\n") }
}

/// A line of a job's log.
pub fn log_line(line: &LogLine, style: &Style) -> String {
    format!("{} {}\n", style.paint(&line.time, paints::QUIET), visible(&line.message, style))
}

/// What the service has and does.
pub fn status(status: &StatusView, schedules: &[ScheduleView], style: &Style) -> String {
    let mut text = format!(
        "watchkeeper {}, up {}, {}\n",
        visible(&status.version, style),
        duration(status.uptime_seconds),
        visible(&status.now, style)
    );
    if status.pause.is_paused {
        text += &style.paint(pause(&status.pause).trim_end(), paints::NOTICE);
        text.push('\n');
    }
    let groups = [("schedules", &status.schedules), ("executions", &status.executions), ("jobs", &status.jobs)];
    for (name, counts) in groups {
        let counts: Vec<String> =
            counts.iter().map(|(status, number)| format!("{} {}", count(*number), visible(status, style))).collect();
        let counts = if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
        push_wrapped(&mut text, &format!("{name}: {counts}"), 0, style);
    }
    push_wrapped(&mut text, &format!("queue: {} waiting for a runner", counted(status.queued_jobs, "job")), 0, style);
    if let Some(next) = &status.next_tick {
        let next = format!("next tick: {} of {}", next.tick, next.schedule);
        push_wrapped(&mut text, &visible(&next, style), 0, style);
    }
    for process in &status.processes {
        let process = format!(
            "process: {} on {}, {}, since {}",
            process.endpoint_url,
            process.host,
            process.roles.join(", "),
            process.started
        );
        push_wrapped(&mut text, &visible(&process, style), 0, style);
    }
    if !schedules.is_empty() {
        text.push('\n');
        push_schedules(&mut text, schedules, style);
    }
    if !status.running_jobs.is_empty() {
        text.push('\n');
        let columns = [
            Column::text("running job").cut(Cut::Middle(16)),
            Column::text("since"),
            Column::text("schedule").cut(Cut::Middle(12)).leaves(0),
        ];
        let row = |job: &watchkeeper_service::api::operators::JobView| Row {
            cells: vec![
                Cell::of_document(&job.name, style),
                job.started.as_deref().map_or_else(Cell::default, |started| Cell::of_document(started, style)),
                job.schedule.as_deref().map_or_else(Cell::default, |schedule| Cell::of_document(schedule, style)),
            ],
            below: Vec::new(),
        };
        let rows: Vec<Row> = status.running_jobs.iter().map(row).collect();
        let table = lay_out(&columns, &rows, style);
        text += &table.text;
        push_left_out(&mut text, &table.left_out, style);
    }
    text
}

fn push_schedules(text: &mut String, schedules: &[ScheduleView], style: &Style) {
    let columns = [
        Column::text("schedule").cut(Cut::Middle(12)),
        Column::text("status"),
        Column::text("monitor").leaves(2),
        Column::text("endpoint").cut(Cut::Middle(12)).leaves(1),
        Column::text("expression").cut(Cut::End(8)).leaves(0),
        Column::text("last").leaves(3),
        Column::text("next tick").leaves(4),
    ];
    let optional =
        |text: &Option<String>| text.as_deref().map_or_else(Cell::default, |text| Cell::of_document(text, style));
    let row = |schedule: &ScheduleView| {
        let last = optional(&schedule.last_status);
        Row {
            cells: vec![
                Cell::of_document(&schedule.name, style),
                Cell::of_document(&schedule.status, style).paint(paint_of(&schedule.status)),
                Cell::of_document(&schedule.monitoring_type, style),
                optional(&schedule.endpoint),
                optional(&schedule.expression),
                last.paint(schedule.last_status.as_deref().map_or_else(Paint::new, paint_of)),
                optional(&schedule.next_tick),
            ],
            below: Vec::new(),
        }
    };
    let rows: Vec<Row> = schedules.iter().map(row).collect();
    let table = lay_out(&columns, &rows, style);
    text.push_str(&table.text);
    push_left_out(text, &table.left_out, style);
}

/// Why a schedule did not run.
pub fn why(why: &WhyView, style: &Style) -> String {
    let schedule = &why.schedule;
    let mut text = format!(
        "{} {} {}\n",
        style.paint(&visible(&schedule.name, style), paints::TITLE),
        style.paint(&visible(&schedule.status, style), paint_of(&schedule.status)),
        visible(schedule.expression.as_deref().unwrap_or("no expression"), style)
    );
    let bullet = if style.unicode { "•" } else { "-" };
    for sentence in &why.sentences {
        push_wrapped(&mut text, &format!("{bullet} {}", visible(sentence, style)), INDENT, style);
    }
    if let Some(findings) = &why.now
        && !findings.looked.is_empty()
    {
        text.push('\n');
        let window = findings.window.as_ref();
        let window = window.map_or_else(String::new, |window| format!(", window {} to {}", window.start, window.end));
        let heading = format!("to be found now for {}{window}", findings.tick);
        push_wrapped(&mut text, &visible(&heading, style), 0, style);
        for looked in &findings.looked {
            push_looked(&mut text, looked, style);
        }
    }
    if !why.executions.is_empty() {
        text.push('\n');
        text += &execution_table(&why.executions, style);
    }
    text
}

fn push_looked(text: &mut String, looked: &LookedView, style: &Style) {
    let found = if looked.objects == 0 {
        "nothing".to_owned()
    } else {
        format!("{}, {}", counted(looked.objects, "object"), counted(looked.bytes, "byte"))
    };
    push_wrapped(text, &format!("{}: {found}", visible(&looked.what, style)), INDENT, style);
    for place in &looked.places {
        push_wrapped(text, &visible(place, style), INDENT * 2, style);
    }
    let nearest = [("nearest before", &looked.nearest_before), ("nearest after", &looked.nearest_after)];
    for (name, address) in nearest {
        if let Some(address) = address {
            push_wrapped(text, &format!("{name}: {}", visible(address, style)), INDENT * 2, style);
        }
    }
}

/// `3 d 4 h`, `5 min 6 s`.
fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}
