"""Requests and answers as the recordings have them: what two programs must send alike, without what they need not.

A request to a JSON or query service is its operation and its members; one to S3 or to an endpoint is what a reader of
the wire sees: method, bucket and key, query, the headers that say something, and the body. Left out are signatures,
checksums, user agents and `x-amz-expected-bucket-owner`. Generated timestamps and UUIDs become `<time>` and `<uuid>`.
"""

import hashlib
import json
import re
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

Json = Any

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-\d{1,3}")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LONGEST_BODY = 16384
# Headers of S3 and of endpoints that a caller chooses.
MEANT_HEADERS = re.compile(
    r"range|accept|content-type|x-amz-server-side-encryption.*|x-amz-copy-source.*|x-amzn-sagemaker-.*"
)


@dataclass
class Answer:
    """What a service says."""

    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def recorded(self) -> Json:
        recorded: dict[str, Json] = {"status": self.status}
        if self.headers:
            recorded["headers"] = self.headers
        if self.body:
            recorded["body"] = self.body
        return recorded


@dataclass
class Request:
    """What was sent, as both sides can be compared by."""

    service: str
    operation: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    bucket: str = ""
    key: str = ""

    @property
    def input(self) -> dict[str, Json]:
        """The members of a request to a JSON or query service."""
        if self.service in ("sts", "iam"):
            form = dict(urllib.parse.parse_qsl(self.body.decode()))
            return {name: value for name, value in form.items() if name not in ("Action", "Version")}
        return json.loads(self.body or b"{}")

    def recorded(self) -> Json:
        recorded: dict[str, Json] = {"service": self.service, "operation": self.operation}
        if self.service not in ("s3", "sagemaker-runtime"):
            return recorded | {"input": self.input}
        recorded["method"] = self.method
        if self.service == "s3":
            recorded |= {"bucket": self.bucket, "key": self.key} if self.bucket else {}
        else:
            recorded["path"] = self.path
        headers = {name: value for name, value in self.headers.items() if MEANT_HEADERS.fullmatch(name)}
        if self.service == "s3":
            headers.pop("content-type", None)
            headers.pop("accept", None)
        optional = {
            "query": dict(sorted(self.query.items())),
            "headers": dict(sorted(headers.items())),
            "body": shown(self.body),
        }
        return recorded | {name: value for name, value in optional.items() if value}


def request_of(event_name: str, prepared: Any) -> Request:
    """The request that botocore is about to send; `event_name` is `before-send.<service>.<operation>`."""
    _, service, operation = event_name.split(".")
    url = urllib.parse.urlsplit(prepared.url)
    headers = {name.lower(): text(value) for name, value in prepared.headers.items()}
    request = Request(
        service=service,
        operation=operation,
        method=prepared.method,
        path=urllib.parse.unquote(url.path),
        query=dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True)),
        headers=headers,
        body=whole(prepared.body),
    )
    if service == "s3":
        host = url.hostname or ""
        bucket, dot_s3, _ = host.partition(".s3.")
        path = request.path.removeprefix("/")
        if dot_s3:
            request.bucket, request.key = bucket, path
        else:
            request.bucket, _, request.key = path.partition("/")
    return request


def text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def whole(body: Any) -> bytes:
    """The bytes of a body, which may be a file."""
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return body.read() if hasattr(body, "read") else bytes(body)


def shown(body: bytes) -> str:
    """A body as it is recorded: a long one is told by its length and its sum."""
    if len(body) <= LONGEST_BODY:
        return body.decode()
    return f"{len(body)} bytes, SHA-256 {hashlib.sha256(body).hexdigest()}"


def in_order_of_parts(exchanges: list[Json]) -> list[Json]:
    """With the parts of a file in their order: they are sent several at a time."""
    numbers = [exchange["request"].get("query", {}).get("partNumber") for exchange in exchanges]
    parts = sorted((int(number), place) for place, number in enumerate(numbers) if number)
    ordered = iter([exchanges[place] for _, place in parts])
    return [next(ordered) if number else exchange for exchange, number in zip(exchanges, numbers, strict=True)]


def is_repeated_account_check(request: Json, kept: list[Json]) -> bool:
    """Whether the request is one with which Python asks again and again whose the bucket is: once is enough."""
    if request["operation"] == "GetCallerIdentity":
        return request in kept
    return request["operation"] in ("HeadBucket", "ListObjectsV2") and request in kept[-1:]


def normalised(recorded: Json) -> Json:
    """With placeholders for what is generated, in keys as well."""
    text = json.dumps(recorded, ensure_ascii=False)
    return json.loads(UUID.sub("<uuid>", TIMESTAMP.sub("<time>", text)))
