"""What is captured of the requests to an endpoint: which, where, in what form, and what the monitor reads of it."""

import csv
import io
import json
import math
import os
import re
import time
import uuid
from typing import Any

import pytest

from endpoints import (
    capture_config,
    captured,
    captured_records,
    body_of,
    constant,
    create_model,
    delete,
    deploy,
    in_parallel,
    in_service,
    inference_ids,
    last_hours,
    objects,
    unique_id,
    update,
    variant,
)
from resources import definition, ended_execution, new_name, schedule

ROUTES = ("endpoint", "proxy")
HUNDREDS = 3


@pytest.fixture
def route() -> str:
    """One, but for the tests that say otherwise: what is captured does not depend on the way in."""
    return "endpoint"


@pytest.fixture
def sagemaker(clients: Any) -> Any:
    return clients("sagemaker")


@pytest.fixture
def runtime(clients: Any) -> Any:
    return clients("sagemaker-runtime")


@pytest.fixture
def s3(clients: Any) -> Any:
    return clients("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = new_name("capture")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name


@pytest.mark.parametrize("route", ROUTES)
def test_a_record_has_the_form_of_aws(sagemaker: Any, runtime: Any, s3: Any, bucket: str) -> None:
    name = deploy(sagemaker, new_name("Form"), constant(0.5), capture_config(f"s3://{bucket}/capture"))
    runtime.invoke_endpoint(
        EndpointName=name,
        Body=b'1,"a ""b"" \xc3\xa9"\n',
        ContentType="text/csv",
        InferenceId="i-1",
        CustomAttributes="c=d",
    )
    asked = time.monotonic()
    (record,) = captured_records(s3, bucket, f"capture/{name}/AllTraffic/", 1)
    assert time.monotonic() - asked < 5, "a record is shown within five seconds"
    data, metadata = record["captureData"], record["eventMetadata"]
    assert record.keys() == {"captureData", "eventMetadata", "eventVersion"} and record["eventVersion"] == "0"
    assert data.keys() == {"endpointInput", "endpointOutput"}
    assert data["endpointInput"] == {
        "observedContentType": "text/csv",
        "mode": "INPUT",
        "data": '1,"a ""b"" é"\n',
        "encoding": "CSV",
    }
    output = data["endpointOutput"]
    assert output.keys() == data["endpointInput"].keys()
    assert output["mode"] == "OUTPUT" and output["encoding"] == "CSV" and float(output["data"]) == 0.5
    assert uuid.UUID(metadata.pop("eventId"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata.pop("inferenceTime"))
    assert metadata == {"inferenceId": "i-1", "customAttributes": ["c=d"]}
    (key,) = objects(s3, bucket, "capture/")
    assert key.startswith(f"capture/{name}/AllTraffic/")
    delete(sagemaker, name)


def test_the_endings_of_a_destination(sagemaker: Any, runtime: Any, s3: Any, bucket: str) -> None:
    """A destination that ends in a slash has two of them, as on AWS; a bucket alone has none before the name."""
    for destination, prefix in ((f"s3://{bucket}/slash/", "slash//"), (f"s3://{bucket}", "")):
        name = deploy(sagemaker, new_name("place"), capture=capture_config(destination))
        runtime.invoke_endpoint(EndpointName=name, Body=b"1")
        delete(sagemaker, name)
        assert len(captured(s3, bucket, f"{prefix}{name}/AllTraffic/")) == 1


BODIES = [
    ("text/csv", b"1,2", "CSV"),
    ("text/csv; charset=utf-8", b"1,\xc3\xa9\r\n2,3", "CSV"),
    ("Text/CSV", b"", "CSV"),
    ("application/json", b'{ "a" : [1, 2.50] }\n', "JSON"),
    ("application/json;charset=UTF-8", b'"\\u00e9 \xe2\x80\xa8 \xf0\x9f\x98\x80"', "JSON"),
    ("application/jsonlines", b'{"a":1}\n{"a":2}\n', "JSON"),
    ("application/json-seq", b"1", "BASE64"),
    ("application/octet-stream", bytes(range(256)), "BASE64"),
    ("text/plain", b"text", "BASE64"),
]


@pytest.mark.parametrize("route", ROUTES)
def test_encodings(sagemaker: Any, runtime: Any, s3: Any, bucket: str) -> None:
    types = {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json", "application/jsonlines"]}
    capture = capture_config(f"s3://{bucket}/capture", CaptureContentTypeHeader=types)
    name = deploy(sagemaker, new_name("encoding"), capture=capture)
    for number, (kind, body, _) in enumerate(BODIES):
        answer = runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType=kind, InferenceId=str(number))
        assert answer["Body"].read() == body
    delete(sagemaker, name)
    records = captured(s3, bucket, f"capture/{name}/")
    assert len(records) == len(BODIES)
    for record in records:
        kind, body, encoding = BODIES[int(record["eventMetadata"]["inferenceId"])]
        for part in record["captureData"].values():
            assert (part["observedContentType"], part["encoding"]) == (kind, encoding)
            assert body_of(part) == body


def test_without_lists_of_content_types(sagemaker: Any, runtime: Any, s3: Any, bucket: str) -> None:
    capture = capture_config(f"s3://{bucket}/capture", CaptureContentTypeHeader=None)
    name = deploy(sagemaker, new_name("no-lists"), capture=capture)
    runtime.invoke_endpoint(EndpointName=name, Body=b"1,2", ContentType="text/csv")
    runtime.invoke_endpoint(EndpointName=name, Body=b"[]", ContentType="application/json")
    delete(sagemaker, name)
    records = captured(s3, bucket, f"capture/{name}/")
    assert {record["captureData"]["endpointInput"]["data"] for record in records} == {"MSwy", "W10="}
    parts = [part for record in records for part in record["captureData"].values()]
    assert {part["encoding"] for part in parts} == {"BASE64"}


@pytest.mark.parametrize(
    ("modes", "parts"),
    [
        (("Input",), {"endpointInput"}),
        (("Output",), {"endpointOutput"}),
        (("InputAndOutput",), {"endpointInput", "endpointOutput"}),
    ],
)
def test_sides(sagemaker: Any, runtime: Any, s3: Any, bucket: str, modes: tuple[str, ...], parts: set[str]) -> None:
    name = deploy(sagemaker, new_name("sides"), capture=capture_config(f"s3://{bucket}/capture", modes=modes))
    runtime.invoke_endpoint(EndpointName=name, Body=b"1,2", ContentType="text/csv")
    delete(sagemaker, name)
    (record,) = captured(s3, bucket, f"capture/{name}/")
    assert record["captureData"].keys() == parts


@pytest.mark.parametrize("percentage", [0, 1, 20, 50, 100])
def test_sampling_is_exact(sagemaker: Any, runtime: Any, s3: Any, bucket: str, percentage: int) -> None:
    name = deploy(sagemaker, new_name("sampling"), capture=capture_config(f"s3://{bucket}/capture", percentage))

    def ask(inference_id: str) -> None:
        runtime.invoke_endpoint(EndpointName=name, Body=b"1", ContentType="text/csv", InferenceId=inference_id)

    for hundred in range(HUNDREDS):
        in_parallel(ask, [f"{hundred}-{number}" for number in range(100)])
    delete(sagemaker, name)
    ids = inference_ids(captured(s3, bucket, f"capture/{name}/"))
    assert len(set(ids)) == len(ids)
    for hundred in range(HUNDREDS):
        chosen = sum(known.startswith(f"{hundred}-") for known in ids)
        assert chosen == percentage, "so many of every hundred requests"


def test_captures_are_there_when_the_endpoint_is_gone(sagemaker: Any, runtime: Any, s3: Any, bucket: str) -> None:
    name = deploy(sagemaker, new_name("gone"), capture=capture_config(f"s3://{bucket}/capture"))
    ids = [unique_id() for _ in range(50)]
    for inference_id in ids:
        runtime.invoke_endpoint(EndpointName=name, Body=b"1", InferenceId=inference_id)
    delete(sagemaker, name)
    assert sorted(inference_ids(captured(s3, bucket, f"capture/{name}/"))) == sorted(ids)


def test_capture_is_switched_on_and_off(sagemaker: Any, runtime: Any, s3: Any, bucket: str) -> None:
    name = deploy(sagemaker, new_name("switch"), capture=capture_config(f"s3://{bucket}/one", EnableCapture=False))
    assert sagemaker.describe_endpoint(EndpointName=name)["DataCaptureConfig"]["CaptureStatus"] == "Stopped"

    def ask(step: str) -> None:
        runtime.invoke_endpoint(EndpointName=name, Body=b"1", InferenceId=step)

    ask("off")
    update(sagemaker, name, f"{name}-on", variant(name), capture=capture_config(f"s3://{bucket}/two"))
    assert in_service(sagemaker, name)["DataCaptureConfig"]["CaptureStatus"] == "Started"
    ask("on")
    update(sagemaker, name, f"{name}-none", variant(name))
    assert "DataCaptureConfig" not in in_service(sagemaker, name)
    ask("none")
    delete(sagemaker, name)
    assert inference_ids(captured(s3, bucket, "")) == ["on"]


def test_a_key_encrypts_what_is_captured(sagemaker: Any, runtime: Any, s3: Any, clients: Any, bucket: str) -> None:
    key = clients("kms").create_key()["KeyMetadata"]
    capture = capture_config(f"s3://{bucket}/capture", KmsKeyId=key["KeyId"])
    name = deploy(sagemaker, new_name("key"), capture=capture)
    runtime.invoke_endpoint(EndpointName=name, Body=b"1", ContentType="text/csv")
    delete(sagemaker, name)
    assert len(captured(s3, bucket, f"capture/{name}/")) == 1
    for known in objects(s3, bucket, "capture/"):
        head = s3.head_object(Bucket=bucket, Key=known)
        assert head["ServerSideEncryption"] == "aws:kms" and key["KeyId"] in head["SSEKMSKeyId"]
    # A key that is none loses nothing.
    capture = capture_config(f"s3://{bucket}/unknown", KmsKeyId="alias/nobody-made-this-one")
    name = deploy(sagemaker, new_name("no-key"), capture=capture)
    runtime.invoke_endpoint(EndpointName=name, Body=b"1", ContentType="text/csv")
    delete(sagemaker, name)
    assert len(captured(s3, bucket, f"unknown/{name}/")) == 1


def test_every_variant_has_its_own_place(sagemaker: Any, runtime: Any, s3: Any, bucket: str) -> None:
    name = new_name("variants")
    create_model(sagemaker, name)
    sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[variant(name, "One"), variant(name, "Two")],
        DataCaptureConfig=capture_config(f"s3://{bucket}/capture"),
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    in_service(sagemaker, name)
    for number, one in enumerate(("One", "Two", "Two")):
        runtime.invoke_endpoint(EndpointName=name, Body=b"1", TargetVariant=one, InferenceId=f"{number}")
    delete(sagemaker, name)
    assert inference_ids(captured(s3, bucket, f"capture/{name}/One/")) == ["0"]
    assert sorted(inference_ids(captured(s3, bucket, f"capture/{name}/Two/"))) == ["1", "2"]


class Monitor:
    """A monitor without a baseline over what an endpoint has captured: what it read is in its statistics."""

    def __init__(self, clients: Any, bucket: str) -> None:
        self.sagemaker, self.s3, self.bucket = clients("sagemaker"), clients("s3"), bucket

    def statistics(self, endpoint: str) -> dict[str, Any]:
        name = endpoint
        request = definition("DataQuality", name, endpoint, f"s3://{self.bucket}/results")
        self.sagemaker.create_data_quality_job_definition(**request)
        self.sagemaker.create_monitoring_schedule(**schedule(name, "DataQuality", name, "NOW", **last_hours()))
        summary = ended_execution(self.sagemaker, name)
        assert summary["MonitoringExecutionStatus"] == "Completed", summary
        found = objects(self.s3, self.bucket, f"results/{endpoint}/")
        (text,) = [body for key, body in found.items() if key.endswith("/statistics.json")]
        self.sagemaker.delete_monitoring_schedule(MonitoringScheduleName=name)
        return json.loads(text)


@pytest.mark.parametrize("lists", [True, False], ids=["as text", "as base64"])
def test_the_monitor_reads_every_line_of_csv(
    sagemaker: Any, runtime: Any, s3: Any, clients: Any, bucket: str, lists: bool
) -> None:
    more = {} if lists else {"CaptureContentTypeHeader": None}
    capture = capture_config(f"s3://{bucket}/capture", **more)
    name = deploy(sagemaker, new_name("read-csv"), constant(0.25), capture)
    texts = ["plain", "a, comma", 'a "quote"', "é😀", " spaces ", "", "'", "\\", "\u2028", "tab\there"] * 6
    bodies, numbers = [], []
    for number, text in enumerate(texts):
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerow([number / 8, text])
        bodies.append(stream.getvalue())
        numbers.append(number / 8)

    def ask(body: str) -> None:
        runtime.invoke_endpoint(EndpointName=name, Body=body.encode(), ContentType="text/csv")

    in_parallel(ask, bodies)
    records = captured_records(s3, bucket, f"capture/{name}/", len(bodies))
    assert sorted(body_of(record["captureData"]["endpointInput"]).decode() for record in records) == sorted(bodies)
    statistics = Monitor(clients, bucket).statistics(name)
    delete(sagemaker, name)
    assert statistics["dataset"]["item_count"] == len(bodies)
    score, value, text = statistics["features"]
    assert score["numerical_statistics"]["sum"] == 0.25 * len(bodies)
    assert value["numerical_statistics"]["common"] == {"num_present": len(bodies), "num_missing": 0}
    assert value["numerical_statistics"]["sum"] == math.fsum(numbers)
    assert (value["numerical_statistics"]["min"], value["numerical_statistics"]["max"]) == (0.0, max(numbers))
    present = text["string_statistics"]["common"]["num_present"]
    assert present + text["string_statistics"]["common"]["num_missing"] == len(bodies)
    assert text["string_statistics"]["distinct_count"] in (9.0, 10.0)


def test_the_monitor_reads_every_line_of_json(sagemaker: Any, runtime: Any, s3: Any, clients: Any, bucket: str) -> None:
    name = deploy(sagemaker, new_name("read-json"), capture=capture_config(f"s3://{bucket}/capture"))
    bodies = [json.dumps({"age": number, "name": f'é "{number}"\n'}, indent=number % 3 or None) for number in range(40)]

    def ask(body: str) -> None:
        runtime.invoke_endpoint(EndpointName=name, Body=body.encode(), ContentType="application/json")

    in_parallel(ask, bodies)
    captured_records(s3, bucket, f"capture/{name}/", len(bodies))
    statistics = Monitor(clients, bucket).statistics(name)
    delete(sagemaker, name)
    assert statistics["dataset"]["item_count"] == len(bodies)
    features = {feature["name"]: feature for feature in statistics["features"]}
    assert features["age"]["numerical_statistics"]["sum"] == sum(range(40))
    assert features["name"]["string_statistics"]["distinct_count"] > 30


def test_a_large_body_is_captured_whole(sagemaker: Any, runtime: Any, s3: Any, bucket: str) -> None:
    name = deploy(sagemaker, new_name("large"), capture=capture_config(f"s3://{bucket}/capture"))
    bodies = [os.urandom(5 << 20), b"1," * (2 << 20)]
    for number, body in enumerate(bodies):
        kind = "text/csv" if number else "application/octet-stream"
        runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType=kind, InferenceId=str(number))
    delete(sagemaker, name)
    records = captured(s3, bucket, f"capture/{name}/")
    assert len(records) == len(bodies)
    for record in records:
        body = bodies[int(record["eventMetadata"]["inferenceId"])]
        assert all(body_of(part) == body for part in record["captureData"].values())
