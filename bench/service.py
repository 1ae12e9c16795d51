#!/usr/bin/env python3
"""What the service costs and how quick it is, measured from outside with boto3.

    cargo xtask bench service [--only CASE]... [--data DIR]

baseline    from CreateProcessingJob to Completed for the churn baseline, as a client sees it
schedules   a thousand schedules that fall due in the same second: that each runs once, and that none waits for longer
            than its place in the queue explains
listing     a page of a listing at a thousand and at a million objects
idle        resident memory and CPU time of a service that holds a thousand schedules and has nothing to do

Exit status 1 when a claim does not hold. The peer of these figures is AWS, where a job starts after minutes; there is no
other implementation to race.
"""

import argparse
import json
import os
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ROOT = Path(__file__).resolve().parent.parent
TRAINING = ROOT / "examples/churn/baseline.csv"
ROLE = "arn:aws:iam::123456789012:role/monitoring"
ANALYZER = "159807026194.dkr.ecr.us-west-2.amazonaws.com/sagemaker-model-monitor-analyzer"
CONFIGURATION = "[scheduler]\nextended_expressions = true\n"
SCHEDULES = 1000
MILLION = 1_000_000
failures: list[str] = []


def claim(holds: bool, text: str) -> None:
    print(f"  {'holds' if holds else 'DOES NOT HOLD'}: {text}", flush=True)
    if not holds:
        failures.append(text)


def wait_until(holds: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Asks until it holds: as of AWS, clients learn of what has come about by asking."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(f"error: {what} did not happen within {seconds:g} s")
        # Questions without a pause would take the cores that what is waited for needs.
        time.sleep(0.05)


class Service:
    def __init__(self, program: Path, folder: Path, configuration: str = CONFIGURATION) -> None:
        self.program, self.folder, self.configuration = program, folder, folder / "watchkeeper.toml"
        self.configuration.write_text(configuration, encoding="utf-8")
        self.start()

    def start(self) -> None:
        serve = [self.program, "serve", "--listen", "127.0.0.1:0", "--data-dir", self.folder / "data"]
        self.serve([*serve, "--config", self.configuration])

    def serve(self, command: list[str | Path]) -> None:
        """Runs what serves the data directory, until it listens."""
        log = (self.folder / "serve.log").open("a", encoding="utf-8")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "listening on" in line, (self.folder / "serve.log").read_text(encoding="utf-8")
        env = [self.program, "env", "--data-dir", self.folder / "data", "--format", "json"]
        self.variables = json.loads(subprocess.run(env, check=True, capture_output=True, text=True).stdout)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    @property
    def port(self) -> int:
        return int(self.variables["AWS_ENDPOINT_URL"].rsplit(":", 1)[1])

    def client(self, name: str) -> Any:
        return boto3.client(
            name,
            endpoint_url=self.variables["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
            config=Config(retries={"max_attempts": 0}, max_pool_connections=16),
        )

    def usage(self) -> tuple[float, float]:
        """CPU seconds so far, and resident megabytes."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        ticks = os.sysconf("SC_CLK_TCK")
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        resident = re.search(r"VmRSS:\s+(\d+)", status)
        assert resident is not None
        return (int(fields[11]) + int(fields[12])) / ticks, int(resident[1]) / 1000


def job(name: str, uri: str) -> dict[str, Any]:
    source = {"S3Uri": f"{uri}/input", "LocalPath": "/opt/ml/processing/input/baseline_dataset_input"}
    target = {"S3Uri": f"{uri}/output/{name}", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    return {
        "ProcessingJobName": name,
        "ProcessingInputs": [
            {"InputName": "baseline_dataset_input", "S3Input": source | {"S3DataType": "S3Prefix", "S3InputMode": "File"}}
        ],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "monitoring_output", "S3Output": target}]},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20}},
        "AppSpecification": {"ImageUri": ANALYZER},
        "Environment": {
            "dataset_format": '{"csv": {"header": true, "output_columns_position": "START"}}',
            "dataset_source": "/opt/ml/processing/input/baseline_dataset_input",
            "output_path": "/opt/ml/processing/output",
            "publish_cloudwatch_metrics": "Disabled",
        },
        "RoleArn": ROLE,
    }


def capture_config(uri: str) -> dict[str, Any]:
    """Everything is captured."""
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": uri,
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
    }


def deploy(sagemaker: Any, name: str, model: str, **config: Any) -> None:
    """An endpoint of one variant, which answers when this returns."""
    variant = {"VariantName": "AllTraffic", "ModelName": model, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], **config)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)

    def status() -> str:
        return sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"]

    wait_until(lambda: status() != "Creating", f"the deployment of {name}")
    assert status() == "InService", sagemaker.describe_endpoint(EndpointName=name)


def definition(name: str, endpoint: str, results: str) -> dict[str, Any]:
    """A request for CreateDataQualityJobDefinition."""
    target = {"S3Uri": results, "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "Continuous"}
    return {
        "JobDefinitionName": name,
        "DataQualityAppSpecification": {"ImageUri": ANALYZER},
        "DataQualityJobInput": {"EndpointInput": {"EndpointName": endpoint, "LocalPath": "/opt/ml/processing/input/endpoint"}},
        "DataQualityJobOutputConfig": {"MonitoringOutputs": [{"S3Output": target}]},
        "JobResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
        "RoleArn": ROLE,
    }


def schedule(name: str, definition_name: str, expression: str, **window: str) -> dict[str, Any]:
    """A request for CreateMonitoringSchedule, or for its update."""
    return {
        "MonitoringScheduleName": name,
        "MonitoringScheduleConfig": {
            "MonitoringJobDefinitionName": definition_name,
            "MonitoringType": "DataQuality",
            "ScheduleConfig": {"ScheduleExpression": expression} | window,
        },
    }


def baseline(service: Service) -> None:
    s3, sagemaker = service.client("s3"), service.client("sagemaker")
    s3.create_bucket(Bucket="bench-baseline")
    s3.put_object(Bucket="bench-baseline", Key="input/training-dataset.csv", Body=TRAINING.read_bytes())
    seconds = []
    for number in range(11):
        name = f"baseline-{number}"
        start = time.perf_counter()
        sagemaker.create_processing_job(**job(name, "s3://bench-baseline"))
        while (state := sagemaker.describe_processing_job(ProcessingJobName=name))["ProcessingJobStatus"] == "InProgress":
            time.sleep(0.005)
        seconds.append(time.perf_counter() - start)
        assert state["ProcessingJobStatus"] == "Completed", state
    counted = seconds[1:]
    print(f"baseline: median {statistics.median(counted):.3f} s, {min(counted):.3f} to {max(counted):.3f} s", flush=True)
    claim(max(counted) < 0.5, "a churn baseline takes less than half a second from request to Completed")


def schedules(service: Service) -> None:
    s3, sagemaker = service.client("s3"), service.client("sagemaker")
    s3.create_bucket(Bucket="bench-schedules")
    name = "bench"
    sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": "echo:1"}, ExecutionRoleArn=ROLE)
    deploy(sagemaker, name, name, DataCaptureConfig=capture_config("s3://bench-schedules/capture"))
    sagemaker.create_data_quality_job_definition(**definition(name, name, "s3://bench-schedules/results"))
    start = time.perf_counter()
    # Far enough ahead that all of them exist by then.
    tick = (datetime.now(UTC) + timedelta(seconds=90)).replace(second=0, microsecond=0) + timedelta(minutes=1)
    expression = f"cron({tick.minute} * ? * * *)"
    for number in range(SCHEDULES):
        sagemaker.create_monitoring_schedule(**schedule(f"bench-{number:04}", name, expression))
    print(f"schedules: {SCHEDULES} created in {time.perf_counter() - start:.1f} s", flush=True)
    idle(service)
    line = json.dumps(
        {
            "captureData": {
                "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": "1,2,3", "encoding": "CSV"},
                "endpointOutput": {"observedContentType": "text/csv", "mode": "OUTPUT", "data": "0.5", "encoding": "CSV"},
            },
            "eventMetadata": {"eventId": "1", "inferenceTime": (tick - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")},
            "eventVersion": "0",
        }
    )
    hour = (tick - timedelta(minutes=1)).strftime("%Y/%m/%d/%H")
    s3.put_object(Bucket="bench-schedules", Key=f"capture/{name}/AllTraffic/{hour}/00-00-000-a.jsonl", Body=line + "\n")
    while datetime.now(UTC) < tick + timedelta(seconds=1):
        time.sleep(0.1)
    before = time.perf_counter()
    while True:
        executions = list(
            sagemaker.get_paginator("list_monitoring_executions")
            .paginate(EndpointName=name, PaginationConfig={"PageSize": 100})
            .search("MonitoringExecutionSummaries[]")
        )
        states = Counter(execution["MonitoringExecutionStatus"] for execution in executions)
        if len(executions) >= SCHEDULES and not states.keys() & {"Pending", "InProgress"}:
            break
        assert time.perf_counter() - before < 600, states
        time.sleep(1)
    of_schedule = Counter(execution["MonitoringScheduleName"] for execution in executions)
    taken_up = sorted((execution["CreationTime"] - tick).total_seconds() for execution in executions)
    jobs = [
        sagemaker.describe_processing_job(ProcessingJobName=execution["ProcessingJobArn"].rsplit("/", 1)[1])
        for execution in executions
    ]
    starts = sorted((one["ProcessingStartTime"] - tick).total_seconds() for one in jobs)
    created = [one["CreationTime"] for one in sorted(jobs, key=lambda one: one["ProcessingStartTime"])]
    overtaken = sum(1 for earlier, later in zip(created, created[1:], strict=False) if later < earlier)
    span = max(one["ProcessingEndTime"] for one in jobs) - tick
    print(f"schedules: states {dict(states)}; taken up within {taken_up[-1]:.2f} s; last job started {starts[-1]:.1f} s and all ")
    print(f"  ended {span.total_seconds():.1f} s after the tick, {span.total_seconds() / SCHEDULES * 1000:.0f} ms a job", flush=True)
    claim(set(of_schedule.values()) == {1} and len(of_schedule) == SCHEDULES, "each of a thousand schedules ran once")
    claim(states["Completed"] == SCHEDULES, "every one of them completed")
    each = span.total_seconds() / SCHEDULES
    late = max(start - each * place for place, start in enumerate(starts))
    claim(late < 5, f"none is later than its place in the queue explains ({late:.2f} s, {overtaken} of the jobs overtaken)")


def idle(service: Service) -> None:
    # What was just created settles first: the schedules leave Pending, the log is written.
    time.sleep(3)
    cpu, _ = service.usage()
    time.sleep(15)
    later, resident = service.usage()
    share = (later - cpu) / 15
    print(f"idle: {resident:.0f} MB resident, {share:.2%} of a core over 15 s", flush=True)
    claim(resident < 60 and share < 0.01, "idle, the service takes less than 60 MB and 1 % of a core")


def page(s3: Any, **arguments: Any) -> float:
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        s3.list_objects_v2(**arguments)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds) * 1000


def copies(database: sqlite3.Connection, table: str, original: str, count: int, changed: dict[str, str]) -> None:
    """Copies of the row for which `original` holds; `changed` are columns as expressions of `n`, the number of the copy."""
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})") if row[1] != "id"]
    values = ", ".join(changed.get(column, f"one.{column}") for column in columns)
    database.execute(
        "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?1) "
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} "
        f"FROM number, (SELECT * FROM {table} WHERE {original} LIMIT 1) AS one",
        (count,),
    )


#: The key of the n-th object of a full bucket.
KEY = "CAST(printf('part-%03d/%07d', n % 1000, n) AS BLOB)"


def listing(service: Service) -> None:
    s3 = service.client("s3")
    for bucket in ("bench-thousand", "bench-million"):
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="part-000/0000000", Body=b"{}")
    service.stop()
    # Through S3 a million objects take longer than the bench is worth; rows are copies of one that S3 made.
    database = sqlite3.connect(service.folder / "data/metadata.db")
    for bucket, count in (("bench-thousand", 1000), ("bench-million", MILLION)):
        copies(database, "objects", f"bucket = (SELECT id FROM buckets WHERE name = '{bucket}')", count - 1, {"key": KEY})
    database.commit()
    database.close()
    service.start()
    s3 = service.client("s3")
    rows = []
    for title, arguments in (
        ("first page", {}),
        ("page in the middle", {"StartAfter": "part-500/0500500"}),
        ("prefixes", {"Delimiter": "/"}),
    ):
        few = page(s3, Bucket="bench-thousand", **arguments)
        many = page(s3, Bucket="bench-million", **arguments)
        rows.append(f"{title} {few:.1f} and {many:.1f} ms")
        if title == "first page":
            claim(many < few * 1.5 + 2, "a page of a listing costs the same at a million objects as at a thousand")
    print("listing, at a thousand and at a million objects: " + "; ".join(rows), flush=True)


CASES = {"baseline": baseline, "schedules": schedules, "listing": listing}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--watchkeeper", type=Path, required=True)
    parser.add_argument("--only", action="append", choices=CASES, default=[])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        service = Service(arguments.watchkeeper, Path(folder))
        try:
            for name in arguments.only or CASES:
                CASES[name](service)
        finally:
            service.stop()
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
