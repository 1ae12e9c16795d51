"""Models that are served elsewhere: captured by `watchkeeper proxy` in front, or told with `watchkeeper ingest`."""

import http.client
import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from endpoints import (
    COMMAND,
    body_of,
    captured,
    captured_records,
    in_parallel,
    last_hours,
    metric_sum,
    objects,
    refusal,
)
from resources import definition, ended_execution, new_name, schedule, wait_until
from service import SECONDS, Service, clean_environment

IMAGES = Path(__file__).parents[1] / "images"


@pytest.fixture
def route() -> str:
    return "endpoint"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def is_open(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[int]:
    """A model server that nobody knows of; its port."""
    port = free_port()
    variables = {"SAGEMAKER_BIND_TO_PORT": str(port), "SM_MODEL_DIR": str(tmp_path)}
    with (tmp_path / "upstream.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, IMAGES / "model_server.py"], env=clean_environment() | variables, stdout=log, stderr=log
        )
    wait_until(lambda: is_open(port), "the model server's port")
    yield port
    process.kill()
    process.wait(timeout=SECONDS)


class Proxy:
    """`watchkeeper proxy`, from its first line to its last."""

    def __init__(self, service: Service, port: int, endpoint: str, *target: str | Path) -> None:
        url = f"http://127.0.0.1:{port}"
        command = [
            service.program,
            "proxy",
            "--upstream",
            url,
            "--endpoint",
            endpoint,
            "--listen",
            "127.0.0.1:0",
            *target,
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=clean_environment(), text=True)
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        first = self.lines.get(timeout=SECONDS)
        found = re.search(r"http://127\.0\.0\.1:(\d+) on to", first)
        assert found is not None, first
        self.port = int(found[1])

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def ask(
        self, body: bytes, kind: str | None, path: str = "/invocations", method: str = "POST", **headers: str
    ) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body, ({"Content-Type": kind} if kind else {}) | headers)
        answer = connection.getresponse()
        answered = answer.status, answer.read(), answer.headers
        connection.close()
        return answered

    def stop(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=SECONDS) == 0
        lines = []
        while line := self.lines.get(timeout=SECONDS):
            lines.append(line)
        return "".join(lines)


def place(sagemaker: Any, endpoint: str) -> tuple[str, str]:
    """Bucket and prefix of the captures of an endpoint."""
    uri = sagemaker.describe_endpoint(EndpointName=endpoint)["DataCaptureConfig"]["DestinationS3Uri"]
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return bucket, f"{prefix}/{endpoint}/AllTraffic/"


def statistics(clients: Any, endpoint: str) -> dict[str, Any]:
    """What a monitor of the endpoint reads."""
    sagemaker, s3, name = clients("sagemaker"), clients("s3"), new_name("outside")
    bucket, _ = place(sagemaker, endpoint)
    request = definition("DataQuality", name, endpoint, f"s3://{bucket}/results-{name}")
    sagemaker.create_data_quality_job_definition(**request)
    sagemaker.create_monitoring_schedule(**schedule(name, "DataQuality", name, "NOW", **last_hours()))
    assert ended_execution(sagemaker, name)["MonitoringExecutionStatus"] == "Completed"
    found = objects(s3, bucket, f"results-{name}/")
    (text,) = [body for key, body in found.items() if key.endswith("/statistics.json")]
    sagemaker.delete_monitoring_schedule(MonitoringScheduleName=name)
    return json.loads(text)


def test_a_proxy_in_front_of_a_model_server(clients: Any, service: Service, upstream: int) -> None:
    name = new_name("proxied")
    proxy = Proxy(service, upstream, name, "--data-dir", service.data)
    sagemaker, s3 = clients("sagemaker"), clients("s3")
    assert sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService"

    # All that passes, passes as it is.
    assert proxy.ask(b"", None, "/ping", "GET")[0] == 200
    assert proxy.ask(b"", None, "/nothing", "GET")[0] == 404
    status, body, headers = proxy.ask(b"1,2", "text/csv", **{"X-Amzn-SageMaker-Custom-Attributes": "a=b"})
    assert (status, body, headers["Content-Type"]) == (200, b"1,2", "text/csv")
    assert headers["X-Amzn-SageMaker-Custom-Attributes"] == "seen a=b"
    large = os.urandom(8 << 20)
    assert proxy.ask(large, "application/octet-stream")[1] == large
    assert proxy.ask(b"stream 3 0.05", COMMAND)[1] == b"part 0;part 1;part 2;"
    assert proxy.ask(b"status 400 no", COMMAND)[:2] == (400, b"no")
    in_parallel(lambda number: proxy.ask(b"%d,%d" % (number, number * number), "text/csv"), range(97))
    last = proxy.stop()
    assert "100 captured, 0 dropped" in last, last

    bucket, prefix = place(sagemaker, name)
    records = captured(s3, bucket, prefix)
    assert len(records) == 100
    sides = [record["captureData"]["endpointInput"] for record in records]
    assert sum(side["observedContentType"] == "text/csv" for side in sides) == 98
    assert sorted(body_of(side) for side in sides if side["encoding"] == "BASE64") == sorted([large, b"stream 3 0.05"])
    cloudwatch = clients("cloudwatch")
    wait_until(
        lambda: metric_sum(cloudwatch, "Watchkeeper/DataCapture", "CapturedRecords", name) == 100,
        "the count of captures",
    )
    # Nobody can ask it here.
    response = refusal(clients("sagemaker-runtime").invoke_endpoint, EndpointName=name, Body=b"1")
    assert response["Error"]["Code"] == "ValidationError" and "proxy" in response["Error"]["Message"]


def test_a_proxy_that_writes_into_a_folder(service: Service, upstream: int, tmp_path: Path) -> None:
    folder = tmp_path / "captures"
    proxy = Proxy(service, upstream, "offline", "--output", folder, "--path", "/invocations")
    for number in range(20):
        proxy.ask(b"%d,2" % number, "text/csv")
    proxy.ask(b"1", "text/csv", "/other")
    proxy.stop()
    files = sorted(folder.rglob("*.jsonl"))
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert len(lines) == 20
    assert all(re.match(r"offline/AllTraffic/\d{4}/\d\d/\d\d/\d\d/", str(file.relative_to(folder))) for file in files)
    baseline = subprocess.run(
        [service.program, "baseline", folder, "-o", tmp_path / "baseline"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert baseline.returncode == 0, baseline.stderr
    assert json.loads((tmp_path / "baseline/statistics.json").read_text())["dataset"]["item_count"] == 20


def test_a_model_server_that_is_not_there(service: Service, tmp_path: Path) -> None:
    proxy = Proxy(service, free_port(), "nobody", "--output", tmp_path / "captures")
    assert proxy.ask(b"1", "text/csv")[0] in (502, 503)
    proxy.stop()
    assert list((tmp_path / "captures").rglob("*.jsonl")) == []


def test_predictions_of_elsewhere_are_ingested(clients: Any, service: Service, tmp_path: Path) -> None:
    name, file = new_name("ingested"), tmp_path / "predictions.jsonl"
    predictions = [
        {"input": f"{number},a", "output": f"{number / 4}", "inference_id": f"{number}"} for number in range(50)
    ]
    file.write_text("".join(json.dumps(known) + "\n" for known in predictions))
    assert service.run("ingest", "--register", name, file).stdout.startswith("50 records")
    bucket, prefix = place(clients("sagemaker"), name)
    # Durable when it has answered.
    records = captured(clients("s3"), bucket, prefix)
    assert len(records) == 50
    by_id = {record["eventMetadata"]["inferenceId"]: record["captureData"] for record in records}
    assert by_id["7"]["endpointInput"] == {
        "observedContentType": "text/csv",
        "mode": "INPUT",
        "data": "7,a",
        "encoding": "CSV",
    }
    assert by_id["7"]["endpointOutput"]["data"] == "1.75"
    read = statistics(clients, name)
    assert read["dataset"]["item_count"] == 50
    score, value, _ = read["features"]
    assert score["numerical_statistics"]["sum"] == sum(range(50)) / 4
    assert value["numerical_statistics"]["sum"] == sum(range(50))

    # A line that is none refuses all of its batch, and is named.
    file.write_text('{"input": "1,a", "output": "1"}\n{"input": \n')
    refused = service.run("ingest", name, file, succeeds=False)
    assert refused.returncode != 0 and "line 2" in refused.stderr
    assert len(captured(clients("s3"), bucket, prefix)) == 50
    file.write_text(json.dumps({"input": {"age": 1}, "output": [0.5]}) + "\n")
    service.run("ingest", name, file)
    (record,) = [
        record
        for record in captured_records(clients("s3"), bucket, prefix, 51)
        if record["captureData"]["endpointInput"]["encoding"] == "JSON"
    ]
    assert json.loads(record["captureData"]["endpointInput"]["data"]) == {"age": 1}
