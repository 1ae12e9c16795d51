"""Limits as boto3 meets them: what it waits for and tries again, and what it tells its caller at once."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from endpoints import refusal
from resources import ROLE
from service import CONFIGURATION, Service
from wire_clients import Clients

MIB = 1 << 20
IRELAND = {"LocationConstraint": "eu-west-1"}


class PatientClients(Clients):
    """Clients that try again as they do by themselves."""

    def __call__(self, name: str, mode: str = "legacy") -> Any:
        config = Config(retries={"mode": mode, "total_max_attempts": 10})
        return self.session.client(name, endpoint_url=self.url, config=config)


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Callable[[str], Service]]:
    """Starts a service with settings."""
    services: list[Service] = []

    def start(settings: str) -> Service:
        service = Service(tmp_path, f"{CONFIGURATION}\n{settings}").start()
        services.append(service)
        return service

    yield start
    for service in services:
        service.stop()


def refused(call: Any, **request: Any) -> tuple[str, int, int]:
    """Code, status, and how often it was tried again."""
    response = refusal(call, **request)
    metadata = response["ResponseMetadata"]
    return response["Error"]["Code"], metadata["HTTPStatusCode"], metadata["RetryAttempts"]


@pytest.mark.parametrize("mode", ["legacy", "standard"])
def test_who_asks_too_much_waits_and_gets_it_all(limited: Callable[[str], Service], mode: str) -> None:
    clients = PatientClients(limited("[server]\nrequests_per_second = 10\nrequest_burst = 5\n"))
    names = ("sagemaker", "s3", "logs", "sts", "cloudwatch")
    sagemaker, s3, logs, sts, cloudwatch = (clients(name, mode) for name in names)
    begun = time.monotonic()
    answers = []
    for _ in range(10):
        answers += [sagemaker.list_models(), s3.list_buckets(), logs.describe_log_groups(), sts.get_caller_identity()]
        answers.append(cloudwatch.list_metrics())
    assert sum(answer["ResponseMetadata"]["RetryAttempts"] for answer in answers) > 0
    # Five at once, and ten a second from then on.
    assert time.monotonic() - begun > 4


def test_what_has_no_room_is_refused_once_and_for_all(limited: Callable[[str], Service]) -> None:
    s3 = PatientClients(limited(f"[objects]\nquota_bytes = {20 * MIB}\n"))("s3")
    s3.create_bucket(Bucket="limited", CreateBucketConfiguration=IRELAND)
    s3.put_object(Bucket="limited", Key="half", Body=bytes(10 * MIB))
    large = bytes(11 * MIB)
    assert refused(s3.put_object, Bucket="limited", Key="more", Body=large) == ("QuotaExceeded", 507, 0)
    assert refused(s3.copy_object, Bucket="limited", Key="copy", CopySource="limited/half") == ("QuotaExceeded", 507, 0)
    upload = s3.create_multipart_upload(Bucket="limited", Key="parts")["UploadId"]
    part = {"Bucket": "limited", "Key": "parts", "UploadId": upload}
    s3.upload_part(**part, PartNumber=1, Body=bytes(6 * MIB))
    assert refused(s3.upload_part, **part, PartNumber=2, Body=bytes(6 * MIB)) == ("QuotaExceeded", 507, 0)
    s3.abort_multipart_upload(**part)
    s3.delete_object(Bucket="limited", Key="half")
    s3.put_object(Bucket="limited", Key="more", Body=large)
    assert s3.head_object(Bucket="limited", Key="more")["ContentLength"] == 11 * MIB


def test_the_reserve_keeps_the_rest_going(limited: Callable[[str], Service]) -> None:
    service = limited("")
    s3 = PatientClients(service)("s3")
    s3.create_bucket(Bucket="full", CreateBucketConfiguration=IRELAND)
    s3.put_object(Bucket="full", Key="k", Body=b"content")
    service.stop()
    # No disk has so much: it is full from now on.
    service.environment["WATCHKEEPER_OBJECTS_RESERVE_BYTES"] = str(1 << 60)
    clients = PatientClients(service.start())
    s3, sagemaker, logs = (clients(name) for name in ("s3", "sagemaker", "logs"))
    assert refused(s3.put_object, Bucket="full", Key="more", Body=b"x") == ("InsufficientStorage", 507, 0)
    model = {"ModelName": "m", "ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": "watchkeeper-echo"}}
    assert refused(sagemaker.create_model, **model) == ("InsufficientStorage", 507, 0)
    assert refused(logs.create_log_group, logGroupName="g") == ("InsufficientStorage", 507, 0)
    assert s3.get_object(Bucket="full", Key="k")["Body"].read() == b"content"
    s3.delete_object(Bucket="full", Key="k")
    assert sagemaker.list_models()["Models"] == []
