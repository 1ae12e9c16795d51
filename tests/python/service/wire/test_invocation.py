"""Asking an endpoint: what reaches the model, what comes back, and the errors of botocore's model of the runtime."""

import json
import os
import time
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from endpoints import (
    COMMAND,
    ECHO,
    capture_config,
    captured,
    captured_records,
    create_model,
    delete,
    deploy,
    in_service,
    metric_sum,
    refusal,
    server,
    variant,
)
from resources import new_name, wait_until
from service import Service

ONCE = Config(retries={"total_max_attempts": 1})
LIMIT = 6 << 20
ONE_ROUTE = pytest.mark.parametrize("route", ["endpoint"])


@pytest.fixture
def sagemaker(clients: Any) -> Any:
    return clients("sagemaker")


@pytest.fixture
def runtime(clients: Any) -> Any:
    """One that does not try again: every error is seen."""
    return clients("sagemaker-runtime", config=ONCE)


@pytest.fixture
def bucket(clients: Any) -> str:
    name = new_name("invocation")
    clients("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name


def test_headers_reach_the_model_and_come_back(sagemaker: Any, runtime: Any, clients: Any, bucket: str) -> None:
    capture = capture_config(f"s3://{bucket}/capture")
    name = deploy(sagemaker, new_name("headers"), server(), capture)
    sent = {
        "Accept": "application/json",
        "CustomAttributes": "trace=00-1; of=the client",
        "InferenceId": "inference-1",
        "TargetVariant": "AllTraffic",
        "TargetModel": "model-1.tar.gz",
        "SessionId": "NEW_SESSION",
        "EnableExplanations": "`true`",
    }
    answer = runtime.invoke_endpoint(EndpointName=name, Body=b"describe", ContentType=COMMAND, **sent)
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    assert answer["ContentType"] == "application/json"
    assert answer["CustomAttributes"] == f"seen {sent['CustomAttributes']}"
    headers = {key.lower(): value for key, value in json.loads(answer["Body"].read())["headers"].items()}
    assert headers["content-type"] == COMMAND and headers["accept"] == "application/json"
    for member, header in (
        ("CustomAttributes", "custom-attributes"),
        ("InferenceId", "inference-id"),
        ("TargetVariant", "target-variant"),
        ("TargetModel", "target-model"),
        ("SessionId", "session-id"),
        ("EnableExplanations", "enable-explanations"),
    ):
        assert headers[f"x-amzn-sagemaker-{header}"] == sent[member]
    assert "authorization" not in headers and not any(header.startswith("x-amz-") for header in headers)

    bare = runtime.invoke_endpoint(EndpointName=name, Body=b"bare", ContentType=COMMAND)
    assert bare["Body"].read() == b"bare" and "CustomAttributes" not in bare
    first, second = sorted(
        captured_records(clients("s3"), bucket, f"capture/{name}/AllTraffic/", 2),
        key=lambda record: "inferenceId" not in record["eventMetadata"],
    )
    assert first["eventMetadata"]["inferenceId"] == "inference-1"
    assert first["eventMetadata"]["customAttributes"] == [sent["CustomAttributes"]]
    assert first["captureData"]["endpointInput"]["observedContentType"] == COMMAND
    assert first["captureData"]["endpointOutput"]["observedContentType"] == "application/json"
    assert "inferenceId" not in second["eventMetadata"] and "customAttributes" not in second["eventMetadata"]
    assert second["captureData"]["endpointOutput"]["observedContentType"] is None
    assert second["captureData"]["endpointOutput"]["encoding"] == "BASE64"
    delete(sagemaker, name)


@pytest.mark.parametrize("container", [{"Image": ECHO}, server()], ids=["built in", "process"])
def test_a_body_passes_as_it_is(sagemaker: Any, runtime: Any, container: Any) -> None:
    name = deploy(sagemaker, new_name("bodies"), container)
    for body in (b"", b"\x00\xff\r\n", os.urandom(20_000), os.urandom(LIMIT)):
        answer = runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType="application/octet-stream")
        assert answer["Body"].read() == body, len(body)
        assert answer["ContentType"] == "application/octet-stream"
    # One byte more, and one that does not know the endpoint: the size is looked at before.
    for asked in (name, "nothing"):
        response = refusal(runtime.invoke_endpoint, EndpointName=asked, Body=b"x" * (LIMIT + 1))
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 413, response
    assert runtime.invoke_endpoint(EndpointName=name, Body=b"after")["Body"].read() == b"after"
    delete(sagemaker, name)


@ONE_ROUTE
def test_an_endpoint_that_is_not_there(runtime: Any, service: Service) -> None:
    name = new_name("missing")
    for call in (
        lambda: runtime.invoke_endpoint(EndpointName=name, Body=b"1"),
        lambda: runtime.invoke_endpoint_with_response_stream(EndpointName=name, Body=b"1"),
        lambda: runtime.invoke_endpoint_async(EndpointName=name, InputLocation="s3://b/k"),
    ):
        response = refusal(call)
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert response["Error"]["Code"] == "ValidationError"
        assert response["Error"]["Message"] == f"Endpoint {name} of account {service.default_account()} not found."
    with pytest.raises(runtime.exceptions.ValidationError):
        runtime.invoke_endpoint(EndpointName=name, Body=b"1")


@ONE_ROUTE
def test_an_unsigned_request_is_refused(sagemaker: Any, service: Service) -> None:
    name = deploy(sagemaker, new_name("unsigned"))
    for path in ("invocations", "invocations-response-stream", "async-invocations"):
        request = urllib.request.Request(f"{service.address}/endpoints/{name}/{path}", b"1", method="POST")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with pytest.raises(urllib.error.HTTPError) as caught:
            opener.open(request, timeout=10)
        assert caught.value.code in (400, 403)
    delete(sagemaker, name)


@ONE_ROUTE
@pytest.mark.parametrize(("status", "side"), [(400, "client"), (404, "client"), (500, "server"), (503, "server")])
def test_an_error_of_the_model(
    sagemaker: Any, runtime: Any, clients: Any, bucket: str, service: Service, status: int, side: str
) -> None:
    name = deploy(sagemaker, new_name("errors"), server(), capture_config(f"s3://{bucket}/capture"))
    text = 'no column "Churn" here'
    asked = {"EndpointName": name, "Body": f"status {status} {text}".encode(), "ContentType": COMMAND}
    for call in (runtime.invoke_endpoint, runtime.invoke_endpoint_with_response_stream):
        with pytest.raises(runtime.exceptions.ModelError) as caught:
            call(**asked)
        response = caught.value.response
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
        assert response["Error"]["Code"] == "ModelError"
        assert response["OriginalStatusCode"] == status and response["OriginalMessage"] == text
        group, account = f"/aws/sagemaker/Endpoints/{name}", service.default_account()
        assert response["LogStreamArn"].startswith(f"arn:aws:logs:eu-west-1:{account}:log-group:{group}")
        assert response["Error"]["Message"] == (
            f'Received {side} error ({status}) from primary with message "{text}". See '
            "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logEventViewer:"
            f"group={group} in account {account} for more information."
        )
    assert runtime.invoke_endpoint(EndpointName=name, Body=b"ok")["Body"].read() == b"ok"
    delete(sagemaker, name)
    # What failed is not captured.
    (record,) = captured(clients("s3"), bucket, f"capture/{name}/")
    assert record["captureData"]["endpointOutput"]["data"] == "b2s="


@ONE_ROUTE
def test_a_record_that_a_built_in_cannot_read(sagemaker: Any, runtime: Any) -> None:
    model = {"intercept": 0.0, "coefficients": [1.0, 2.0]}
    container = {
        "Image": ECHO.replace("echo", "linear"),
        "Environment": {"WATCHKEEPER_MODEL": json.dumps(model)},
    }
    name = deploy(sagemaker, new_name("linear"), container)

    def ask(body: str, kind: str = "text/csv", **more: str) -> tuple[str, str]:
        answer = runtime.invoke_endpoint(EndpointName=name, Body=body.encode(), ContentType=kind, **more)
        return answer["Body"].read().decode(), answer["ContentType"]

    text, kind = ask("1,2\n3,4\n")
    assert [float(line) for line in text.splitlines()] == [5.0, 11.0] and kind.startswith("text/csv")
    text, kind = ask("[[1, 2], [3, 4]]", "application/json")
    assert kind.startswith("application/json") and "5" in text and "11" in text
    assert json.loads(ask('{"instances": [[1, 2], [3, 4]]}', "application/json")[0])["predictions"] == [5.0, 11.0]
    text, kind = ask("1,2", Accept="application/json")
    assert kind.startswith("application/json") and "5" in text
    for body, kind, place in (
        ("1,2\n3,four\n", "text/csv", "2"),
        ("1,2,3\n", "text/csv", "1"),
        ('{"instances": [[1, 2], [3]]}', "application/json", "2"),
        ("{", "application/json", ""),
    ):
        response = refusal(runtime.invoke_endpoint, EndpointName=name, Body=body.encode(), ContentType=kind)
        assert response["Error"]["Code"] == "ModelError" and response["OriginalStatusCode"] == 400
        assert place in response["OriginalMessage"]
    delete(sagemaker, name)


def test_an_answer_that_streams(sagemaker: Any, runtime: Any, clients: Any, bucket: str) -> None:
    name = deploy(sagemaker, new_name("stream"), server(), capture_config(f"s3://{bucket}/capture"))
    began = time.monotonic()
    answer = runtime.invoke_endpoint_with_response_stream(
        EndpointName=name, Body=b"stream 4 0.4", ContentType=COMMAND, InferenceId="streamed"
    )
    assert answer["InvokedProductionVariant"] == "AllTraffic" and answer["ContentType"] == "text/plain"
    parts, times = [], []
    for event in answer["Body"]:
        parts.append(event["PayloadPart"]["Bytes"])
        times.append(time.monotonic() - began)
    whole = b"part 0;part 1;part 2;part 3;"
    assert b"".join(parts) == whole
    assert len(parts) >= 4, "the parts of the model were held back"
    assert times[-1] - times[0] > 0.5, times
    # A large answer of a built-in, in as many parts as it likes.
    echo, body = deploy(sagemaker, new_name("stream-echo")), os.urandom(3 << 20)
    events = runtime.invoke_endpoint_with_response_stream(EndpointName=echo, Body=body)["Body"]
    assert b"".join(event["PayloadPart"]["Bytes"] for event in events) == body
    # The same by the other call, which takes what streams as a whole.
    plain = runtime.invoke_endpoint(EndpointName=name, Body=b"stream 3 0.01", ContentType=COMMAND)
    assert plain["Body"].read() == b"part 0;part 1;part 2;"
    records = captured_records(clients("s3"), bucket, f"capture/{name}/", 2)
    (streamed,) = [record for record in records if record["eventMetadata"].get("inferenceId") == "streamed"]
    assert streamed["captureData"]["endpointOutput"]["observedContentType"] == "text/plain"
    # No list names text/plain.
    assert streamed["captureData"]["endpointOutput"]["data"] == "cGFydCAwO3BhcnQgMTtwYXJ0IDI7cGFydCAzOw=="
    for endpoint in (name, echo):
        delete(sagemaker, endpoint)


def test_a_stream_that_breaks(sagemaker: Any, runtime: Any, clients: Any, bucket: str) -> None:
    name = deploy(sagemaker, new_name("broken"), server(), capture_config(f"s3://{bucket}/capture"))
    answer = runtime.invoke_endpoint_with_response_stream(EndpointName=name, Body=b"break 3", ContentType=COMMAND)
    parts = []
    with pytest.raises(EventStreamError) as caught:
        for event in answer["Body"]:
            parts.append(event["PayloadPart"]["Bytes"])
    assert b"".join(parts) == b"0123456789" * 30
    assert caught.value.response["Error"]["Code"] == "ModelStreamError"
    # Where the answer is whole or nothing, it is nothing.
    with pytest.raises(ClientError) as refused:
        runtime.invoke_endpoint(EndpointName=name, Body=b"break 3", ContentType=COMMAND)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (424, 503)
    assert runtime.invoke_endpoint(EndpointName=name, Body=b"ok")["Body"].read() == b"ok"
    delete(sagemaker, name)
    assert len(captured(clients("s3"), bucket, f"capture/{name}/")) == 1


def asynchronous(sagemaker: Any, name: str, bucket: str) -> str:
    create_model(sagemaker, name, server())
    output = {"S3OutputPath": f"s3://{bucket}/out", "S3FailurePath": f"s3://{bucket}/failures"}
    sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[variant(name)],
        AsyncInferenceConfig={"OutputConfig": output, "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 2}},
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    assert in_service(sagemaker, name)["AsyncInferenceConfig"]["OutputConfig"] == output
    return name


def test_an_answer_that_comes_later(sagemaker: Any, runtime: Any, clients: Any, bucket: str) -> None:
    s3, name = clients("s3"), asynchronous(sagemaker, new_name("later"), bucket)

    def found(location: str) -> bytes | None:
        key = location.removeprefix(f"s3://{bucket}/")
        try:
            return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except s3.exceptions.NoSuchKey:
            return None

    s3.put_object(Bucket=bucket, Key="in/slow", Body=b"sleep 0.5")
    s3.put_object(Bucket=bucket, Key="in/bad", Body=b"status 400 not today")
    s3.put_object(Bucket=bucket, Key="in/large", Body=b"x" * (LIMIT * 2))
    answers = {
        kind: runtime.invoke_endpoint_async(
            EndpointName=name, InputLocation=f"s3://{bucket}/in/{kind}", ContentType=content, InferenceId=f"id-{kind}"
        )
        for kind, content in (("slow", COMMAND), ("bad", COMMAND), ("large", "text/csv"), ("missing", COMMAND))
    }
    for kind, answer in answers.items():
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
        assert answer["InferenceId"] == f"id-{kind}"
        assert answer["OutputLocation"].startswith(f"s3://{bucket}/out/")
        assert answer["FailureLocation"].startswith(f"s3://{bucket}/failures/")
    assert len({answer["OutputLocation"] for answer in answers.values()}) == 4
    assert wait_until(lambda: found(answers["slow"]["OutputLocation"]), "the slow answer", 20) == b"slept"
    assert wait_until(lambda: found(answers["large"]["OutputLocation"]), "the large answer") == b"x" * (LIMIT * 2)
    failure = wait_until(lambda: found(answers["bad"]["FailureLocation"]), "the failure")
    assert b"not today" in failure
    assert wait_until(lambda: found(answers["missing"]["FailureLocation"]), "the failure of a missing input")
    assert found(answers["bad"]["OutputLocation"]) is None
    # Without a name of one's own there is one all the same.
    unnamed = runtime.invoke_endpoint_async(
        EndpointName=name, InputLocation=f"s3://{bucket}/in/slow", ContentType=COMMAND
    )
    assert unnamed["InferenceId"]
    delete(sagemaker, name)


@ONE_ROUTE
def test_an_endpoint_that_does_not_answer_later(sagemaker: Any, runtime: Any) -> None:
    name = deploy(sagemaker, new_name("not-async"))
    response = refusal(runtime.invoke_endpoint_async, EndpointName=name, InputLocation="s3://bucket/key")
    assert response["Error"]["Code"] == "ValidationError"
    delete(sagemaker, name)


@ONE_ROUTE
def test_invocations_are_counted(sagemaker: Any, runtime: Any, clients: Any, bucket: str) -> None:
    name = deploy(sagemaker, new_name("counted"), server(), capture_config(f"s3://{bucket}/capture"))
    cloudwatch = clients("cloudwatch")
    for number in range(7):
        runtime.invoke_endpoint(EndpointName=name, Body=f"{number}".encode(), ContentType="text/csv")
    for status in (400, 500, 500):
        refusal(runtime.invoke_endpoint, EndpointName=name, Body=f"status {status} no".encode(), ContentType=COMMAND)

    def counts() -> dict[str, float]:
        names = ("Invocations", "InvocationModelErrors", "Invocation4XXErrors", "Invocation5XXErrors")
        return {kind: metric_sum(cloudwatch, "AWS/SageMaker", kind, name) for kind in names}

    wait_until(lambda: counts()["Invocations"] == 10, "the count of invocations", 30)
    seen = counts()
    assert seen["InvocationModelErrors"] == 3, seen
    wait_until(
        lambda: metric_sum(cloudwatch, "Watchkeeper/DataCapture", "CapturedRecords", name) == 7,
        "the captures' count",
        30,
    )
    assert metric_sum(cloudwatch, "Watchkeeper/DataCapture", "DroppedRecords", name) == 0
    assert metric_sum(cloudwatch, "AWS/SageMaker", "ModelLatency", name) > 0
    delete(sagemaker, name)
