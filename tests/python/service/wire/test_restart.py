"""Stopped or killed in the middle of its work and started again on the same folder, the service has lost nothing."""

import datetime
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

import churn
from monitored import SLOW_ANALYZER, Monitored
from quality import HOUR, capture_line, label_lines
from resources import (
    definition,
    embedded_schedule,
    ended_job,
    make_endpoint,
    new_name,
    processing_input,
    row_counter_job,
    schedule,
    settled_schedule,
    wait_until,
)
from service import Service
from wire_clients import Clients

Ending = Callable[[Service], None]
ENDINGS = {"terminated": Service.stop, "killed": Service.kill}


@pytest.fixture(params=ENDINGS)
def ending(request: pytest.FixtureRequest) -> Ending:
    return ENDINGS[request.param]


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[Service]:
    """A service that this test alone uses, and may end."""
    service = Service(tmp_path).start()
    yield service
    if service.is_running():
        service.stop()


def test_what_was_acknowledged_is_there(own_service: Service, ending: Ending) -> None:
    clients = Clients(own_service)
    s3, sagemaker, name = clients("s3"), clients("sagemaker"), new_name("kept")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    make_endpoint(sagemaker, name, f"s3://{name}/capture")
    sagemaker.create_data_quality_job_definition(**definition("DataQuality", name, name, f"s3://{name}/results"))
    sagemaker.create_monitoring_schedule(**schedule(name, "DataQuality", name))
    upload = s3.create_multipart_upload(Bucket=name, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=name, Key="parts", UploadId=upload, PartNumber=1, Body=b"p" * (5 << 20))["ETag"]
    clients("cloudwatch").put_metric_data(Namespace=name, MetricData=[{"MetricName": "m", "Value": 1.0}])
    key = clients("kms").create_key()["KeyMetadata"]["KeyId"]
    s3.put_object(Bucket=name, Key="secret", Body=b"s" * 100_000, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)

    # Writers are in the middle of their work when the service goes.
    acknowledged: list[tuple[str, int]] = []
    models: list[str] = []
    threads = [
        threading.Thread(target=write_objects, args=(clients("s3"), name, worker, acknowledged)) for worker in range(4)
    ]
    threads.append(threading.Thread(target=make_models, args=(sagemaker, name, models)))
    for thread in threads:
        thread.start()
    wait_until(lambda: len(acknowledged) > 100 and len(models) > 10, "some writes")
    ending(own_service)
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()

    clients = Clients(own_service.start())
    s3, sagemaker = clients("s3"), clients("sagemaker")
    for written, size in acknowledged:
        assert s3.get_object(Bucket=name, Key=written)["Body"].read() == content(written, size), written
    for model in models:
        assert sagemaker.describe_model(ModelName=model)["ModelName"] == model
    assert sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService"
    assert settled_schedule(sagemaker, name)["MonitoringScheduleStatus"] == "Scheduled"
    sagemaker.describe_data_quality_job_definition(JobDefinitionName=name)
    assert s3.get_object(Bucket=name, Key="secret")["Body"].read() == b"s" * 100_000
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    s3.complete_multipart_upload(Bucket=name, Key="parts", UploadId=upload, MultipartUpload=parts)
    assert len(clients("cloudwatch").list_metrics(Namespace=name)["Metrics"]) == 1
    assert list((own_service.data / "objects/incoming").iterdir()) == [], "bodies that were on their way when it ended"


def content(key: str, size: int) -> bytes:
    return (key.encode() * (size // len(key) + 1))[:size]


def write_objects(s3: Any, bucket: str, worker: int, acknowledged: list[tuple[str, int]]) -> None:
    """Small bodies are in the database, large ones are files."""
    number = 0
    while True:
        key, size = f"object-{worker}-{number}", 200_000 if number % 5 == 0 else 1000
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=content(key, size))
        except (BotoCoreError, ClientError):
            return
        acknowledged.append((key, size))
        number += 1


def make_models(sagemaker: Any, prefix: str, models: list[str]) -> None:
    while True:
        name = f"{prefix}-{len(models)}"
        try:
            sagemaker.create_model(
                ModelName=name, PrimaryContainer={"Image": "i"}, ExecutionRoleArn="arn:aws:iam::123456789012:role/r"
            )
        except (BotoCoreError, ClientError):
            return
        models.append(name)


def test_a_running_job_is_run_again(own_service: Service, ending: Ending) -> None:
    clients = Clients(own_service)
    s3, sagemaker, name = clients("s3"), clients("sagemaker"), new_name("again")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=name, Key="data/a.csv", Body=b"row\n")
    given = processing_input("data", f"s3://{name}/data/")
    sagemaker.create_processing_job(**row_counter_job(name, [given], f"s3://{name}/out", "--seconds", "3"))

    def is_printing() -> bool:
        logs = clients("logs")
        try:
            return bool(
                logs.filter_log_events(logGroupName="/aws/sagemaker/ProcessingJobs", logStreamNamePrefix=name)["events"]
            )
        except ClientError:
            return False

    wait_until(is_printing, "the job's first line")
    ending(own_service)
    sagemaker = Clients(own_service.start())("sagemaker")
    job = ended_job(sagemaker, name)
    assert job["ProcessingJobStatus"] == "Completed", job
    assert job["ExitMessage"] == "Completed: 1 rows in 1 files"
    assert Clients(own_service)("s3").list_objects_v2(Bucket=name, Prefix="out/")["KeyCount"] == 1
    wait_until(lambda: own_service.job_folders() == [], "the removal of the job's folder")


def test_an_execution_goes_on(own_service: Service, ending: Ending) -> None:
    clients = Clients(own_service)
    s3, sagemaker, name = clients("s3"), clients("sagemaker"), new_name("execution")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    make_endpoint(sagemaker, name, f"s3://{name}/capture")
    time = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=30)
    s3.put_object(Bucket=name, Key="capture/" + churn.capture_key(name, time), Body=churn.capture(7, time).encode())
    now = {"DataAnalysisStartTime": "-PT2H", "DataAnalysisEndTime": "-PT0H"}
    sagemaker.create_monitoring_schedule(
        **embedded_schedule(name, name, f"s3://{name}/out", "NOW", "--seconds", "2", **now)
    )

    def executions() -> Any:
        return sagemaker.list_monitoring_executions(MonitoringScheduleName=name)["MonitoringExecutionSummaries"]

    wait_until(lambda: any("ProcessingJobArn" in known for known in executions()), "the execution's job")
    ending(own_service)
    sagemaker = Clients(own_service.start())("sagemaker")
    wait_until(lambda: executions()[0]["MonitoringExecutionStatus"] == "Completed", "the end of the execution")
    assert len(executions()) == 1, "one tick, one execution"
    wait_until(lambda: own_service.job_folders() == [], "the removal of the job's folder")


def test_an_execution_of_two_jobs_goes_on(own_service: Service, ending: Ending) -> None:
    """Ended while captures and ground truth are merged: they are merged again, and then analysed."""
    example = Monitored(Clients(own_service), own_service)
    ids = range(300)
    example.capture(HOUR, "".join(capture_line("1.0", f"event-{number}", HOUR, str(number)) for number in ids))
    example.label(HOUR, label_lines((str(number), "3") for number in ids))
    example.monitor("Regression", image=SLOW_ANALYZER, InferenceAttribute="0")
    example.run_hour(HOUR, "--no-wait")

    def job() -> str:
        found = example.executions()
        return found[0].get("ProcessingJobArn", "") if found else ""

    first = wait_until(job, "the execution's first job")
    assert "/groundtruth-merge-" in first
    ending(own_service)
    own_service.start()
    example.connect(Clients(own_service))
    wait_until(lambda: example.executions()[0]["MonitoringExecutionStatus"] == "Completed", "the end of the execution")
    (summary,) = example.executions()
    assert example.merge_job(summary)["ProcessingJobArn"] == first
    metrics = example.metrics(summary)
    assert (metrics["item_count"], metrics["mae"]["value"]) == (len(ids), 2.0)
    assert len(example.merged()) == len(ids), "merged twice, and there once"
    wait_until(lambda: own_service.job_folders() == [], "the removal of the jobs' folders")


def test_access_keys_stay(own_service: Service, ending: Ending) -> None:
    before = own_service.variables("endpoint")
    ending(own_service)
    after = own_service.start().variables("endpoint")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert before[name] == after[name]
    authority = own_service.variables("proxy")["AWS_CA_BUNDLE"]
    assert Path(authority).read_text().count("BEGIN CERTIFICATE") >= 1
