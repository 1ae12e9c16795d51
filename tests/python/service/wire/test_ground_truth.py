"""Ground truth that is missing, late, double, broken or of other ids: a result or an error that says what was found where."""

import datetime
import json
import re
from collections.abc import Iterable
from typing import Any

import pytest

from endpoints import refusal
from monitored import SLOW_ANALYZER, Monitored
from quality import HOUR, TICK, capture_line, label_lines, label_record
from resources import wait_until
from service import Service

OFFSETS = {"StartTimeOffset": "-PT1H", "EndTimeOffset": "-PT0H", "InferenceAttribute": "0"}
REGRESSION = {"InferenceAttribute": "0"}


@pytest.fixture
def route() -> str:
    """Nothing here depends on the way in."""
    return "endpoint"


def captures(ids: Iterable[Any], answer: str = "1.0", time: datetime.datetime = HOUR) -> str:
    return "".join(capture_line(answer, f"event-{known}", time, str(known)) for known in ids)


def labels(ids: Iterable[Any], label: str = "1") -> str:
    return label_lines((str(known), label) for known in ids)


def report(example: Monitored) -> dict[str, Any]:
    """The merge's own report."""
    (key,) = example.keys("results/merge/_reports/")
    return json.loads(example.text(key))


def test_captures_without_labels(clients: Any, service: Service) -> None:
    example = Monitored(clients, service)
    example.capture(HOUR, captures(range(5)))
    example.label(TICK, labels(range(5)))
    example.monitor("Regression", **REGRESSION)
    summary = example.run_tick(TICK)
    assert summary["MonitoringExecutionStatus"] == "Failed" and "ProcessingJobArn" not in summary
    prefix = re.escape(f"{example.uri}/truth")
    reason = rf"Job inputs had no data\. No objects under {prefix}/?, hours (\S+)…(\S+)\."
    found = re.fullmatch(reason, summary["FailureReason"])
    assert found and found[1] == found[2] and "26" in found[1], summary
    assert example.keys("results/") == []


def test_labels_without_captures(clients: Any, service: Service) -> None:
    example = Monitored(clients, service)
    example.capture(TICK, captures(range(5)))
    example.label(HOUR, labels(range(5)))
    example.monitor("Regression", **REGRESSION)
    summary = example.run_tick(TICK)
    assert summary["MonitoringExecutionStatus"] == "Failed" and "ProcessingJobArn" not in summary
    prefix = re.escape(f"{example.uri}/capture")
    reason = rf"Job inputs had no data\. No objects under {prefix}\S*, hours \S+…\S+\."
    assert re.fullmatch(reason, summary["FailureReason"]), summary
    schedule = example.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=example.name)
    assert schedule["LastMonitoringExecutionSummary"]["FailureReason"] == summary["FailureReason"]


def test_nothing_matches(clients: Any, service: Service) -> None:
    example = Monitored(clients, service)
    example.capture(HOUR, captures(range(50)))
    example.label(HOUR, labels(f"order-{number}" for number in range(40)))
    example.monitor("Regression", **REGRESSION)
    summary = example.run_tick(TICK)
    assert summary["MonitoringExecutionStatus"] == "Failed"
    job = example.execution_job(summary)
    assert job["ProcessingJobName"].startswith("groundtruth-merge-"), "the second job never was"
    counts = "50 captured records, 40 ground-truth records, 0 common ids, hours "
    reason = f"Error: Job inputs had no data. No captured record could be joined with ground truth: {counts}"
    assert job["ProcessingJobStatus"] == "Failed" and job["FailureReason"].startswith(f"AlgorithmError: {reason}")
    assert summary["FailureReason"] == job["FailureReason"]
    # The log shows ids of both sides: users see at once that they named them differently.
    log = job_log(clients, job["ProcessingJobName"])
    assert "order-0" in log and re.search(r"\b0\b", log), log
    printed = service.run("why", example.name, succeeds=False)
    assert "0 common ids" in printed.stdout + printed.stderr


def job_log(clients: Any, name: str) -> str:
    group = "/aws/sagemaker/ProcessingJobs"
    streams = clients("logs").describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
    events = clients("logs").get_log_events(
        logGroupName=group, logStreamName=streams[0]["logStreamName"], startFromHead=True
    )["events"]
    return "\n".join(event["message"] for event in events)


def test_merged_but_not_usable(clients: Any, service: Service) -> None:
    """The labels are words where a regression needs numbers."""
    example = Monitored(clients, service)
    example.capture(HOUR, captures(range(7)))
    example.label(HOUR, labels(range(7), "many"))
    example.monitor("Regression", **REGRESSION)
    summary = example.run_tick(TICK)
    assert summary["MonitoringExecutionStatus"] == "Failed"
    job = example.execution_job(summary)
    assert job["ProcessingJobName"].startswith("model-quality-monitoring-")
    reason = re.escape("AlgorithmError: Error: No usable rows: 7 merged records, 0 outside ")
    assert re.fullmatch(reason + r"\S+…\S+, 7 dropped, first reason: .*many.*", job["FailureReason"]), job
    assert summary["FailureReason"] == job["FailureReason"]
    assert example.merge_job(summary)["ProcessingJobStatus"] == "Completed"
    output = example.output(job).removeprefix(example.uri + "/")
    assert example.keys(f"{output}/") == [], "nothing of a failed job is left"


def test_records_outside_the_window(clients: Any, service: Service) -> None:
    """The folder of the hour holds them, the window does not."""
    example = Monitored(clients, service)
    late = HOUR + datetime.timedelta(hours=1, minutes=10)
    example.capture(HOUR, captures(range(6)) + captures(range(6, 10), time=late))
    example.label(HOUR, labels(range(10), "3"))
    example.monitor("Regression", **REGRESSION)
    summary = example.run_tick(TICK)
    assert summary["MonitoringExecutionStatus"] == "Completed", summary
    assert len(example.merged()) == 10
    metrics = example.metrics(summary)
    assert metrics["item_count"] == 6 and metrics["mae"]["value"] == 2.0
    assert report(example)["out_of_window"] == 4


def test_a_label_that_comes_twice_counts_once(clients: Any, service: Service) -> None:
    """The last one wins: later hour, then later key, then later line; captures of one id are all kept."""
    example = Monitored(clients, service)
    example.capture(HOUR, captures(["a", "b", "c", "d", "a"], "10"))
    example.label(HOUR, labels("abcd", "1") + labels("b", "2"), "one.jsonl")
    example.label(HOUR, labels("c", "3"), "two.jsonl")
    example.label(TICK, labels("d", "4"), "another.jsonl")
    example.monitor("Regression", **OFFSETS)
    summary = example.run_tick(TICK)
    assert summary["MonitoringExecutionStatus"] == "Completed", summary
    joined = [(line["eventMetadata"]["inferenceId"], line["groundTruthData"]["data"]) for line in example.merged()]
    assert joined == [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("a", "1")]
    assert example.metrics(summary)["mae"]["value"] == (9 + 8 + 7 + 6 + 9) / 5
    assert report(example)["duplicate_labels"]["with_other_value"] == 3


def test_event_ids_where_there_is_no_inference_id(clients: Any, service: Service) -> None:
    """An inference id without a label is not tried again by its event's id."""
    example = Monitored(clients, service)
    lines = [
        capture_line("5", "first", HOUR),
        capture_line("5", "second", HOUR, "named"),
        capture_line("5", "third", HOUR, "unlabelled"),
        capture_line("5", "fourth", HOUR, ""),
    ]
    example.capture(HOUR, "".join(lines))
    example.label(HOUR, labels(["first", "second", "named", "third", "fourth", "Named "], "5"))
    example.monitor("Regression", **REGRESSION)
    summary = example.run_tick(TICK)
    assert summary["MonitoringExecutionStatus"] == "Completed", summary
    assert [line["eventMetadata"]["eventId"] for line in example.merged()] == ["first", "second", "fourth"]


def test_label_files_of_every_form_and_broken_ones(clients: Any, service: Service) -> None:
    """What can be read is used, what cannot is counted, and the log names the file."""
    example = Monitored(clients, service)
    long_id = "x" * 10_000
    ids = ["lines", "pretty", "array", "number", "json", "before", long_id, "cut", "garbage"]
    example.capture(HOUR, captures(ids, "2"))
    example.label(HOUR, labels(["lines"]), "a.jsonl")
    example.label(HOUR, json.dumps(label_record("pretty", "1"), indent=2), "b.json")
    example.label(HOUR, json.dumps([label_record("array", "1"), label_record("other", "1")]), "c.json")
    example.label(HOUR, json.dumps(label_record("number", 1) | {"more": [1, {"x": None}]}) + "\n", "d")
    example.label(HOUR, json.dumps(label_record("json", '{"label": 1}', "JSON")), "e.jsonl")
    example.label(HOUR, labels(["before"]) + labels(["cut"])[:60], "f-cut.jsonl")
    example.label(HOUR, labels([long_id]), "g.jsonl")
    example.label(HOUR, b"\x00\xff\xfe not a label\n{]\n", "h-garbage.jsonl")
    example.label(HOUR, b"", "i-empty.jsonl")
    example.label(HOUR, '{"eventMetadata":{"eventId":"cut"}}\n{"groundTruthData":{"data":"1"}}\n', "j-halves.jsonl")
    example.monitor("Regression", **REGRESSION)
    summary = example.run_tick(TICK)
    assert summary["MonitoringExecutionStatus"] == "Completed", summary
    merged = [line["eventMetadata"]["inferenceId"] for line in example.merged()]
    assert merged == ["lines", "pretty", "array", "number", "json", "before", long_id]
    metrics = example.metrics(summary)
    assert (metrics["item_count"], metrics["mae"]["value"]) == (7, 1.0)
    found = report(example)
    assert found["captures"]["records"] == 9 and found["captures"]["unmatched"] == 2
    assert set(found["captures"]["unmatched_ids"]) == {"cut", "garbage"}
    assert found["ground_truth"]["unmatched_ids"] == ["other"]
    assert found["ground_truth"]["rejected"] >= 4
    samples = "\n".join(found["ground_truth"]["rejected_samples"])
    assert "f-cut.jsonl" in samples and "h-garbage.jsonl" in samples and "j-halves.jsonl" in samples, samples
    log = job_log(clients, example.merge_job(summary)["ProcessingJobName"])
    assert "f-cut.jsonl" in log and len(log) < 20_000, "ids of ten thousand characters are cut"


def test_ground_truth_of_later_hours(clients: Any, service: Service) -> None:
    """With offsets the folders up to the tick's hour count, unless the definition wants the window's alone."""
    for hours, expected in ((None, 3), ("window", 2)):
        example = Monitored(clients, service)
        example.capture(HOUR, captures("abc"))
        # The window is from 00:00 to 00:59 of a tick at 02:00.
        offsets = {"StartTimeOffset": "-PT2H", "EndTimeOffset": "-PT1H1M", "InferenceAttribute": "0"}
        example.label(HOUR, labels("ab"))
        example.label(HOUR + datetime.timedelta(hours=2), labels("c"))
        environment = {"watchkeeper_ground_truth_hours": hours} if hours else None
        example.monitor("Regression", environment=environment, **offsets)
        summary = example.run_tick(HOUR + datetime.timedelta(hours=2))
        assert summary["MonitoringExecutionStatus"] == "Completed", summary
        assert example.metrics(summary)["item_count"] == expected
        job = example.execution_job(summary)
        assert job["Environment"]["start_time"] == "2021-05-26T00:00:00Z"
        assert job["Environment"]["end_time"] == "2021-05-26T00:59:00Z"


def test_labels_that_come_after_the_window(clients: Any, service: Service) -> None:
    """Uploaded by the command line, merged again by it, and never twice the same."""
    example = Monitored(clients, service)
    example.capture(HOUR, "".join(capture_line("4" if k % 2 else "2", f"e{k}", HOUR, str(k)) for k in range(20)))
    example.label(HOUR, label_lines((str(k), "2") for k in range(0, 20, 2)))
    example.monitor("Regression", **REGRESSION)
    first = example.run_tick(TICK)
    metrics = example.metrics(first)
    assert (metrics["item_count"], metrics["mae"]["value"]) == (10, 0.0)
    assert len(example.executions()) == 1

    nothing = service.run("remerge", example.name, succeeds=False)
    assert nothing.returncode == 0 and len(example.executions()) == 1, nothing.stdout + nothing.stderr

    # One, a file of JSON lines in both forms, a file of CSV.
    service.run("labels", example.name, "--id", "1", "--label", "2")
    folder = service.folder
    lines = [{"id": "3", "label": 2}, label_record("5", "2")]
    (folder / f"{example.name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    service.run("labels", example.name, folder / f"{example.name}.jsonl")
    rows = "".join(f"{k},2\n" for k in range(7, 20, 2))
    (folder / f"{example.name}.csv").write_text("id,label\n" + rows)
    service.run("labels", example.name, folder / f"{example.name}.csv")
    uploaded = [key for key in example.keys("truth/") if not key.startswith("truth/2021/")]
    now = datetime.datetime.now(datetime.UTC)
    assert uploaded and all(key.startswith(f"truth/{now:%Y/%m/%d}/") or now.hour == 0 for key in uploaded)
    ids = [json.loads(line)["eventMetadata"]["eventId"] for key in uploaded for line in example.text(key).splitlines()]
    assert sorted(ids, key=int) == [str(k) for k in range(1, 20, 2)]

    planned = service.run("remerge", example.name, "--dry-run")
    assert "2021-05-26" in planned.stdout and len(example.executions()) == 1
    printed = service.run("remerge", example.name, succeeds=False)
    assert printed.returncode in (0, 1), printed.stdout + printed.stderr
    assert re.search(r"\b10\b.*\b20\b", printed.stdout), printed.stdout
    again = example.executions()[0]
    assert len(example.executions()) == 2 and again["MonitoringExecutionStatus"] == "Completed", again
    metrics = example.metrics(again)
    assert (metrics["item_count"], metrics["mae"]["value"]) == (20, 1.0)
    job = example.execution_job(again)
    assert job["Environment"]["start_time"] == "2021-05-26T00:00:00Z"
    output = example.output(job)
    assert re.fullmatch(rf"{example.uri}/results/{example.name}/{example.name}/.+/remerged-\d{{8}}T\d{{6}}", output), (
        output
    )
    assert len(example.merged()) == 20, "the same hour's file, not another"

    service.run("remerge", example.name, succeeds=False)
    assert len(example.executions()) == 2, "the same labels twice"


def test_the_execution_can_be_stopped(clients: Any, service: Service) -> None:
    """Stopping the schedule's job while it is the merge ends the execution; there is no second job."""
    example = Monitored(clients, service)
    example.capture(HOUR, captures(range(10)))
    example.label(HOUR, labels(range(10)))
    example.monitor("Regression", image=SLOW_ANALYZER, **REGRESSION)
    example.run_hour(HOUR, "--no-wait")

    def merging() -> Any:
        found = example.executions()
        return found[0] if found and "groundtruth-merge" in found[0].get("ProcessingJobArn", "") else None

    summary = wait_until(merging, "the merge job")
    example.sagemaker.stop_processing_job(ProcessingJobName=summary["ProcessingJobArn"].rpartition("/")[2])
    stopped = wait_until(
        lambda: example.executions()[0] if example.executions()[0]["MonitoringExecutionStatus"] == "Stopped" else None,
        "the execution Stopped",
    )
    assert stopped["ProcessingJobArn"] == summary["ProcessingJobArn"]
    assert example.keys("results/") == []
    example.sagemaker.delete_monitoring_schedule(MonitoringScheduleName=example.name)


def test_an_execution_shows_its_jobs_in_turn(clients: Any, service: Service) -> None:
    """One execution: its job is the merge's, then the analysis's; what is changed meanwhile is for the next."""
    example = Monitored(clients, service)
    example.capture(HOUR, captures(range(10)))
    example.label(HOUR, labels(range(10)))
    example.monitor("Regression", image=SLOW_ANALYZER, **REGRESSION)
    example.run_hour(HOUR, "--no-wait")
    wait_until(lambda: [known for known in example.executions() if "ProcessingJobArn" in known], "the first job")
    (first,) = example.executions()
    assert "/groundtruth-merge-" in first["ProcessingJobArn"] and first["MonitoringExecutionStatus"] == "InProgress"
    schedule = example.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=example.name)
    assert schedule["LastMonitoringExecutionSummary"]["ProcessingJobArn"] == first["ProcessingJobArn"]
    refused = refusal(example.sagemaker.delete_monitoring_schedule, MonitoringScheduleName=example.name)
    assert refused["ResponseMetadata"]["HTTPStatusCode"] == 400, "not while an execution runs"
    example.sagemaker.stop_monitoring_schedule(MonitoringScheduleName=example.name)
    wait_until(lambda: example.executions()[0]["MonitoringExecutionStatus"] == "Completed", "the end")
    (last,) = example.executions()
    assert "/model-quality-monitoring-" in last["ProcessingJobArn"]
    assert example.merge_job(last)["ProcessingJobArn"] == first["ProcessingJobArn"]
    assert last["CreationTime"] == first["CreationTime"] and last["ScheduledTime"] == first["ScheduledTime"]
    assert example.metrics(last)["item_count"] == 10
