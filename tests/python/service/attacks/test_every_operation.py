"""Every operation of every service with values that nobody means: refused, or done, and never a failure of the service itself.

The requests are made from the models in `crates/aws/model/`, as the seeds of the fuzz target `operations` are; what that target
does without anything behind it, this does with everything.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import surfaces
from raw_requests import Request
from service import CONFIGURATION
from surfaces import BUCKET, FORM, JSON10, JSON11, OBJECT, Attacked, attacked_service

MODELS = Path(__file__).resolve().parents[4] / "crates/aws/model"
SERVICES = ["sagemaker", "logs", "cloudwatch", "kms", "sts", "iam", "ecr"]

# What a member of each kind is set to; `usual` leaves it to the model.
TEXTS: dict[str, Any] = {
    "usual": None,
    "empty": "",
    "blank": " ",
    "long": "x" * 20_000,
    "nul": "a\0b",
    "controls": "\r\n\x1b[31m\x7f\u0085",
    "path": "../../../etc/passwd",
    "statement": "' OR 1=1; DROP TABLE objects; --",
    "pattern": "%_*?.^$[](){}|\\",
    "beyond": "\U0001f4a3\u202e\ufffe",
    "half": "\ud800",
    "arn": "arn:aws:sagemaker:eu-west-1:000000000000:endpoint/../x",
    "no arn": "arn:::::::",
    "uri": "s3://",
    "other uri": "s3://../..//x",
    "time": "9999-12-31T23:59:59.999999999Z",
    "before": "-9999-01-01T00:00:00Z",
    "object": {},
    "list": [],
    "null": "null",
}
NUMBERS = [
    0,
    -1,
    1,
    2**31 - 1,
    -(2**31),
    2**31,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    2**64,
    10**40,
    1e308,
    -1e308,
    1e-320,
    0.5,
]


class Model:
    """A service's operations, and values of their inputs."""

    def __init__(self, name: str) -> None:
        document = json.loads((MODELS / f"{name}.json").read_text())
        self.name, self.shapes, self.operations = name, document["shapes"], document["operations"]
        self.metadata = document["metadata"]

    def value(self, name: str, text: Any, number: Any, count: int, above: tuple[str, ...] = ()) -> Any:
        shape = self.shapes.get(name, {"type": "string"})
        kind = shape["type"]
        if above.count(name) > 1:
            return {} if kind == "structure" else []
        above = (*above, name)
        match kind:
            case "structure":
                members = shape.get("members", {}).items()
                return {member: self.value(target["shape"], text, number, count, above) for member, target in members}
            case "list":
                return [self.value(shape["member"]["shape"], text, number, count, above)] * count
            case "map":
                key = self.value(shape["key"]["shape"], text, number, count, above)
                key = key if isinstance(key, str) else "key"
                return {key: self.value(shape["value"]["shape"], text, number, count, above)} if count else {}
            case "integer" | "long" | "double" | "float":
                return number if number is not None else max(shape.get("min", 1), 1)
            case "boolean":
                return True
            case "timestamp":
                return number if number is not None else 1772366400
            case "blob":
                return "YQ=="
        if text is not None:
            return text
        return shape["enum"][0] if shape.get("enum") else ("a" * max(shape.get("min", 1), 1))


def bodies(model: Model, operation: str) -> Iterator[Any]:
    shape = model.operations[operation].get("input")
    if shape is None:
        yield {}
        return
    for text in TEXTS.values():
        yield model.value(shape, text, None, 1)
    for number in NUMBERS:
        yield model.value(shape, None, number, 1)
    for count in (0, 200):
        body = model.value(shape, None, None, count if count == 0 else 1)
        yield {name: value * count if isinstance(value, list) and count else value for name, value in body.items()}
    yield from ([], "x", None, 1, {"": None})
    members = model.shapes[shape].get("members", {})
    for member, target in members.items():
        yield {member: model.value(target["shape"], TEXTS["long"], NUMBERS[-4], 1)}
        yield {member: None}


def fields(value: Any, path: str) -> Iterator[str]:
    match value:
        case dict():
            for name, entry in value.items():
                yield from fields(entry, f"{path}.{name}" if path else name)
        case list():
            for number, item in enumerate(value, 1):
                yield from fields(item, f"{path}.member.{number}")
        case _:
            yield "=".join(quote(text.encode("utf-8", "replace"), safe="") for text in (path, str(value)))


def requests(model: Model, operation: str) -> Iterator[Request]:
    scope = {"cloudwatch": "monitoring"}.get(model.name, model.name)
    prefix, version = model.metadata.get("targetPrefix"), model.metadata["apiVersion"]
    for body in bodies(model, operation):
        if prefix:
            content_type = JSON10 if scope == "monitoring" else JSON11
            yield surfaces.operation(scope, f"{prefix}.{operation}", json.dumps(body).encode(), content_type)
        if model.name in ("sts", "iam", "cloudwatch"):
            form = "&".join([f"Action={operation}", f"Version={version}", *fields(body, "")])
            yield Request("POST", "/", scope, headers=(("Content-Type", FORM),), body=form.encode())


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with attacked_service(tmp_path_factory.mktemp("victim"), CONFIGURATION) as attacked:
        yield attacked


@pytest.mark.parametrize("name", SERVICES)
def test_no_operation_fails_the_service(victim: Attacked, name: str) -> None:
    model = Model(name)
    failed, sent = [], 0
    for operation in model.operations:
        for request in requests(model, operation):
            answer = victim.wire.send(victim.signed(request))
            sent += 1
            assert b"SignatureDoesNotMatch" not in answer.body and b"InvalidSignature" not in answer.body, answer
            if answer.status >= 500:
                failed.append(f"{operation}: {answer.status} {answer.text[:200]} for {request.body[:300]!r}")
    assert sent > 10
    assert not failed, "\n".join(failed[:20])


QUERIES = [
    "list-type=2&max-keys=0",
    "list-type=2&max-keys=-1",
    "list-type=2&max-keys=99999999999999999999",
    "list-type=2&max-keys=x",
    "list-type=2&continuation-token=x",
    "list-type=2&continuation-token=",
    "list-type=2&encoding-type=x",
    "list-type=3",
    "list-type=2&delimiter=",
    "uploads=&max-uploads=-1",
    "uploads=&upload-id-marker=x",
    "versions=",
    "acl=",
    "unknown=",
    "x=1&x=2",
    "%00=%00",
    "=",
]


@pytest.mark.parametrize("query", QUERIES)
def test_no_parameter_of_a_bucket_fails_the_service(victim: Attacked, query: str) -> None:
    answer = victim.call("GET", f"/{BUCKET}", "s3", query=query)
    assert answer.status < 500 or answer.status == 501, answer


RANGES = [
    "bytes=0-18446744073709551615",
    "bytes=18446744073709551615-",
    "bytes=18446744073709551616-",
    "bytes=-18446744073709551615",
    "bytes=-0",
    "bytes=5-1",
    "bytes=0-0,2-3",
    "bytes=" + ",".join("0-" for _ in range(1000)),
    "bytes=-",
    "bytes",
    "items=0-1",
    "bytes=a-b",
    "bytes= 0 - 1 ",
]


@pytest.mark.parametrize("text", RANGES)
def test_no_range_gives_more_than_there_is(victim: Attacked, text: str) -> None:
    whole = victim.call("GET", f"/{BUCKET}/{OBJECT}", "s3").body
    answer = victim.call("GET", f"/{BUCKET}/{OBJECT}", "s3", headers=(("Range", text),))
    assert answer.status in (200, 206, 400, 416, 501), answer
    assert answer.status not in (200, 206) or answer.body in whole


def test_parts_that_are_none(victim: Attacked) -> None:
    path = f"/{BUCKET}/parts"
    upload = victim.begin_upload(path)
    for number in ("0", "-1", "10001", "4294967297", "x", "", "1.5"):
        answer = victim.call("PUT", path, "s3", query=f"partNumber={number}&uploadId={upload}", body=b"x")
        assert answer.status == 400, (number, answer)
    for other in ("", "x", "../x", "%00", upload + "x", "00000000-0000-0000-0000-000000000000"):
        answer = victim.call("PUT", path, "s3", query=f"partNumber=1&uploadId={other}", body=b"x")
        assert answer.status in (400, 404), (other, answer)
        assert (
            victim.call("PUT", f"/{BUCKET}/another", "s3", query=f"partNumber=1&uploadId={upload}", body=b"x").status
            == 404
        )
    documents = [
        "<CompleteMultipartUpload></CompleteMultipartUpload>",
        "<CompleteMultipartUpload>"
        + "<Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>" * 10_001
        + "</CompleteMultipartUpload>",
        "<CompleteMultipartUpload><Part><PartNumber>-1</PartNumber><ETag></ETag></Part></CompleteMultipartUpload>",
        "<CompleteMultipartUpload><Part><PartNumber>99999999999</PartNumber></Part></CompleteMultipartUpload>",
    ]
    for document in documents:
        answer = victim.call("POST", path, "s3", query=f"uploadId={upload}", body=document.encode())
        assert answer.status == 400, answer
    assert victim.call("DELETE", path, "s3", query=f"uploadId={upload}").status == 204
