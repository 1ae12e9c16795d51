"""Endpoints that tests deploy, what they are asked, and what they have captured."""

import base64
import concurrent.futures
import datetime
import io
import json
import math
import re
import tarfile
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from botocore.exceptions import ClientError

from resources import REGISTRY, ROLE, Request, wait_until

ECHO = f"{REGISTRY}/watchkeeper-echo:1"
CONSTANT = f"{REGISTRY}/watchkeeper-constant:1"
LINEAR = f"{REGISTRY}/watchkeeper-linear:1"
MODEL_SERVER = f"{REGISTRY}/model-server:1"
UNMAPPED = f"{REGISTRY}/unknown-model:7"
COMMAND = "text/x-command"
PATH = r"\d{4}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{3}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.jsonl"


def constant(value: float) -> Request:
    """A container that answers one number."""
    return {"Image": CONSTANT, "Environment": {"WATCHKEEPER_MODEL": json.dumps({"value": value})}}


def server(**environment: str) -> Request:
    """A container that is a process of its own."""
    return {"Image": MODEL_SERVER, "Environment": environment}


def variant(model: str, name: str = "AllTraffic", weight: float = 1.0) -> Request:
    return {
        "VariantName": name,
        "ModelName": model,
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
        "InitialVariantWeight": weight,
    }


def capture_config(uri: str, percentage: int = 100, modes: Iterable[str] = ("Input", "Output"), **more: Any) -> Request:
    kinds = {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]}
    config = {
        "EnableCapture": True,
        "InitialSamplingPercentage": percentage,
        "DestinationS3Uri": uri,
        "CaptureOptions": [{"CaptureMode": mode} for mode in modes],
        "CaptureContentTypeHeader": kinds,
    }
    return {name: value for name, value in (config | more).items() if value is not None}


def create_model(sagemaker: Any, name: str, container: Request | list[Request] | None = None) -> None:
    containers = container if container is not None else {"Image": ECHO}
    if isinstance(containers, list):
        sagemaker.create_model(ModelName=name, Containers=containers, ExecutionRoleArn=ROLE)
    else:
        sagemaker.create_model(ModelName=name, PrimaryContainer=containers, ExecutionRoleArn=ROLE)


def create_endpoint(
    sagemaker: Any,
    name: str,
    container: Request | list[Request] | None = None,
    capture: Request | None = None,
    **more: Request,
) -> None:
    """A model, a configuration and an endpoint of one name; the endpoint is being created when this returns. `more` are
    further members of the configuration."""
    create_model(sagemaker, name, container)
    config: Request = {"EndpointConfigName": name, "ProductionVariants": [variant(name)]} | more
    if capture is not None:
        config["DataCaptureConfig"] = capture
    sagemaker.create_endpoint_config(**config)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)


def settled_endpoint(sagemaker: Any, name: str, seconds: float = 60) -> Request:
    def settled() -> Request | None:
        answer = sagemaker.describe_endpoint(EndpointName=name)
        passing = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
        return answer if answer["EndpointStatus"] not in passing else None

    return wait_until(settled, f"a settled status of endpoint {name}", seconds)


def in_service(sagemaker: Any, name: str) -> Request:
    endpoint = settled_endpoint(sagemaker, name)
    assert endpoint["EndpointStatus"] == "InService", endpoint
    return endpoint


def deploy(
    sagemaker: Any,
    name: str,
    container: Request | list[Request] | None = None,
    capture: Request | None = None,
    **more: Request,
) -> str:
    create_endpoint(sagemaker, name, container, capture, **more)
    in_service(sagemaker, name)
    return name


def update(sagemaker: Any, name: str, config: str, *variants: Request, capture: Request | None = None) -> None:
    """Makes a configuration and updates the endpoint to it; does not wait."""
    request: Request = {"EndpointConfigName": config, "ProductionVariants": list(variants)}
    if capture is not None:
        request["DataCaptureConfig"] = capture
    sagemaker.create_endpoint_config(**request)
    sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)


def exists(sagemaker: Any, name: str) -> bool:
    try:
        sagemaker.describe_endpoint(EndpointName=name)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ValidationException", error
        return False
    return True


def delete(sagemaker: Any, name: str) -> None:
    """Deletes an endpoint and sees it go."""
    sagemaker.delete_endpoint(EndpointName=name)
    wait_until(lambda: not exists(sagemaker, name), f"the end of endpoint {name}")


def command(runtime: Any, endpoint: str, text: str, **more: str) -> bytes:
    """Asks the model server to do something."""
    return runtime.invoke_endpoint(EndpointName=endpoint, Body=text.encode(), ContentType=COMMAND, **more)[
        "Body"
    ].read()


def description(runtime: Any, endpoint: str, **more: str) -> Request:
    return json.loads(command(runtime, endpoint, "describe", **more))


def refusal(call: Callable[..., Any], **request: Any) -> Request:
    """The error that a call gives, as botocore reads it."""
    try:
        call(**request)
    except ClientError as error:
        assert error.response["ResponseMetadata"]["RequestId"], "an error without a request id"
        return error.response
    raise AssertionError(f"no error for {request}")


def in_parallel(work: Callable[[Any], Any], items: Iterable[Any], workers: int = 8) -> list[Any]:
    """Does the work for every item, several at once, and gives the results in the order of the items."""
    with concurrent.futures.ThreadPoolExecutor(workers) as threads:
        return list(threads.map(work, items))


def objects(s3: Any, bucket: str, prefix: str) -> dict[str, bytes]:
    """The objects below a prefix."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [known["Key"] for page in pages for known in page.get("Contents", [])]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def records_of(key: str, body: bytes) -> list[Request]:
    """The records of an object, which must consist of whole lines, at a place that the time says."""
    assert re.fullmatch(PATH, key[-len("YYYY/MM/DD/HH/MM-SS-mmm-.jsonl") - 36 :]), key
    assert body.endswith(b"\n"), f"{key} ends in half a line: {body[-200:]!r}"
    records = [json.loads(line) for line in body.decode().removesuffix("\n").split("\n")]
    hour = "/".join(key.split("/")[-5:-1])
    for record in records:
        assert record["eventMetadata"]["inferenceTime"][:13].replace("-", "/").replace("T", "/") == hour, key
    return records


def captured(s3: Any, bucket: str, prefix: str) -> list[Request]:
    """The records of all objects below a prefix."""
    return [record for key, body in objects(s3, bucket, prefix).items() for record in records_of(key, body)]


def captured_records(s3: Any, bucket: str, prefix: str, count: int, seconds: float = 15) -> list[Request]:
    """Waits for so many records, and for no more."""

    found: list[list[Request]] = [[]]

    def enough() -> bool:
        found[0] = captured(s3, bucket, prefix)
        return len(found[0]) >= count

    wait_until(enough, f"{count} records below {prefix}", seconds)
    (records,) = found
    assert len(records) == count
    assert len({record["eventMetadata"]["eventId"] for record in records}) == count
    return records


def inference_ids(records: Iterable[Request]) -> list[str]:
    return [record["eventMetadata"]["inferenceId"] for record in records]


def capture_record(part: Request, asked: str, answered: str, metadata: Request) -> Request:
    """A record as endpoints write it; content type and encoding of both sides are `part`."""
    return {
        "captureData": {
            "endpointInput": part | {"mode": "INPUT", "data": asked},
            "endpointOutput": part | {"mode": "OUTPUT", "data": answered},
        },
        "eventMetadata": metadata,
        "eventVersion": "0",
    }


def body_of(part: Request) -> bytes:
    """What was captured of a side, as the bytes it stands for."""
    return base64.b64decode(part["data"], validate=True) if part["encoding"] == "BASE64" else part["data"].encode()


def archive(files: dict[str, str | bytes]) -> bytes:
    """A model archive."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def churn_model(features: int = 69) -> Request:
    """A logistic regression whose answers are fractions, and stay away from 0 and 1 for the churn data."""
    return {
        "intercept": -1.25,
        "coefficients": [round(0.004 * math.sin(1 + number), 6) for number in range(features)],
        "output": "probability",
    }


def probability(model: Request, row: str) -> float:
    """What the model says of a row, by Python's own arithmetic."""
    values = [float(value) for value in row.split(",")]
    score = model["intercept"] + math.fsum(c * v for c, v in zip(model["coefficients"], values, strict=True))
    return 1 / (1 + math.exp(-score))


def last_hours() -> dict[str, str]:
    """The window of a schedule that runs now, and sees all that this test has captured."""
    return {"DataAnalysisStartTime": "-PT2H", "DataAnalysisEndTime": "-PT0H"}


def unique_id() -> str:
    return uuid.uuid4().hex


def metric_sum(cloudwatch: Any, namespace: str, name: str, endpoint: str, variant_name: str = "AllTraffic") -> float:
    """The sum of a metric of the last and the next quarter of an hour."""
    now = datetime.datetime.now(datetime.UTC)
    points = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant_name}],
        StartTime=now - datetime.timedelta(minutes=15),
        EndTime=now + datetime.timedelta(minutes=15),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(point["Sum"] for point in points)
