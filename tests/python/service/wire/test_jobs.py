"""Processing jobs: the contract with an image, seen from inside a job and from outside."""

import json
import time
from typing import Any

import pytest

import churn
from resources import baseline_job, ended_job, new_name, processing_input, row_counter_job, wait_until


@pytest.fixture
def sagemaker(clients: Any) -> Any:
    return clients("sagemaker")


@pytest.fixture
def s3(clients: Any) -> Any:
    return clients("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = new_name("jobs")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for number in range(4):
        s3.put_object(Bucket=name, Key=f"data/part-{number}.csv", Body=b"row\n" * (number + 1))
    return name


def report(s3: Any, bucket: str, key: str) -> dict[str, Any]:
    return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


@pytest.mark.parametrize("data", ["churn", "students"])
def test_a_baseline_equals_the_golden(sagemaker: Any, s3: Any, bucket: str, data: str) -> None:
    source = churn.BASELINE if data == "churn" else churn.STUDENTS / "dataset.csv"
    s3.upload_file(str(source), bucket, "baseline/input/dataset.csv")
    name = new_name("baseline")
    start = time.monotonic()
    sagemaker.create_processing_job(
        **baseline_job(name, f"s3://{bucket}/baseline/input/", f"s3://{bucket}/baseline/results")
    )
    job = ended_job(sagemaker, name)
    seconds = time.monotonic() - start
    assert job["ExitMessage"] == "Completed: Job completed successfully with no violations.", job
    assert seconds < 10, "a script that follows the log pays for every second above ten"
    texts = [
        s3.get_object(Bucket=bucket, Key=f"baseline/results/{kind}.json")["Body"].read().decode()
        for kind in ("statistics", "constraints")
    ]
    (churn.assert_churn_baseline if data == "churn" else churn.assert_students_baseline)(*texts)


def test_a_description_gives_back_the_request(sagemaker: Any, bucket: str) -> None:
    name = new_name("echo")
    request = row_counter_job(
        name, [processing_input("data", f"s3://{bucket}/data/")], f"s3://{bucket}/out", "--seconds", "0"
    )
    request |= {"Environment": {"A": "1"}, "Tags": [{"Key": "k", "Value": "v"}]}
    arn = sagemaker.create_processing_job(**request)["ProcessingJobArn"]
    assert arn.endswith(":processing-job/" + name)
    job = ended_job(sagemaker, name)
    assert job["ProcessingJobStatus"] == "Completed", job
    assert job["ExitMessage"] == "Completed: 10 rows in 4 files"
    for member in ("ProcessingJobName", "ProcessingResources", "AppSpecification", "Environment", "RoleArn"):
        assert job[member] == request[member]
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400}
    given = job["ProcessingInputs"][0]["S3Input"]
    assert request["ProcessingInputs"][0]["S3Input"].items() <= given.items()
    assert given["S3DataDistributionType"] == "FullyReplicated" and given["S3CompressionType"] == "None"
    assert "NetworkConfig" not in job and "FailureReason" not in job and "MonitoringScheduleArn" not in job
    assert job["CreationTime"] <= job["ProcessingStartTime"] <= job["ProcessingEndTime"]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]


def test_shares_of_the_input_on_two_instances(sagemaker: Any, s3: Any, clients: Any, bucket: str) -> None:
    name = new_name("shards")
    sharded = processing_input("data", f"s3://{bucket}/data/", S3DataDistributionType="ShardedByS3Key")
    sagemaker.create_processing_job(**row_counter_job(name, [sharded], f"s3://{bucket}/shards", count=2))
    assert ended_job(sagemaker, name)["ProcessingJobStatus"] == "Completed"
    reports = [report(s3, bucket, f"shards/report-algo-{number}.json") for number in (1, 2)]
    for part in reports:
        assert part["hosts"] == ["algo-1", "algo-2"]
        assert len(part["rows"]) == 2
    files = sorted(path for part in reports for path in part["rows"])
    assert files == [f"data/part-{number}.csv" for number in range(4)]
    streams = clients("logs").describe_log_streams(
        logGroupName="/aws/sagemaker/ProcessingJobs", logStreamNamePrefix=name + "/", orderBy="LogStreamName", limit=2
    )
    names = [stream["logStreamName"] for stream in streams["logStreams"]]
    assert len(names) == 2 and "nextToken" not in streams
    assert [stream.startswith(f"{name}/algo-{number}-") for number, stream in enumerate(names, 1)] == [True, True]


def test_an_input_by_manifest(sagemaker: Any, s3: Any, bucket: str) -> None:
    manifest = [{"prefix": f"s3://{bucket}/data/"}, "part-1.csv", "part-3.csv"]
    s3.put_object(Bucket=bucket, Key="manifest.json", Body=json.dumps(manifest).encode())
    name = new_name("manifest")
    given = processing_input("data", f"s3://{bucket}/manifest.json", S3DataType="ManifestFile")
    sagemaker.create_processing_job(**row_counter_job(name, [given], f"s3://{bucket}/manifest"))
    assert ended_job(sagemaker, name)["ExitMessage"] == "Completed: 6 rows in 2 files"
    assert list(report(s3, bucket, "manifest/report-algo-1.json")["rows"]) == ["data/part-1.csv", "data/part-3.csv"]


def test_an_address_by_https(sagemaker: Any, bucket: str) -> None:
    name = new_name("https")
    given = processing_input("data", f"https://{bucket}.s3.eu-west-1.amazonaws.com/data/")
    sagemaker.create_processing_job(
        **row_counter_job(name, [given], f"https://s3.eu-west-1.amazonaws.com/{bucket}/https")
    )
    job = ended_job(sagemaker, name)
    assert job["ExitMessage"] == "Completed: 10 rows in 4 files", job
    assert job["ProcessingInputs"][0]["S3Input"]["S3Uri"] == given["S3Input"]["S3Uri"]


def test_a_job_that_fails_says_why(sagemaker: Any, bucket: str) -> None:
    name = new_name("failing")
    sagemaker.create_processing_job(**row_counter_job(name, [], f"s3://{bucket}/out", "--fail", "the disk is on fire"))
    job = ended_job(sagemaker, name)
    assert job["ProcessingJobStatus"] == "Failed"
    assert "the disk is on fire" in job["FailureReason"]


def test_an_input_that_is_not_there(sagemaker: Any, clients: Any, bucket: str) -> None:
    name = new_name("no-input")
    given = processing_input("data", f"s3://{bucket}/nothing/")
    sagemaker.create_processing_job(**row_counter_job(name, [given], f"s3://{bucket}/out"))
    job = ended_job(sagemaker, name)
    assert job["ProcessingJobStatus"] == "Failed"
    assert f"s3://{bucket}/nothing/" in job["FailureReason"]
    streams = clients("logs").describe_log_streams(
        logGroupName="/aws/sagemaker/ProcessingJobs", logStreamNamePrefix=name + "/"
    )
    assert streams["logStreams"], "a job that failed before its start has a log too"


def test_a_job_is_ended_at_its_time_limit(sagemaker: Any, bucket: str) -> None:
    name = new_name("limit")
    request = row_counter_job(name, [], f"s3://{bucket}/out", "--seconds", "600")
    sagemaker.create_processing_job(**request, StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert ended_job(sagemaker, name)["ProcessingJobStatus"] == "Stopped"


def test_logs_come_while_the_job_runs(sagemaker: Any, clients: Any, bucket: str) -> None:
    name = new_name("talking")
    arn = sagemaker.create_processing_job(**row_counter_job(name, [], f"s3://{bucket}/out", "--seconds", "600"))[
        "ProcessingJobArn"
    ]
    logs = clients("logs")
    group = "/aws/sagemaker/ProcessingJobs"

    def events() -> Any:
        try:
            found = logs.filter_log_events(logGroupName=group, logStreamNamePrefix=name + "/")
        except logs.exceptions.ResourceNotFoundException:
            return None
        return [event for event in found["events"] if "row counter of" in event["message"]]

    (event,) = wait_until(events, "the first line")
    assert arn in event["message"] and event["eventId"]
    assert sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"] == "InProgress"
    request = {"logGroupName": group, "logStreamName": event["logStreamName"], "startFromHead": True}
    page = logs.get_log_events(**request)
    assert any(arn in line["message"] for line in page["events"])
    end = logs.get_log_events(nextToken=page["nextForwardToken"], **request)
    assert end["events"] == [] and end["nextForwardToken"] == page["nextForwardToken"]
    sagemaker.stop_processing_job(ProcessingJobName=name)
    assert ended_job(sagemaker, name)["ProcessingJobStatus"] == "Stopped"


def test_listings_of_jobs(sagemaker: Any, bucket: str) -> None:
    prefix = new_name("listed")
    for number in range(3):
        sagemaker.create_processing_job(**row_counter_job(f"{prefix}-{number}", [], f"s3://{bucket}/out"))
    for number in range(3):
        ended_job(sagemaker, f"{prefix}-{number}")
    found = sagemaker.list_processing_jobs(NameContains=prefix, StatusEquals="Completed")["ProcessingJobSummaries"]
    assert [job["ProcessingJobName"][-1] for job in found] == ["2", "1", "0"]
    found = sagemaker.list_processing_jobs(NameContains=prefix, SortBy="Name", SortOrder="Ascending", MaxResults=2)
    assert [job["ProcessingJobName"][-1] for job in found["ProcessingJobSummaries"]] == ["0", "1"]
    middle = sagemaker.describe_processing_job(ProcessingJobName=f"{prefix}-1")["CreationTime"]
    found = sagemaker.list_processing_jobs(NameContains=prefix, CreationTimeAfter=middle)["ProcessingJobSummaries"]
    assert "2" in [job["ProcessingJobName"][-1] for job in found]
    assert "0" not in [job["ProcessingJobName"][-1] for job in found]


def test_the_waiter_sees_the_end(sagemaker: Any, bucket: str) -> None:
    name = new_name("waited")
    sagemaker.create_processing_job(**row_counter_job(name, [], f"s3://{bucket}/out"))
    ended_job(sagemaker, name)
    sagemaker.get_waiter("processing_job_completed_or_stopped").wait(ProcessingJobName=name)
