#!/usr/bin/env python3
"""Many hours of ordinary work, compressed: whether memory, file descriptors and disk stay flat.

    cargo xtask bench soak [--hours N] [--factor N] [--data DIR]

A service whose clock runs FACTOR times as fast as the machine's has an endpoint with capture, two hourly schedules that watch
it, and retention of a day for everything. Its clients invoke it all the time, put, list and delete objects, and ask for
lists. The first hours until the retention first removes something are not looked at; of the rest the mean of the last
quarter is compared with that of the first: memory, file descriptors, and the bytes of the data directory. At the end each
of the last ticks has to have had one execution.

Exit status 1 when a claim does not hold.
"""

import argparse
import contextlib
import datetime
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import botocore.auth
from service import ROLE, TRAINING, Service, capture_config, claim, definition, deploy, failures, schedule

#: How much more the last quarter of the time may have than the first.
MOST_GROWTH = 1.1
CONFIGURATION = """
listen = "127.0.0.1:0"
data_dir = {data}
[runner]
program = [{program}]
[retention]
log_days = 1
metric_days = 1
execution_days = 1
job_days = 1
capture_days = 1
"""


class AcceleratedService(Service):
    """The example `accelerated` of the service's crate, which ends with its standard input."""

    def __init__(self, example: Path, program: Path, folder: Path, factor: int) -> None:
        self.example, self.factor = example, factor
        self.is_asked_for_objects = False
        data, analyzer = json.dumps(str(folder / "data")), json.dumps(str(program))
        super().__init__(program, folder, CONFIGURATION.format(data=data, program=analyzer))

    def start(self) -> None:
        self.serve([self.example, self.configuration, str(self.factor)])
        assert self.process.stdout is not None
        self.begun = int(self.process.stdout.readline()) / 1000
        # Requests are signed by the service's clock, which its own clients share; S3 goes by the machine's.
        machine = botocore.auth.get_current_datetime

        def now(remove_tzinfo: bool = True) -> datetime.datetime:
            if self.is_asked_for_objects:
                return machine(remove_tzinfo)
            return self.now().replace(tzinfo=None if remove_tzinfo else datetime.UTC)

        botocore.auth.get_current_datetime = now

    def now(self) -> datetime.datetime:
        moment = self.begun + (time.time() - self.begun) * self.factor
        return datetime.datetime.fromtimestamp(moment, datetime.UTC)

    @contextlib.contextmanager
    def objects(self) -> Iterator[None]:
        """Around every request to S3."""
        self.is_asked_for_objects = True
        try:
            yield
        finally:
            self.is_asked_for_objects = False

    def hours(self) -> float:
        return (time.time() - self.begun) * self.factor / 3600

    def holds(self) -> dict[str, float]:
        """What is to stay flat."""
        _, resident = self.usage()
        disk = subprocess.run(["du", "-s", "-B1", self.folder / "data"], capture_output=True, text=True, check=False).stdout
        return {
            "memory, MB": resident,
            "file descriptors": len(list(Path(f"/proc/{self.process.pid}/fd").iterdir())),
            "disk, MB": int(disk.split()[0]) / 1e6,
        }

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)


def prepare(service: AcceleratedService) -> None:
    s3, sagemaker = service.client("s3"), service.client("sagemaker")
    rows = TRAINING.read_bytes().splitlines(keepends=True)
    with service.objects():
        s3.create_bucket(Bucket="soak")
        s3.put_object(Bucket="soak", Key="baseline/data.csv", Body=b"".join(rows[:500]))
    sagemaker.create_model(ModelName="soak", PrimaryContainer={"Image": "watchkeeper-echo"}, ExecutionRoleArn=ROLE)
    deploy(sagemaker, "soak", "soak", DataCaptureConfig=capture_config("s3://soak/captures"))
    sagemaker.create_data_quality_job_definition(**definition("soak", "soak", "s3://soak/results"))
    for number in (1, 2):
        sagemaker.create_monitoring_schedule(**schedule(f"soak-{number}", "soak", "cron(0 * ? * * *)"))


def work(service: AcceleratedService, hours: int) -> list[tuple[float, dict[str, float]]]:
    """Keeps the service busy; gives what it used, by the hour of its clock."""
    s3, sagemaker, runtime = service.client("s3"), service.client("sagemaker"), service.client("sagemaker-runtime")
    cloudwatch, logs = service.client("cloudwatch"), service.client("logs")
    rows = TRAINING.read_text(encoding="utf-8").splitlines()[1:]
    samples: list[tuple[float, dict[str, float]]] = []
    number, next_sample = 0, 0.0
    while service.hours() < hours:
        body = "\n".join(rows[(number * 7) % len(rows) :][:5])
        runtime.invoke_endpoint(EndpointName="soak", ContentType="text/csv", Accept="text/csv", Body=body)
        with service.objects():
            s3.put_object(Bucket="soak", Key=f"objects/{number % 100}", Body=bytes(number % 200_000))
            if number % 10 == 0:
                s3.list_objects_v2(Bucket="soak", Prefix="objects/")
        if number % 10 == 0:
            sagemaker.list_monitoring_executions(EndpointName="soak")
            logs.describe_log_groups()
            end = service.now()
            cloudwatch.get_metric_statistics(
                Namespace="AWS/SageMaker",
                MetricName="Invocations",
                Dimensions=[{"Name": "EndpointName", "Value": "soak"}, {"Name": "VariantName", "Value": "AllTraffic"}],
                StartTime=end - datetime.timedelta(hours=1),
                EndTime=end,
                Period=300,
                Statistics=["Sum"],
            )
        number += 1
        if service.hours() >= next_sample:
            samples.append((service.hours(), service.holds()))
            next_sample += 0.25
        # The clients' pace, not a wait for anything: without one the disk would show how fast this machine is, and the jobs
        # of the schedules would have no core to run on.
        time.sleep(0.01)
    print(f"soak: {number} invocations and objects in {service.hours():.1f} hours of the service's clock", flush=True)
    return samples


def judge(samples: list[tuple[float, dict[str, float]]], settled: float) -> None:
    counted = [usage for hour, usage in samples if hour >= settled]
    quarter = max(1, len(counted) // 4)
    for name in counted[0]:
        first, last = (statistics.mean(usage[name] for usage in some) for some in (counted[:quarter], counted[-quarter:]))
        claim(last <= first * MOST_GROWTH, f"{name}: {first:.1f} in the first quarter, {last:.1f} in the last")


def ticks(service: AcceleratedService) -> None:
    """Of the last day: the executions that retention keeps."""
    executions = (
        service.client("sagemaker")
        .get_paginator("list_monitoring_executions")
        .paginate(EndpointName="soak", PaginationConfig={"PageSize": 100})
        .search("MonitoringExecutionSummaries[]")
    )
    per_tick = Counter((one["MonitoringScheduleName"], one["ScheduledTime"]) for one in executions)
    last = max(moment for _, moment in per_tick)
    hours = [last - datetime.timedelta(hours=number) for number in range(20)]
    missing = [(name, hour) for name in ("soak-1", "soak-2") for hour in hours if per_tick[name, hour] != 1]
    claim(not missing, f"each tick of the last twenty hours has one execution {missing or ''}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--watchkeeper", type=Path, required=True)
    parser.add_argument("--accelerated", type=Path, required=True, help="the example of the service's crate")
    parser.add_argument("--hours", type=int, default=38, help="of the service's clock: thirty until retention is at work, then eight")
    parser.add_argument("--settled", type=float, default=30, help="the hour from which on is counted")
    parser.add_argument("--factor", type=int, default=120)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.data) as folder:
        service = AcceleratedService(options.accelerated, options.watchkeeper, Path(folder), options.factor)
        try:
            prepare(service)
            judge(work(service, options.hours), options.settled)
            ticks(service)
        finally:
            service.stop()
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
