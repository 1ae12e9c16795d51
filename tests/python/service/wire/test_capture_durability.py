"""What is left of the captures of a service that is killed in the middle of its work, or whose store stands still.

In the durable mode that is every record whose answer a client has; in the fast mode all but those of the last flush.
"""

import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from endpoints import (
    capture_config,
    captured,
    constant,
    deploy,
    inference_ids,
    in_service,
    metric_sum,
    unique_id,
)
from resources import new_name, wait_until
from service import CONFIGURATION, Service
from wire_clients import Clients

KILLS = int(os.environ.get("KILLS", "3"))
"""How often a service is killed; `KILLS=100` for a long look."""
FLUSH_SECONDS = 1
Start = Callable[[str], Service]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a service of this test's own with settings for its captures."""
    services: list[Service] = []

    def start(settings: str) -> Service:
        services.append(Service(tmp_path, f"{CONFIGURATION}\n[capture]\n{settings}\n").start())
        return services[-1]

    yield start
    for service in services:
        if service.is_running():
            service.stop()


class Traffic:
    """Requests from several threads, until the service is gone, and when each of them was answered."""

    def __init__(self, clients: Clients, endpoint: str) -> None:
        self.answered: dict[str, float] = {}
        self._runtime, self._endpoint = clients("sagemaker-runtime"), endpoint
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(6)]
        for thread in self._threads:
            thread.start()

    def _ask(self, number: int) -> None:
        body = b"1,2,3\n" * (1 + 40 * number)
        while True:
            inference_id = unique_id()
            try:
                self._runtime.invoke_endpoint(
                    EndpointName=self._endpoint, Body=body, ContentType="text/csv", InferenceId=inference_id
                )["Body"].read()
            except (BotoCoreError, ClientError):
                return
            self.answered[inference_id] = time.monotonic()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(timeout=60)
            assert not thread.is_alive()


def deploy_captured(clients: Clients, name: str) -> None:
    location = {"LocationConstraint": "eu-west-1"}
    clients("s3").create_bucket(Bucket=name, CreateBucketConfiguration=location)
    deploy(clients("sagemaker"), name, constant(0.5), capture_config(f"s3://{name}/capture"))


def assert_captured(clients: Clients, name: str, expected: set[str]) -> None:
    """All of them are there, within seconds of the start, once each, in whole lines."""
    s3, found = clients("s3"), []

    def all_there() -> bool:
        found[:] = inference_ids(captured(s3, name, "capture/"))
        return expected <= set(found)

    deadline = time.monotonic() + 15
    while not all_there() and time.monotonic() < deadline:
        time.sleep(0.2)
    missing = expected - set(found)
    assert not missing, f"{len(missing)} of {len(expected)} acknowledged records are lost"
    assert len(found) == len(set(found)), "a record is there twice"


def crashes(service: Service, name: str, kept: Callable[[Traffic, float], set[str]], seconds: float) -> None:
    expected: set[str] = set()
    for number in range(KILLS):
        clients = Clients(service)
        in_service(clients("sagemaker"), name)
        wait_until(lambda clients=clients: answers(clients, name), "the endpoint's first answer")
        traffic = Traffic(clients, name)
        wait_until(lambda traffic=traffic: len(traffic.answered) > 100, "some requests")
        # At another moment of the writer's work each time.
        time.sleep(seconds + random.Random(number).uniform(0, 1.2))
        ended = time.monotonic()
        service.kill()
        traffic.join()
        expected |= kept(traffic, ended)
        assert_captured(Clients(service.start()), name, expected)
    assert len(expected) > KILLS * 50


def answers(clients: Clients, name: str) -> bool:
    try:
        clients("sagemaker-runtime").invoke_endpoint(
            EndpointName=name, Body=b"1", ContentType="text/csv", InferenceId=unique_id()
        )
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ModelNotReadyException", error
        return False
    return True


def test_the_durable_mode_loses_nothing_that_was_answered(start: Start) -> None:
    service, name = start('durability = "durable"'), new_name("durable")
    deploy_captured(Clients(service), name)
    crashes(service, name, lambda traffic, _: set(traffic.answered), 0)


def test_the_fast_mode_loses_the_last_flush_at_most(start: Start) -> None:
    service, name = start(f'durability = "fast"\nflush_seconds = {FLUSH_SECONDS}'), new_name("fast")
    deploy_captured(Clients(service), name)
    # With the time that writing an object takes on a busy machine.
    lost = FLUSH_SECONDS + 3.0

    def kept(traffic: Traffic, ended: float) -> set[str]:
        return {known for known, at in traffic.answered.items() if at < ended - lost}

    crashes(service, name, kept, lost)


@pytest.mark.parametrize("durability", ["fast", "durable"])
def test_a_service_that_is_told_to_end_loses_nothing(start: Start, durability: str) -> None:
    service, name = start(f'durability = "{durability}"\nflush_seconds = 30'), new_name("stopped")
    clients = Clients(service)
    deploy_captured(clients, name)
    traffic = Traffic(clients, name)
    wait_until(lambda: len(traffic.answered) > 200, "some requests")
    service.stop()
    traffic.join()
    assert_captured(Clients(service.start()), name, set(traffic.answered))


def test_a_store_that_stands_still_holds_up_no_answer(start: Start) -> None:
    memory = 1 << 20
    service, name = start(f"memory_bytes = {memory}\nflush_seconds = 1"), new_name("stalled")
    clients = Clients(service)
    deploy_captured(clients, name)
    runtime, body, sent = clients("sagemaker-runtime"), b"1," * 10_000, 0

    def ask() -> float:
        nonlocal sent
        began = time.monotonic()
        answer = runtime.invoke_endpoint(
            EndpointName=name, Body=body, ContentType="text/csv", InferenceId=f"stalled-{sent}"
        )
        assert float(answer["Body"].read()) == 0.5
        sent += 1
        return time.monotonic() - began

    for _ in range(20):
        ask()
    before = service.memory()
    # Another process's transaction, as far as the service can tell.
    other = sqlite3.connect(service.data / "metadata.db", isolation_level=None, timeout=30)
    try:
        other.execute("BEGIN EXCLUSIVE")
        deadline, slowest = time.monotonic() + 6, 0.0
        while time.monotonic() < deadline or sent < 500:
            slowest = max(slowest, ask())
        assert slowest < 4, "an answer waited for the store"
        assert service.memory() - before < (64 << 20), "what could not be written was kept all the same"
    finally:
        other.execute("ROLLBACK")
        other.close()

    cloudwatch, s3 = clients("cloudwatch"), clients("s3")

    def counts() -> tuple[float, float]:
        kinds = ("CapturedRecords", "DroppedRecords")
        captures, drops = (metric_sum(cloudwatch, "Watchkeeper/DataCapture", kind, name) for kind in kinds)
        return captures, drops

    wait_until(lambda: sum(counts()) >= sent, "a count of every record", 40)
    captures, drops = counts()
    assert captures + drops == sent
    assert drops > sent - 3 * memory // len(body) - 100, "more was kept than there is room for"
    found = inference_ids(captured(s3, name, "capture/"))
    assert len(found) == len(set(found)) == captures
    # It goes on as if nothing had been.
    ask()
    wait_until(lambda: f"stalled-{sent - 1}" in inference_ids(captured(s3, name, "capture/")), "the next capture", 15)
    assert "dropped" in service.log_text()
