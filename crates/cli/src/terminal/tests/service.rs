//! What the service says.

use serde_json::{Value, json};

use super::{ASCII, NARROW, WIDE};
use crate::terminal;

fn execution(scheduled: &str, outcome: &str, status: Option<&str>, reason: Option<&str>) -> Value {
    json!({
        "id": "x", "schedule": "churn-hourly", "monitoring_type": "DataQuality", "endpoint": "churn", "scheduled": scheduled,
        "trigger": "tick", "outcome": outcome, "status": status, "window": null, "created": scheduled, "modified": scheduled,
        "job": status.map(|_| "data-quality-monitoring-202601010100-0123456789abcdef01234567"), "reason": reason, "looked": [],
    })
}

fn executions() -> Value {
    json!([
        execution("2026-01-01T03:00:00Z", "started", Some("Failed"), Some("Job inputs had no data")),
        execution("2026-01-01T02:00:00Z", "skipped", None, None),
        execution("2026-01-01T01:00:00Z", "started", Some("CompletedWithViolations"), None),
    ])
}

fn schedule() -> Value {
    json!({
        "name": "churn-hourly", "arn": "a", "status": "Scheduled", "monitoring_type": "DataQuality", "endpoint": "churn",
        "expression": "cron(0 * ? * * *)", "next_tick": "2026-01-01T04:00:00Z", "running": null, "last_status": "Failed",
        "last_scheduled": "2026-01-01T03:00:00Z", "backfill_until": null, "failure_reason": null,
    })
}

#[test]
fn executions_are_a_table_with_their_reasons() {
    let list = serde_json::from_value(json!({"executions": executions(), "next": "more"})).unwrap();
    assert_eq!(
        terminal::executions(&list, &ASCII),
        "\
scheduled             schedule      status                   by    job
--------------------  ------------  -----------------------  ----  -------------------------------------------------------------
2026-01-01T03:00:00Z  churn-hourly  Failed                   tick  data-quality-monitoring-202601010100-0123456789abcdef01234567
    Job inputs had no data
2026-01-01T02:00:00Z  churn-hourly  skipped                  tick
2026-01-01T01:00:00Z  churn-hourly  CompletedWithViolations  tick  data-quality-monitoring-202601010100-0123456789abcdef01234567
there are more: ask for more with --limit, or for others with --from and --to
"
    );
    let narrow = terminal::executions(&list, &NARROW);
    assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
}

#[test]
fn why_says_its_sentences_and_what_is_there() {
    let why = serde_json::from_value(json!({
        "schedule": schedule(),
        "pause": {"is_paused": false, "since": null},
        "sentences": ["the execution of the last tick is Failed", "a \u{1b}[31mname"],
        "now": {"tick": "2026-01-01T03:00:00Z", "reason": "Job inputs had no data",
            "window": {"start": "2026-01-01T02:00:00Z", "end": "2026-01-01T03:00:00Z"},
            "looked": [{"what": "capture", "places": ["s3://b/captured/churn/AllTraffic/2026/01/01/02"], "objects": 0, "bytes": 0,
                "nearest_before": "s3://b/captured/x", "nearest_after": null}]},
        "executions": [],
    }))
    .unwrap();
    assert_eq!(
        terminal::why(&why, &WIDE),
        "\
churn-hourly Scheduled cron(0 * ? * * *)
  • the execution of the last tick is Failed
  • a \\u{1b}[31mname

to be found now for 2026-01-01T03:00:00Z, window 2026-01-01T02:00:00Z to 2026-01-01T03:00:00Z
  capture: nothing
    s3://b/captured/churn/AllTraffic/2026/01/01/02
    nearest before: s3://b/captured/x
"
    );
}

#[test]
fn status_counts_and_lists() {
    let status = serde_json::from_value(json!({
        "version": "0.1.0", "started": "2026-01-01T00:00:00Z", "uptime_seconds": 93_784.2, "now": "2026-01-02T02:03:04Z",
        "pause": {"is_paused": true, "since": "2026-01-02T00:00:00Z"},
        "schedules": {"Scheduled": 1}, "executions": {"Completed": 1234, "missed": 2}, "jobs": {},
        "running_jobs": [], "queued_jobs": 1, "next_tick": {"tick": "2026-01-01T04:00:00Z", "schedule": "churn-hourly"},
    }))
    .unwrap();
    let schedules: Vec<_> = vec![serde_json::from_value(schedule()).unwrap()];
    assert_eq!(
        terminal::status(&status, &schedules, &ASCII),
        "\
watchkeeper 0.1.0, up 1 d 2 h, 2026-01-02T02:03:04Z
all schedules are paused since 2026-01-02T00:00:00Z
schedules: 1 Scheduled
executions: 1,234 Completed, 2 missed
jobs: none
queue: 1 job waiting for a runner
next tick: 2026-01-01T04:00:00Z of churn-hourly

schedule      status     monitor      endpoint  expression         last    next tick
------------  ---------  -----------  --------  -----------------  ------  --------------------
churn-hourly  Scheduled  DataQuality  churn     cron(0 * ? * * *)  Failed  2026-01-01T04:00:00Z
"
    );
}
