"""`schedules`: schedules whose ticks come every few seconds, of a user's monitor and of the built-in ones, also of the one
whose executions have two jobs.

Every tick since a schedule was made has exactly one row, whatever became of it, and every execution that was started is at
its end, with its results, once nothing disturbs it any more. An execution may have failed for one reason alone: that the
service was killed three times while it ran.
"""

import datetime
import random
from collections import Counter
from typing import Any, ClassVar

from botocore.exceptions import ClientError

import operators
from campaign import Campaign, Part, Work, pause
from ledger import Finding
from quality import capture_line, label_lines
from resources import (
    REGISTRY,
    SECONDS,
    definition,
    embedded_schedule,
    make_endpoint,
    schedule,
    settled_schedule,
    wait_until,
)

BUCKET = "campaign-schedules"
ENDPOINT = "watched"
COUNTING_JOB = f"{REGISTRY}/counting-job:1"
OFFSETS = {"StartTimeOffset": "-PT2H", "EndTimeOffset": "-PT0H"}
WINDOW = {"DataAnalysisStartTime": "-PT2H", "DataAnalysisEndTime": "-PT0H"}
MOODY = "moody"
SCHEDULE = "watching schedule"
ENDED = ("Completed", "CompletedWithViolations", "Failed", "Stopped")
SECONDS_TO_END = 90
LINES = 20
Row = dict[str, Any]


def seconds_of(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


class Ticks(Part):
    """All kinds of schedules."""

    periods: ClassVar[dict[str, int]] = {"count-a": 2, "count-b": 3, "count-slow": 2, "data": 5, "quality": 7}
    """Of each in seconds."""
    moody_period: ClassVar[int] = 1
    hours: ClassVar[tuple[int, ...]] = (-1, 0, 1)
    """The hours around now that have captures and labels."""

    def prepare(self) -> None:
        self.s3, self.sagemaker = self.client("s3"), self.client("sagemaker")
        self.victim.make_bucket(BUCKET)
        make_endpoint(self.sagemaker, ENDPOINT, f"s3://{BUCKET}/capture")
        self.with_data: set[str] = set()
        self.put_data()
        self.first: dict[str, tuple[float, float]] = {}
        self.checked: dict[str, float] = {}
        self.outcomes: Counter[str] = Counter()
        for name in [name for name in self.periods if name.startswith("count-")]:
            self.make(name, self.counting(name, "0.7" if name == "count-slow" else "0", self.periods[name]))
        data = definition("DataQuality", "data", ENDPOINT, f"s3://{BUCKET}/results/data")
        data["DataQualityJobInput"]["EndpointInput"] |= OFFSETS
        self.sagemaker.create_data_quality_job_definition(**data)
        self.make("data", schedule("data", "DataQuality", "data", f"rate({self.periods['data']} seconds)"))
        quality = definition("ModelQuality", "quality", ENDPOINT, f"s3://{BUCKET}/results/quality")
        quality["ModelQualityJobInput"]["EndpointInput"] |= OFFSETS
        quality["ModelQualityJobInput"]["GroundTruthS3Input"] = {"S3Uri": f"s3://{BUCKET}/truth"}
        self.sagemaker.create_model_quality_job_definition(**quality)
        self.make("quality", schedule("quality", "ModelQuality", "quality", f"rate({self.periods['quality']} seconds)"))
        self.sagemaker.create_monitoring_schedule(**self.counting(MOODY, "0", self.moody_period))
        settled_schedule(self.sagemaker, MOODY)
        self.ledger.acknowledge(SCHEDULE, MOODY, "Scheduled")

    def counting(self, name: str, seconds: str, period: int) -> dict[str, Any]:
        unit = "second" if period == 1 else "seconds"
        results = f"s3://{BUCKET}/results/{name}"
        request = embedded_schedule(name, ENDPOINT, results, f"rate({period} {unit})", seconds, **WINDOW)
        job = request["MonitoringScheduleConfig"]["MonitoringJobDefinition"]
        job["MonitoringAppSpecification"]["ImageUri"] = COUNTING_JOB
        return request

    def make(self, name: str, request: dict[str, Any]) -> None:
        """The first tick is the first after the moment at which the schedule was asked for."""
        asked = self.now()
        self.sagemaker.create_monitoring_schedule(**request)
        self.first[name] = (asked, self.now())
        settled_schedule(self.sagemaker, name)

    def now(self) -> float:
        """By the service's clock."""
        return self.campaign.now()

    def put_data(self) -> None:
        """Captures and labels of the last hour, this one and the next, so that no window is without."""
        now = datetime.datetime.fromtimestamp(self.now(), datetime.UTC)
        for hours in self.hours:
            hour = (now + datetime.timedelta(hours=hours)).replace(minute=0, second=0, microsecond=0)
            path = f"{hour:%Y/%m/%d/%H}"
            if path in self.with_data:
                continue
            self.with_data.add(path)
            ids = [f"{path}-{number}" for number in range(LINES)]
            lines = "".join(capture_line(f"{number}.5", ids[number], hour) for number in range(LINES))
            key = f"capture/{ENDPOINT}/AllTraffic/{path}/00-00-000-a.jsonl"
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=lines.encode())
            labels = label_lines((event, f"{number}") for number, event in enumerate(ids))
            self.s3.put_object(Bucket=BUCKET, Key=f"truth/{path}/labels.jsonl", Body=labels.encode())

    def works(self) -> list[Work]:
        self.put_data()
        return [self.change_mood, self.pass_by]

    def change_mood(self, chance: random.Random) -> None:
        """One schedule is stopped and started all the time."""
        pause(chance, 0.1, 1.5)
        status = self.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=MOODY)["MonitoringScheduleStatus"]
        if status == "Scheduled":
            with self.ledger.change(SCHEDULE, MOODY, "Stopped"):
                self.sagemaker.stop_monitoring_schedule(MonitoringScheduleName=MOODY)
        elif status == "Stopped":
            with self.ledger.change(SCHEDULE, MOODY, "Scheduled"):
                self.sagemaker.start_monitoring_schedule(MonitoringScheduleName=MOODY)

    def pass_by(self, chance: random.Random) -> None:
        """Others are made, run a few times and are deleted."""
        name = f"passing-{chance.getrandbits(32):08x}"
        with self.ledger.change(SCHEDULE, name, "Scheduled"):
            self.sagemaker.create_monitoring_schedule(**self.counting(name, "0", self.moody_period))
        pause(chance, 0.5, 3)
        with self.ledger.change(SCHEDULE, name, None):
            self.sagemaker.delete_monitoring_schedule(MonitoringScheduleName=name)
        pause(chance, 0.5, 1)

    # What came of them.

    def check(self, everything: bool) -> None:
        if everything:
            self.checked.clear()
            self.outcomes.clear()
        for name, period in self.periods.items():
            self.check_ticks(name, period)
        self.check_statuses()
        if everything:
            self.check_jobs()

    def check_ticks(self, name: str, period: int) -> None:
        """All ticks from the first, or from where the last look ended, to now."""
        until = int(self.now()) // period * period
        start = self.checked.get(name)
        if until < (start if start is not None else (int(self.first[name][1]) // period + 1) * period):
            return
        self.all_over(name, until, start)
        rows = self.rows_until(name, until, start)
        times = [self.time_of(row) for row in rows]
        expected_first = start if start is not None else self.first_tick(name, period, times[0])
        expected = [expected_first + period * number for number in range(int((until - expected_first) // period) + 1)]
        if times != expected:
            twice = [time for time, count in Counter(times).items() if count > 1]
            raise Finding(
                f"schedule {name}: ticks {sorted(set(expected) - set(times))} have no row, {twice} have several, and "
                f"{sorted(set(times) - set(expected))} are none"
            )
        for row in rows:
            self.check_row(row)
        self.checked[name] = float(until + period)

    def time_of(self, row: Row) -> float:
        return seconds_of(row["scheduled"])

    def rows_until(self, name: str, until: float, start: float | None = None) -> list[Row]:
        since = None if start is None else f"{datetime.datetime.fromtimestamp(start, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
        return [row for row in operators.executions(self.victim, name, since) if self.time_of(row) <= until]

    def all_over(self, name: str, until: float, start: float | None = None) -> None:
        """Waits until the tick has its row, and all up to it are at their end."""
        rows: list[Row] = []

        def are_over() -> bool:
            rows[:] = self.rows_until(name, until, start)
            return bool(rows) and max(map(self.time_of, rows)) >= until and all(map(is_over, rows))

        try:
            wait_until(are_over, "the end of all executions", SECONDS_TO_END)
        except AssertionError as error:
            left = [row for row in rows if not is_over(row)]
            last = rows[-1]["scheduled"] if rows else None
            raise Finding(f"schedule {name}: {error}; up to {until}, the last row is {last}; under way: {left}") from error

    def first_tick(self, name: str, period: int, found: float) -> float:
        earliest, latest = ((int(time) // period + 1) * period for time in self.first[name])
        return found if earliest <= found <= latest else float(earliest)

    def check_row(self, row: Row) -> None:
        """It ended well, or for a reason that the kills explain; what it made is there."""
        self.outcomes[row["outcome"]] += 1
        self.ledger.compared["tick"] += 1
        if row["outcome"] != "started":
            return
        status = row["status"]
        if status == "Failed":
            if not self.campaign.excuses(row["reason"] or "", seconds_of(row["created"]), seconds_of(row["modified"])):
                raise Finding(f"an execution failed, which nothing explains: {row}")
            self.outcomes["failed for the fault's sake"] += 1
            return
        if status not in ("Completed", "CompletedWithViolations"):
            raise Finding(f"an execution ended as {status}: {row}")
        job = self.sagemaker.describe_processing_job(ProcessingJobName=row["job"])
        if job["ProcessingJobStatus"] != "Completed" or row["schedule"] not in job["MonitoringScheduleArn"]:
            raise Finding(f"the job of a completed execution: {job}")
        (output,) = job["ProcessingOutputConfig"]["Outputs"]
        prefix = output["S3Output"]["S3Uri"].removeprefix(f"s3://{BUCKET}/") + "/"
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        names = {entry["Key"].removeprefix(prefix) for entry in listed}
        wanted = {"data": "statistics.json", "quality": "statistics.json"}.get(row["schedule"], "count")
        if wanted not in names:
            raise Finding(f"a completed execution has no {wanted}, but {names}: {row}")

    def check_statuses(self) -> None:
        """What clients did with schedules is done; a change that is under way settles."""
        names = self.ledger.things(SCHEDULE)
        states = settled_schedules(self.sagemaker)
        for name in names:
            self.ledger.compare(SCHEDULE, name, states.get(name))
        strangers = {name for name in states if name.startswith("passing-")} - names.keys()
        if strangers:
            raise Finding(f"schedules that nobody made: {strangers}")
        for name in [name for name in states if name.startswith("passing-")]:
            wait_until(lambda name=name: self.is_deleted(name), f"the deletion of {name}")
        rows = operators.executions(self.victim, MOODY)
        several = [row for row, count in Counter(row["scheduled"] for row in rows).items() if count > 1]
        if several:
            raise Finding(f"ticks of {MOODY} with several rows: {several}")

    def is_deleted(self, name: str) -> bool:
        """Whether it could be: not while an execution is in progress."""
        try:
            with self.ledger.change(SCHEDULE, name, None):
                self.sagemaker.delete_monitoring_schedule(MonitoringScheduleName=name)
        except ClientError as error:
            if "in progress" in str(error):
                return False
            raise
        return True

    def check_jobs(self) -> None:
        """One job an execution, two where it merges: none is run for nothing."""
        rows = [row for name in self.periods for row in operators.executions(self.victim, name)]
        named = Counter(row["job"] for row in rows if row["job"])
        named.update(row["merge"]["job"] for row in rows if row.get("merge") and row["merge"]["job"] != row["job"])
        several = [job for job, count in named.items() if count > 1]
        pages = self.sagemaker.get_paginator("list_processing_jobs").paginate(PaginationConfig={"PageSize": 100})
        for summary in pages.search("ProcessingJobSummaries[]"):
            named.pop(summary["ProcessingJobName"], None)
        if several or named:
            raise Finding(f"jobs of several executions: {several}; jobs that are not there: {list(named)[:5]}")

    def look(self) -> None:
        for name in self.periods:
            self.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=name)
            self.sagemaker.list_monitoring_executions(MonitoringScheduleName=name)

    def end(self) -> None:
        for name in [*self.periods, MOODY]:
            wait_until(lambda name=name: self.is_deleted(name), f"the deletion of {name}")

    def figures(self) -> str:
        return f"ticks: {dict(self.outcomes)}"


def is_over(row: Row) -> bool:
    return row["outcome"] != "started" or row["status"] in ENDED


class Schedules(Campaign):
    name = "schedules"
    parts = (Ticks,)
    longest_seconds = 6.0


def settled_schedules(sagemaker: Any, seconds: float = SECONDS) -> dict[str, str]:
    """The states of all schedules once none is Pending: one that is, is on its way to be there or to be gone, and only what it
    becomes says what was kept."""

    def found() -> dict[str, str]:
        pages = sagemaker.get_paginator("list_monitoring_schedules").paginate()
        summaries = pages.search("MonitoringScheduleSummaries[]")
        return {summary["MonitoringScheduleName"]: summary["MonitoringScheduleStatus"] for summary in summaries}

    wait_until(lambda: "Pending" not in found().values(), "that no schedule is Pending", seconds)
    return found()
