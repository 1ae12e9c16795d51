"""Models that are processes: what is seen of one that hangs, dies, answers garbage or is slow; others go on."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from endpoints import (
    COMMAND,
    UNMAPPED,
    archive,
    capture_config,
    captured_records,
    churn_model,
    command,
    constant,
    create_endpoint,
    create_model,
    delete,
    deploy,
    description,
    in_service,
    probability,
    refusal,
    server,
    variant,
)
import churn
from resources import REGISTRY, new_name, wait_until
from service import CONFIGURATION, Service, command_line, descendants
from wire_clients import Clients

SECONDS = 2
"""What a model may take for an answer here."""


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path, f"{CONFIGURATION}\n[hosting]\ninvocation_seconds = {SECONDS}\n").start()
    yield service
    if service.is_running():
        service.stop()


def models_of(service: Service) -> dict[int, str]:
    assert service.process is not None
    return {known: line for known, line in descendants(service.process.pid).items() if "model_server.py" in line}


class Neighbour:
    """Another endpoint, asked all the time; leaving the block checks that every answer came, and quickly."""

    def __init__(self, clients: Clients) -> None:
        self.name = deploy(clients("sagemaker"), new_name("neighbour"), server())
        self._runtime = clients("sagemaker-runtime")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.slowest, self.count, self.failures = 0.0, 0, []

    def _ask(self) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            try:
                body = self._runtime.invoke_endpoint(EndpointName=self.name, Body=b"1")["Body"].read()
                assert body == b"1"
            except (ClientError, AssertionError) as error:
                self.failures.append(error)
            self.slowest, self.count = max(self.slowest, time.monotonic() - began), self.count + 1

    def __enter__(self) -> "Neighbour":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        wait_until(lambda: self.count > 20, "some answers of the neighbour")
        self._over.set()
        self._thread.join(timeout=30)
        assert self.failures == []
        assert self.slowest < SECONDS


def status_of(response: dict[str, Any]) -> int:
    return response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_model_in_trouble(own_service: Service) -> None:
    clients = Clients(own_service)
    sagemaker, runtime, name = clients("sagemaker"), clients("sagemaker-runtime"), new_name("trouble")
    bucket = new_name("trouble")
    clients("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    deploy(sagemaker, name, server(), capture_config(f"s3://{bucket}/capture"))

    def ask(text: str) -> dict[str, Any]:
        return refusal(runtime.invoke_endpoint, EndpointName=name, Body=text.encode(), ContentType=COMMAND)

    with Neighbour(clients):
        # Slow, but in time.
        assert command(runtime, name, "sleep 0.7") == b"slept"

        # Too slow: the error comes at the limit, and the model is asked again at once.
        began = time.monotonic()
        response = ask("sleep 30")
        assert SECONDS - 0.2 < time.monotonic() - began < SECONDS + 4
        assert status_of(response) == 424 and response["Error"]["Code"] == "ModelError"
        assert response["OriginalStatusCode"] == 0
        assert command(runtime, name, "sleep 0") == b"slept"

        # Bytes that are no HTTP, from a process that lives.
        response = ask("garbage")
        assert status_of(response) in (424, 503) and response["Error"]["Message"]
        assert command(runtime, name, "sleep 0") == b"slept"

        # An end in the middle of a request; until it is there again it is not ready, and then it is another process.
        before = description(runtime, name)["process"]
        response = ask("die")
        assert status_of(response) == 503 and response["Error"]["Code"] == "ServiceUnavailable"
        seen = set()

        def back() -> dict[str, Any] | None:
            try:
                return description(runtime, name)
            except ClientError as error:
                seen.add((status_of(error.response), error.response["Error"]["Code"]))
                return None

        assert wait_until(back, "the next process", 20)["process"] != before
        assert seen <= {(429, "ModelNotReadyException"), (503, "ServiceUnavailable")}
        assert in_service(sagemaker, name)["EndpointStatus"] == "InService"
    group = f"/aws/sagemaker/Endpoints/{name}"

    def starts() -> int:
        pages = clients("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
        messages = [event["message"] for page in pages for event in page["events"]]
        return sum("model server starts with serve" in message for message in messages)

    wait_until(lambda: starts() == 2, "both starts in the log", 10)
    # What had an answer is captured, and nothing else: three times slept, and two or more descriptions.
    delete(sagemaker, name)
    outputs = [
        record["captureData"]["endpointOutput"]["data"]
        for record in captured_records(clients("s3"), bucket, f"capture/{name}/", 5)
    ]
    assert outputs.count("c2xlcHQ=") == 3


def test_a_model_that_dies_again_and_again(own_service: Service) -> None:
    clients = Clients(own_service)
    runtime, name = clients("sagemaker-runtime"), new_name("dying")
    deploy(clients("sagemaker"), name, server())
    for _ in range(3):
        wait_until(lambda: try_command(runtime, name, "sleep 0"), "the process", 20)
        assert not try_command(runtime, name, "die")
    wait_until(lambda: try_command(runtime, name, "sleep 0"), "the process", 20)
    delete(clients("sagemaker"), name)
    wait_until(lambda: not models_of(own_service), "the end of its processes", 15)


def try_command(runtime: Any, name: str, text: str) -> bool:
    try:
        command(runtime, name, text)
    except ClientError:
        return False
    return True


def test_deleting_ends_the_process(own_service: Service) -> None:
    clients = Clients(own_service)
    sagemaker = clients("sagemaker")
    name = deploy(sagemaker, new_name("ends"), server())
    (process,) = models_of(own_service)
    delete(sagemaker, name)
    wait_until(lambda: not models_of(own_service), "the end of its process", 15)
    assert "model_server" not in command_line(process)


@pytest.mark.parametrize("ending", [Service.stop, Service.kill], ids=["terminated", "killed"])
def test_no_process_outlives_the_service_and_endpoints_come_back(own_service: Service, ending: Any) -> None:
    clients = Clients(own_service)
    sagemaker, s3, runtime = clients("sagemaker"), clients("s3"), clients("sagemaker-runtime")
    bucket, process, built_in = new_name("again"), new_name("process"), new_name("built-in")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    model = churn_model()
    s3.put_object(Bucket=bucket, Key="model.tar.gz", Body=archive({"model.json": json.dumps(model)}))
    deploy(sagemaker, process, server(NAME="process"))
    container = {"Image": f"{REGISTRY}/sagemaker-xgboost:1.7-1", "ModelDataUrl": f"s3://{bucket}/model.tar.gz"}
    deploy(sagemaker, built_in, container, capture_config(f"s3://{bucket}/capture"))
    create_endpoint(sagemaker, "starting", server(START_SECONDS="3"))
    for name in (process, built_in):
        sagemaker.delete_endpoint_config(EndpointConfigName=name)
        sagemaker.delete_model(ModelName=name)
    before = description(runtime, process)["process"]
    ending(own_service)  # Asserts that no process is left.

    clients = Clients(own_service.start())
    sagemaker, runtime = clients("sagemaker"), clients("sagemaker-runtime")
    for name in (process, built_in):
        assert sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService"
    (row,) = churn.traffic(1)

    def answer(name: str) -> str | None:
        try:
            asked = runtime.invoke_endpoint(EndpointName=name, Body=row.encode(), ContentType="text/csv")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ModelNotReadyException", error
            return None
        return asked["Body"].read().decode()

    assert wait_until(lambda: answer(process), "an answer of the process") == row
    seen = description(runtime, process)
    assert seen["process"] != before and seen["environment"]["NAME"] == "process"
    assert abs(float(wait_until(lambda: answer(built_in), "an answer")) - probability(model, row)) < 1e-9
    captured_records(clients("s3"), bucket, f"capture/{built_in}/", 1)
    in_service(sagemaker, "starting")
    for name in (process, built_in, "starting"):
        delete(sagemaker, name)


def test_two_variants_are_two_processes(own_service: Service) -> None:
    clients = Clients(own_service)
    sagemaker, runtime, name = clients("sagemaker"), clients("sagemaker-runtime"), new_name("two")
    create_model(sagemaker, f"{name}-1", server(NAME="1"))
    create_model(sagemaker, f"{name}-2", constant(0.5))
    variants = [variant(f"{name}-1", "Process"), variant(f"{name}-2", "BuiltIn")]
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    in_service(sagemaker, name)
    assert not try_command_of(runtime, name, "Process", "die")
    answer = runtime.invoke_endpoint(EndpointName=name, Body=b"1", ContentType="text/csv", TargetVariant="BuiltIn")
    assert float(answer["Body"].read()) == 0.5, "the other variant goes on"
    delete(sagemaker, name)


def try_command_of(runtime: Any, name: str, target: str, text: str) -> bool:
    try:
        command(runtime, name, text, TargetVariant=target)
    except ClientError:
        return False
    return True


def test_an_image_that_is_let_pass(tmp_path: Path) -> None:
    """What is asked of a model that is not there is captured, and answered with an error."""
    service = Service(tmp_path, f"{CONFIGURATION}\n[hosting]\naccept_unmapped_images = true\n").start()
    clients, name = Clients(service), new_name("pass")
    clients("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    deploy(clients("sagemaker"), name, {"Image": UNMAPPED}, capture_config(f"s3://{name}/capture"))
    response = refusal(
        clients("sagemaker-runtime").invoke_endpoint, EndpointName=name, Body=b"1,2", ContentType="text/csv"
    )
    assert status_of(response) == 424 and response["Error"]["Code"] == "ModelError"
    assert "accept_unmapped_images" in response["Error"]["Message"]
    (record,) = captured_records(clients("s3"), name, f"capture/{name}/", 1)
    assert record["captureData"].keys() == {"endpointInput"}
    assert record["captureData"]["endpointInput"]["data"] == "1,2"
    service.stop()
