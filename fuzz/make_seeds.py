"""Writes the seeds that nobody would write by hand. `operations`: for every operation of the models in `crates/aws/model/` a
request with all its members, and one with those that have to be there. `sigv4`: one that is signed for the moment of its clock.
`sketches`: a state of each kind, and a column.

    python3 fuzz/make_seeds.py
"""

import hashlib
import hmac
import json
import re
import shutil
import struct
from pathlib import Path
from typing import Any
from urllib.parse import quote

FUZZ = Path(__file__).parent
MODELS = FUZZ.parent / "crates/aws/model"
REGISTERS = 512
QUERY_SERVICES = ("sts", "iam")
TEXTS = [
    "a",
    "name-1",
    "arn:aws:iam::123456789012:role/r",
    "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000",
    "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/e",
    "s3://bucket/key",
    "https://bucket/key",
    "/opt/ml/processing/input",
    "cron(0 * ? * * *)",
    "-PT1H",
    "123456789012",
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com/image:1",
    "2026-03-01T12:00:00Z",
    "text/csv",
    "alias/a",
    "/aws/logs",
    "sg-0123456789abcdef0",
    "subnet-0123456789abcdef0",
    "{}",
    "a" * 20,
    "a" * 64,
]


class Model:
    """One service's shapes, as values of requests."""

    def __init__(self, name: str) -> None:
        document = json.loads((MODELS / f"{name}.json").read_text())
        self.name, self.shapes, self.operations = name, document["shapes"], document["operations"]
        self.metadata = document["metadata"]

    def value(self, name: str, whole: bool, above: tuple[str, ...] = ()) -> Any:
        shape = self.shapes.get(name, {"type": "string"})
        kind = shape["type"]
        if kind == "structure":
            if above.count(name) > 1:
                return {}
            required = shape.get("required", [])
            members = shape.get("members", {}).items()
            wanted = [(member, target["shape"]) for member, target in members if whole or member in required]
            return {member: self.value(target, whole, (*above, name)) for member, target in wanted}
        if kind == "list":
            item = self.value(shape["member"]["shape"], whole, (*above, name))
            return [item] * max(shape.get("min", 1), 1)
        if kind == "map":
            key = self.value(shape["key"]["shape"], whole, above)
            return {key: self.value(shape["value"]["shape"], whole, (*above, name))}
        if kind in ("integer", "long", "double", "float"):
            return max(shape.get("min", 1), 1)
        if kind == "boolean":
            return True
        if kind == "timestamp":
            return 1772366400
        if kind == "blob":
            return "YQ=="
        return self.text(shape)

    @staticmethod
    def text(shape: dict[str, Any]) -> str:
        if shape.get("enum"):
            return shape["enum"][0]
        least, most = shape.get("min", 0), shape.get("max", 1 << 30)
        fitting = [text for text in TEXTS if least <= len(text) <= most]
        pattern = shape.get("pattern")
        if pattern is not None:
            try:
                matched = [text for text in fitting if re.fullmatch(pattern, text)]
            except re.error:
                matched = []
            fitting = matched or fitting
        return fitting[0] if fitting else "a" * least


def cbor(value: Any) -> bytes:
    def head(kind: int, number: int) -> bytes:
        if number < 24:
            return bytes([kind << 5 | number])
        return bytes([kind << 5 | 26]) + number.to_bytes(4, "big")

    match value:
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int():
            return head(0, value)
        case str():
            return head(3, len(value.encode())) + value.encode()
        case list():
            return head(4, len(value)) + b"".join(map(cbor, value))
        case _:
            return head(5, len(value)) + b"".join(cbor(key) + cbor(entry) for key, entry in value.items())


def fields(value: Any, path: str) -> list[str]:
    match value:
        case dict():
            return [line for name, entry in value.items() for line in fields(entry, f"{path}.{name}" if path else name)]
        case list():
            return [line for number, item in enumerate(value, 1) for line in fields(item, f"{path}.member.{number}")]
        case bool():
            return [f"{path}={str(value).lower()}"]
        case _:
            return [f"{path}={quote(str(value), safe='')}"]


def request(method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"{method} {target}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\n".join([*lines, "", ""]).encode() + body


def requests(model: Model, operation: str, body: Any) -> dict[str, bytes]:
    """The request in every protocol in which the service takes it."""
    written = {}
    scope = {"cloudwatch": "monitoring", "runtime": "sagemaker"}.get(model.name, model.name)
    if model.name == "runtime":
        verb = {"InvokeEndpoint": "invocations", "InvokeEndpointAsync": "async-invocations"}
        path = f"/endpoints/e/{verb.get(operation, 'invocations-response-stream')}"
        headers = {"x-signed-for": scope, "content-type": "text/csv", "x-amzn-sagemaker-target-variant": "v"}
        return {"rest": request("POST", path, headers, b"1,2")}
    if model.name in QUERY_SERVICES or model.name == "cloudwatch":
        version = model.metadata["apiVersion"]
        form = "&".join([f"Action={operation}", f"Version={version}", *fields(body, "")])
        headers = {"x-signed-for": scope, "content-type": "application/x-www-form-urlencoded"}
        written["form"] = request("POST", "/", headers, form.encode())
    if model.name == "cloudwatch":
        path = f"/service/GraniteServiceVersion20100801/operation/{operation}"
        headers = {"x-signed-for": scope, "smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}
        written["cbor"] = request("POST", path, headers, cbor(body))
    prefix = model.metadata.get("targetPrefix")
    if prefix:
        headers = {
            "x-signed-for": scope,
            "x-amz-target": f"{prefix}.{operation}",
            "content-type": "application/x-amz-json-1.1",
        }
        written["json"] = request("POST", "/", headers, json.dumps(body, separators=(",", ":")).encode())
    return written


def signed(name: str, body: bytes) -> bytes:
    """The request as `sigv4` accepts it: AWS's "Signature Version 4 for API requests", for noon of its clock."""
    stamp, scope = "20260301T120000Z", "20260301/eu-west-1/sagemaker/aws4_request"
    headers = {"host": "127.0.0.1:8470", "x-amz-date": stamp, "x-amz-target": f"SageMaker.{name}"}
    listed = "".join(f"{header}:{value}\n" for header, value in headers.items())
    canonical = f"POST\n/\n\n{listed}\n{';'.join(headers)}\n{hashlib.sha256(body).hexdigest()}"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    for part in [*scope.split("/"), to_sign]:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    credential = f"Credential=AKIAIOSFODNN7EXAMPLE/{scope}, SignedHeaders={';'.join(headers)}, Signature={key.hex()}"
    return request("POST", "/", headers | {"authorization": f"AWS4-HMAC-SHA256 {credential}"}, body)


def states() -> dict[str, bytes]:
    """States as `watchkeeper_engine::encoding` has them, behind the byte that says of what; the last is a column."""
    levels = [(2, [1.5, 3.0, -0.0]), (1, [7.0]), (0, [])]
    quantiles = b"".join(
        struct.pack("<BQ", *(turns, len(items))) + struct.pack(f"<{len(items)}d", *items) for turns, items in levels
    )
    texts = b"".join(struct.pack("<QQ", count, len(text)) + text for text, count in ((b"yes", 3), (b"no", 1)))
    return {
        "quantiles": b"\x00\x01" + struct.pack("<Q", len(levels)) + quantiles,
        "distinct": b"\x01\x01" + bytes(number % 7 for number in range(REGISTERS)),
        "moments": b"\x02\x01" + struct.pack("<Qddddd?", 4, 2.5, 5.0, 10.0, 1.0, 4.0, False),
        "categories": b"\x03\x01" + struct.pack("<Q", 2) + texts,
        "column": b"\x04\x03" + struct.pack("<8d", 0.0, -0.0, 1e308, -1e308, float("inf"), 5e-324, 3.0, 3.0),
    }


def main() -> None:
    for name, state in states().items():
        (FUZZ / "seeds/sketches").mkdir(parents=True, exist_ok=True)
        (FUZZ / f"seeds/sketches/{name}").write_bytes(state)
    folder = FUZZ / "seeds/operations"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in sorted(MODELS.glob("*.json")):
        model = Model(path.stem)
        for operation, parts in model.operations.items():
            for size in ("whole", "least"):
                body = model.value(parts["input"], size == "whole") if parts.get("input") else {}
                for protocol, text in requests(model, operation, body).items():
                    if size == "whole" or protocol == "json":
                        (folder / f"{path.stem}-{operation}-{protocol}-{size}").write_bytes(text)
    signatures = FUZZ / "seeds/sigv4"
    signatures.mkdir(parents=True, exist_ok=True)
    (signatures / "signed").write_bytes(signed("ListModels", b"{}"))


main()
