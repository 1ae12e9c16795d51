"""Batch transform jobs by boto3: create, describe, list, stop, wait; logs, results, captures, and a monitor of them."""

import datetime
import json
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import churn
from bucket import Bucket
from endpoints import constant, server
from resources import (
    REGISTRY,
    ROLE,
    baseline_job,
    definition,
    ended_execution,
    ended_job,
    new_name,
    schedule,
    transform_job,
    wait_until,
)
from service import Service
from wire_clients import Clients

GROUP = "/aws/sagemaker/TransformJobs"


class Bench(Bucket):
    """A bucket, and a model that answers as it is asked, both of one name."""

    def __init__(self, clients: Any, container: dict[str, Any] | None = None) -> None:
        super().__init__(clients, "transform")
        self.logs = clients("logs")
        container = container or {"Image": f"{REGISTRY}/watchkeeper-echo:1"}
        self.sagemaker.create_model(ModelName=self.name, PrimaryContainer=container, ExecutionRoleArn=ROLE)

    def request(self, key: str, **members: Any) -> dict[str, Any]:
        return transform_job(new_name("job"), self.name, f"{self.uri}/{key}", f"{self.uri}/out") | members

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """A job from its start to its end, waited for by boto3's own waiter."""
        self.sagemaker.create_transform_job(**request)
        name = request["TransformJobName"]
        waiter = self.sagemaker.get_waiter("transform_job_completed_or_stopped")
        waiter.wait(TransformJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        return self.sagemaker.describe_transform_job(TransformJobName=name)


def test_a_job_from_start_to_end(clients: Any) -> None:
    bench = Bench(clients)
    bench.put("in/b.csv", "3,x\n")
    bench.put("in/a.csv", '1,"p,q"\n2,r\n')
    processing = {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}
    request = bench.request(
        "in/",
        MaxConcurrentTransforms=2,
        MaxPayloadInMB=1,
        BatchStrategy="MultiRecord",
        ModelClientConfig={"InvocationsTimeoutInSeconds": 60, "InvocationsMaxRetries": 1},
        Environment={"NAME": "value"},
        DataProcessing=processing,
        Tags=[{"Key": "team", "Value": "churn"}],
    )
    created = bench.sagemaker.create_transform_job(**request)
    name = request["TransformJobName"]
    assert re.fullmatch(rf"arn:aws:sagemaker:eu-west-1:\d{{12}}:transform-job/{name}", created["TransformJobArn"])
    waiter = bench.sagemaker.get_waiter("transform_job_completed_or_stopped")
    waiter.wait(TransformJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    described = bench.sagemaker.describe_transform_job(TransformJobName=name.upper())
    described.pop("ResponseMetadata")
    times = [described.pop(time) for time in ("CreationTime", "TransformStartTime", "TransformEndTime")]
    assert times == sorted(times)
    sent = {member: value for member, value in request.items() if member != "Tags"}
    assert described == sent | {"TransformJobArn": created["TransformJobArn"], "TransformJobStatus": "Completed"}
    assert bench.keys("out/") == ["out/a.csv.out", "out/b.csv.out"]
    assert bench.text("out/a.csv.out") == '1,"p,q"\n2,r\n'
    assert bench.text("out/b.csv.out") == "3,x\n"
    tags = bench.sagemaker.list_tags(ResourceArn=created["TransformJobArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "churn"}]


def test_the_log_as_the_sdk_reads_it(clients: Any) -> None:
    bench = Bench(clients)
    bench.put("in/a.csv", "1\n")
    name = bench.run(bench.request("in/"))["TransformJobName"]
    streams = bench.logs.describe_log_streams(
        logGroupName=GROUP, logStreamNamePrefix=f"{name}/", orderBy="LogStreamName", limit=1
    )
    assert "nextToken" not in streams
    (stream,) = streams["logStreams"]
    assert re.fullmatch(rf"{name}/algo-1-\d+", stream["logStreamName"])
    events = bench.logs.get_log_events(
        logGroupName=GROUP, logStreamName=stream["logStreamName"], startFromHead=True
    )["events"]
    assert f"transform-job/{name}" in events[0]["message"]
    settings = "MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD"
    assert any(event["message"].endswith(settings) for event in events)


def test_lists(clients: Any) -> None:
    bench = Bench(clients)
    bench.put("in/a.csv", "1\n")
    mark = new_name("listed")
    names = [f"{mark}-{number}" for number in range(3)]
    for name in names:
        bench.run(bench.request("in/", TransformJobName=name))
    bench.sagemaker.create_transform_job(**bench.request("nothing/", TransformJobName=f"{mark}-failed"))
    wait_until(lambda: status(bench, f"{mark}-failed") == "Failed", "the job without input fails")
    found = bench.sagemaker.list_transform_jobs(NameContains=mark.upper(), StatusEquals="Completed")
    assert [job["TransformJobName"] for job in found["TransformJobSummaries"]] == names[::-1], "newest first"
    assert "NextToken" not in found
    pages = bench.sagemaker.get_paginator("list_transform_jobs").paginate(
        NameContains=mark, SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 3}
    )
    summaries = [job for page in pages for job in page["TransformJobSummaries"]]
    assert [job["TransformJobName"] for job in summaries] == [*names, f"{mark}-failed"]
    assert "No S3 objects found under S3 URL" in summaries[-1]["FailureReason"]


def status(bench: Bench, name: str) -> str:
    return bench.sagemaker.describe_transform_job(TransformJobName=name)["TransformJobStatus"]


def test_stop(clients: Any) -> None:
    bench = Bench(clients)
    # One request a record, so that the job lasts until it is stopped.
    bench.put("in/a.csv", "1\n" * 2_000_000)
    request = bench.request("in/", BatchStrategy="SingleRecord")
    name = request["TransformJobName"]
    bench.sagemaker.create_transform_job(**request)
    wait_until(
        lambda: "TransformStartTime" in bench.sagemaker.describe_transform_job(TransformJobName=name), "the job starts"
    )
    bench.sagemaker.stop_transform_job(TransformJobName=name)
    waiter = bench.sagemaker.get_waiter("transform_job_completed_or_stopped")
    waiter.wait(TransformJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    assert status(bench, name) == "Stopped"
    assert bench.keys("out/") == []
    with pytest.raises(ClientError) as refused:
        bench.sagemaker.stop_transform_job(TransformJobName=name)
    assert refused.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "The request was rejected because the transform job is in status Stopped.",
    }


def test_refusals(clients: Any) -> None:
    bench = Bench(clients)
    bench.put("in/a.csv", "1\n")
    request = bench.request("in/")
    name = request["TransformJobName"]
    bench.run(request)

    def refusal(operation: str, **members: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as refused:
            getattr(bench.sagemaker, operation)(**members)
        error = refused.value.response["Error"]
        return error["Code"], error["Message"]

    code, text = refusal("create_transform_job", **request | {"TransformJobName": name.upper()})
    assert code == "ResourceInUse"
    assert text.startswith("Job name must be unique within an AWS account and region, and a job with this name already")
    code, text = refusal("create_transform_job", **bench.request("in/", ModelName="gone"))
    assert code == "ValidationException"
    assert re.fullmatch(r'Could not find model "arn:aws:sagemaker:eu-west-1:\d{12}:model/gone"\.', text)
    for operation in ("describe_transform_job", "stop_transform_job"):
        assert refusal(operation, TransformJobName="gone") == (
            "ValidationException",
            "Could not find requested job with name: gone",
        )
    code, text = refusal("create_transform_job", **bench.request("in/", MaxConcurrentTransforms=9, MaxPayloadInMB=20))
    assert code == "ValidationException"
    assert "100 MB" in text


def test_a_model_of_a_process_of_its_own(clients: Any) -> None:
    """The same model servers as those of endpoints: a command, and a built-in configured by the job's variables."""
    bench = Bench(clients, server())
    bench.put("in/a.csv", "1,2\n3,4\n")
    bench.run(bench.request("in/"))
    assert bench.text("out/a.csv.out") == "1,2\n3,4\n"
    bench = Bench(clients, constant(0.5))
    bench.put("in/a.csv", "1,2\n3,4\n")
    bench.run(bench.request("in/", Environment={"WATCHKEEPER_MODEL": '{"value": 0.75}'}))
    assert bench.text("out/a.csv.out") == "0.75\n0.75\n"


def test_a_service_that_is_killed_meanwhile(tmp_path: Path) -> None:
    """The job is taken up again once its claim has run out, and leaves nothing of the first attempt."""
    service = Service(tmp_path).start()
    try:
        bench = Bench(Clients(service), server())
        bench.put("in/a.txt", "sleep 1\nsleep 1\n")
        request = bench.request("in/", BatchStrategy="SingleRecord")
        request["TransformInput"]["ContentType"] = "text/x-command"
        name = request["TransformJobName"]
        bench.sagemaker.create_transform_job(**request)
        wait_until(
            lambda: "TransformStartTime" in bench.sagemaker.describe_transform_job(TransformJobName=name), "it starts"
        )
        service.kill()
        clients = Clients(service.start())
        bench.sagemaker, bench.s3, bench.logs = clients("sagemaker"), clients("s3"), clients("logs")
        assert status(bench, name) == "InProgress"
        wait_until(lambda: status(bench, name) == "Completed", "the job ends")
        assert bench.keys("out/") == ["out/a.txt.out"]
        streams = bench.logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
        events = [
            event["message"]
            for stream in streams
            for event in bench.logs.get_log_events(
                logGroupName=GROUP, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]
        assert [message for message in events if message.endswith(", attempt 2")]
        assert "Uploads" not in bench.s3.list_multipart_uploads(Bucket=bench.name)
    finally:
        service.stop()


def test_a_monitor_of_what_jobs_capture(clients: Any) -> None:
    """A job captures, and a schedule of the batch monitor finds what it read."""
    bench = Bench(clients)
    bench.s3.upload_file(str(churn.BASELINE), bench.name, "baseline-input/baseline.csv")
    bench.sagemaker.create_processing_job(
        **baseline_job(bench.name, f"{bench.uri}/baseline-input/", f"{bench.uri}/baseline")
    )
    assert ended_job(bench.sagemaker, bench.name)["ProcessingJobStatus"] == "Completed"
    current = (churn.ROOT / "examples/churn/current.csv").read_text(encoding="utf-8")
    bench.put("in/a.csv", current)
    bench.put("in/b.csv", current)
    capture = {"DestinationS3Uri": f"{bench.uri}/captured", "GenerateInferenceId": True}
    job = bench.run(bench.request("in/", DataCaptureConfig=capture))
    assert job["TransformJobStatus"] == "Completed", job
    hour = job["TransformEndTime"].astimezone(datetime.UTC).strftime("%Y/%m/%d/%H")
    started = job["TransformStartTime"].astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    identifier = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    manifests = {}
    for side in ("input", "output"):
        (key,) = bench.keys(f"captured/{side}/")
        assert re.fullmatch(rf"captured/{side}/{hour}/{identifier}\.json", key)
        manifests[side] = json.loads(bench.text(key))
    assert manifests["input"] == [{"prefix": f"{bench.uri}/in/"}, "a.csv", "b.csv"]
    assert manifests["output"] == [{"prefix": f"{bench.uri}/out/"}, "a.csv.out", "b.csv.out"]
    lines = bench.text("out/a.csv.out").splitlines()
    assert [line.rsplit(",", 2)[0] for line in lines] == current.splitlines()
    assert {line.rsplit(",", 2)[2] for line in lines} == {started}
    assert len({line.rsplit(",", 2)[1] for line in lines}) == len(lines)

    request = definition("DataQuality", bench.name, bench.name, f"{bench.uri}/results")
    request["DataQualityBaselineConfig"] = {"BaseliningJobName": bench.name}
    request["DataQualityJobInput"] = {
        "BatchTransformInput": {
            "DataCapturedDestinationS3Uri": f"{bench.uri}/captured",
            "DatasetFormat": {"Csv": {"Header": True}},
            "LocalPath": "/opt/ml/processing/input/batch",
        }
    }
    bench.sagemaker.create_data_quality_job_definition(**request)
    now = {"DataAnalysisStartTime": "-PT2H", "DataAnalysisEndTime": "-PT0H"}
    bench.sagemaker.create_monitoring_schedule(**schedule(bench.name, "DataQuality", bench.name, "NOW", **now))
    summary = ended_execution(bench.sagemaker, bench.name)
    assert summary["MonitoringExecutionStatus"] == "CompletedWithViolations", summary
    job_name = summary["ProcessingJobArn"].rpartition("/")[2]
    execution = bench.sagemaker.describe_processing_job(ProcessingJobName=job_name)
    output = execution["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
    statistics = json.loads(bench.text(f"{output.removeprefix(bench.uri + '/')}/statistics.json"))
    assert statistics["dataset"]["item_count"] == 2000
