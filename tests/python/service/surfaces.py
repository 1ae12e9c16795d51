"""Every way into the service: one harmless request for each service, protocol and style of address, whole but for its signature."""

import base64
import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from raw_requests import Answer, Headers, Key, Request, Signing, Wire, sign
from service import Service
from wire_clients import Clients

BUCKET = "attacked-bucket"
ENDPOINT = "attacked-endpoint"
ASYNCHRONOUS = "attacked-asynchronously"
OBJECT = "object"
CONTENT = b"what nobody but its owner reads"
JSON11 = "application/x-amz-json-1.1"
JSON10 = "application/x-amz-json-1.0"
FORM = "application/x-www-form-urlencoded"
EMPTY_CBOR = b"\xa0"


@dataclasses.dataclass(frozen=True)
class Surface:
    """A way in. `aws_name` is the name of AWS that leads to it through the proxy."""

    name: str
    request: Request
    aws_name: str


def operation(service: str, target: str, body: bytes, content_type: str = JSON11, more: Headers = ()) -> Request:
    """A request for an operation in JSON."""
    headers = (("X-Amz-Target", target), ("Content-Type", content_type), *more)
    return Request("POST", "/", service, headers=headers, body=body)


def targeted(name: str, service: str, target: str, body: bytes, aws_name: str, content_type: str = JSON11) -> Surface:
    return Surface(name, operation(service, target, body, content_type), aws_name)


def form(name: str, service: str, body: str, aws_name: str) -> Surface:
    request = Request("POST", "/", service, headers=(("Content-Type", FORM),), body=body.encode())
    return Surface(name, request, aws_name)


def rpc(name: str, target: str, body: bytes) -> Surface:
    headers = (("Smithy-Protocol", "rpc-v2-cbor"), ("Content-Type", "application/cbor"), ("Accept", "application/cbor"))
    path = f"/service/GraniteServiceVersion20100801/operation/{target}"
    request = Request("POST", path, "monitoring", headers=headers, body=body)
    return Surface(name, request, "monitoring.eu-west-1.amazonaws.com")


def surfaces() -> Iterator[Surface]:
    sagemaker, runtime = "api.sagemaker.eu-west-1.amazonaws.com", "runtime.sagemaker.eu-west-1.amazonaws.com"
    yield targeted("sagemaker", "sagemaker", "SageMaker.ListModels", b"{}", sagemaker)
    csv = (("Content-Type", "text/csv"),)
    for way in ("invocations", "invocations-response-stream"):
        request = Request("POST", f"/endpoints/{ENDPOINT}/{way}", "sagemaker", headers=csv, body=b"1,2,3")
        yield Surface(way, request, runtime)
    location = (("X-Amzn-SageMaker-InputLocation", f"s3://{BUCKET}/{OBJECT}"),)
    request = Request("POST", f"/endpoints/{ASYNCHRONOUS}/async-invocations", "sagemaker", headers=location)
    yield Surface("async-invocations", request, runtime)
    s3 = "s3.eu-west-1.amazonaws.com"
    yield Surface("s3 buckets", Request("GET", "/", "s3"), s3)
    yield Surface("s3 listing", Request("GET", f"/{BUCKET}", "s3", query="list-type=2"), s3)
    yield Surface("s3 object", Request("GET", f"/{BUCKET}/{OBJECT}", "s3"), s3)
    yield Surface("s3 by host", Request("GET", f"/{OBJECT}", "s3", host=f"{BUCKET}.localhost"), f"{BUCKET}.{s3}")
    yield Surface("s3 upload", Request("PUT", f"/{BUCKET}/uploaded", "s3", body=b"content"), s3)
    yield Surface("s3 setting", Request("GET", f"/{BUCKET}", "s3", query="versioning="), s3)
    xml = b"<Delete><Object><Key>nothing</Key></Object></Delete>"
    digest = (("Content-MD5", base64.b64encode(hashlib.md5(xml).digest()).decode()),)
    yield Surface("s3 deletes", Request("POST", f"/{BUCKET}", "s3", query="delete=", headers=digest, body=xml), s3)
    xml = b"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"
    yield Surface("s3 tags", Request("PUT", f"/{BUCKET}", "s3", query="tagging=", body=xml), s3)
    copy = (("X-Amz-Copy-Source", f"/{BUCKET}/{OBJECT}"),)
    yield Surface("s3 copy", Request("PUT", f"/{BUCKET}/copied", "s3", headers=copy), s3)
    sts, iam = "sts.eu-west-1.amazonaws.com", "iam.amazonaws.com"
    yield form("sts", "sts", "Action=GetCallerIdentity&Version=2011-06-15", sts)
    request = Request("GET", "/", "sts", query="Action=GetCallerIdentity&Version=2011-06-15")
    yield Surface("sts by address", request, sts)
    yield form("iam", "iam", "Action=GetRole&RoleName=mine&Version=2010-05-08", iam)
    yield targeted("kms", "kms", "TrentService.ListKeys", b"{}", "kms.eu-west-1.amazonaws.com")
    monitoring = "monitoring.eu-west-1.amazonaws.com"
    yield form("cloudwatch form", "monitoring", "Action=ListMetrics&Version=2010-08-01", monitoring)
    yield targeted(
        "cloudwatch json", "monitoring", "GraniteServiceVersion20100801.ListMetrics", b"{}", monitoring, JSON10
    )
    yield rpc("cloudwatch cbor", "ListMetrics", EMPTY_CBOR)
    yield targeted("logs", "logs", "Logs_20140328.DescribeLogGroups", b"{}", "logs.eu-west-1.amazonaws.com")
    ecr = "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories"
    yield targeted("ecr", "ecr", ecr, b"{}", "api.ecr.eu-west-1.amazonaws.com")
    yield Surface("operators", Request("GET", "/_watchkeeper/status", "sagemaker"), sagemaker)
    yield Surface("operators' list", Request("GET", "/_watchkeeper/jobs", "sagemaker", query="limit=5"), sagemaker)
    yield Surface("access keys", Request("GET", "/_watchkeeper/keys", "sagemaker"), sagemaker)


SURFACES = {surface.name: surface for surface in surfaces()}


class Attacked:
    """A service as an attacker sees it, and the key of somebody who may."""

    def __init__(self, service: Service) -> None:
        variables = service.variables("endpoint")
        self.service = service
        self.key = Key(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
        self.wire = Wire(variables["AWS_ENDPOINT_URL"], str(service.data / "ca.pem"))

    def addressed(self, surface: Surface | Request, proxied: bool = False) -> Request:
        """The request with its host, and nothing of a signature."""
        request = surface.request if isinstance(surface, Surface) else surface
        if proxied:
            assert isinstance(surface, Surface)
            host = surface.aws_name
        else:
            host = f"{request.host}:{self.wire.port}" if request.host else self.wire.netloc
        return request.changed(headers=(("Host", host), *request.headers))

    def signed(self, surface: Surface | Request, **how: Any) -> Request:
        return sign(self.addressed(surface), Signing(**({"key": self.key} | how)))

    def call(self, method: str, path: str, service: str, **members: Any) -> Answer:
        """A signed request that is what it should be; its answer."""
        return self.wire.send(self.signed(Request(method, path, service, **members)))

    def ask(self, service: str, target: str, body: bytes, content_type: str = JSON11, more: Headers = ()) -> Answer:
        """The same for an operation in JSON."""
        return self.wire.send(self.signed(operation(service, target, body, content_type, more)))

    def new_key(self) -> Key:
        """Another access key of the same service."""
        made = json.loads(self.call("POST", "/_watchkeeper/keys", "sagemaker").body)
        return Key(made["access_key_id"], made["secret_access_key"])

    def begin_upload(self, path: str) -> str:
        """The id of an upload in parts."""
        begun = self.call("POST", path, "s3", query="uploads=").text
        return begun.partition("<UploadId>")[2].partition("</UploadId>")[0]


@contextlib.contextmanager
def attacked_service(folder: Path, configuration: str) -> Iterator[Attacked]:
    """A service with a bucket and an object. Whatever was sent to it, it runs to the end and stops in order."""
    service = Service(folder, configuration).start()
    s3 = Clients(service)("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=BUCKET, Key=OBJECT, Body=CONTENT)
    yield Attacked(service)
    log = service.log_text()
    assert service.is_running(), f"the service has ended by itself; its log: {log[-4000:]}"
    assert "panicked" not in log, (
        f"a request made the service panic: {log[max(0, log.index('panicked') - 500) :][:2000]}"
    )
    service.stop()


def data_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
