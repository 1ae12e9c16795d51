"""Every answer against botocore's own model of the service: the raw body, before the client's lenient parser sees it.

The parser ignores what it does not know and fills in nothing that is missing; so a member that is misspelt, null, of
another type or not there shows up only in some script, some day. The checker reads the body itself and compares member
by member.
"""

import base64
import io
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

from botocore.client import BaseClient
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.parsers import RpcV2CBORParser

NUMBERS = {"integer": int, "long": int, "float": (int, float), "double": (int, float)}


class ResponseChecker:
    """Put on clients, it fails the call whose answer breaks the model, and remembers which operations answered well."""

    def __init__(self) -> None:
        self.answered: set[tuple[str, str]] = set()

    def watch(self, client: BaseClient) -> None:
        client.meta.events.register("before-parse.*.*", self._before_parse)

    def _before_parse(self, operation_model: OperationModel, response_dict: dict[str, Any], **_: Any) -> None:
        if response_dict["status_code"] >= 300:
            return
        service = operation_model.service_model.service_name
        problems = list(problems_of(operation_model, response_dict))
        assert not problems, (
            f"{service} {operation_model.name}: {'; '.join(problems)}; the body: {response_dict['body'][:2000]!r}"
        )
        self.answered.add((service, operation_model.name))


def problems_of(operation: OperationModel, response: dict[str, Any]) -> Iterator[str]:
    protocol = operation.service_model.resolved_protocol
    shape, body = operation.output_shape, response["body"]
    if operation.has_streaming_output or operation.has_event_stream_output:
        return
    if shape is None:
        yield from empty_answer_problems(protocol, body)
        return
    if protocol in ("query", "rest-xml"):
        yield from xml_problems(operation, shape, body)
    elif protocol == "smithy-rpc-v2-cbor":
        tree = RpcV2CBORParser(timestamp_parser=lambda value: value).parse_data_item(_peekable(body)) if body else {}
        yield from tree_problems(shape, tree, shape.name)
    else:
        yield from tree_problems(shape, json.loads(body) if body else {}, shape.name)


def empty_answer_problems(protocol: str, body: bytes) -> Iterator[str]:
    if protocol == "query":
        children = {local_name(child) for child in ElementTree.fromstring(body)}
        if not children <= {"ResponseMetadata"}:
            yield f"an operation without output answers {children}"
    elif body not in (b"", b"{}", b"\xa0", b"\xbf\xff"):
        yield f"an operation without output answers {body[:200]!r}"


def _peekable(body: bytes) -> Any:
    return io.BufferedReader(io.BytesIO(body))


def tree_problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """A value of JSON or CBOR."""
    if value is None:
        yield f"{path} is null"
    elif isinstance(shape, StructureShape):
        if shape.is_document_type:
            return
        if not isinstance(value, dict):
            yield f"{path} is no structure"
            return
        yield from member_problems(
            shape, {wire_name(name, member): name for name, member in shape.members.items()}, value, path
        )
    elif isinstance(shape, ListShape):
        if not isinstance(value, list):
            yield f"{path} is no list"
            return
        for index, item in enumerate(value):
            yield from tree_problems(shape.member, item, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        if not isinstance(value, dict):
            yield f"{path} is no map"
            return
        for key, item in value.items():
            yield from tree_problems(shape.value, item, f"{path}[{key}]")
    else:
        yield from scalar_problems(shape, value, path)


def member_problems(shape: StructureShape, names: dict[str, str], value: dict[str, Any], path: str) -> Iterator[str]:
    for key in value.keys() - names.keys():
        yield f"{path} has no member {key}"
    for name in shape.required_members:
        if wire_name(name, shape.members[name]) not in value:
            yield f"{path} lacks the required member {name}"
    for key, item in value.items():
        if key in names:
            yield from tree_problems(shape.members[names[key]], item, f"{path}.{key}")


def wire_name(name: str, shape: Shape) -> str:
    return shape.serialization.get("name", name)


def scalar_problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    kind = shape.type_name
    if kind in ("string", "character"):
        if not isinstance(value, str):
            yield f"{path} is no string: {value!r}"
        elif shape.enum and value not in shape.enum:
            yield f"{path} is {value!r}, which is none of {shape.enum}"
    elif kind in NUMBERS:
        if isinstance(value, bool) or not isinstance(value, NUMBERS[kind]):
            yield f"{path} is no {kind}: {value!r}"
    elif kind == "boolean":
        if not isinstance(value, bool):
            yield f"{path} is no boolean: {value!r}"
    elif kind == "timestamp":
        if isinstance(value, bool) or not isinstance(value, (int, float, datetime)):
            yield f"{path} is no timestamp: {value!r}"
        elif not isinstance(value, datetime) and not 1e9 < value < 4e9:
            yield f"{path} is no number of seconds of our time: {value!r}"
    elif kind == "blob":
        if not isinstance(value, bytes) and base64.b64encode(base64.b64decode(value)).decode() != value:
            yield f"{path} is no base64: {value!r}"


def local_name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def xml_problems(operation: OperationModel, shape: StructureShape, body: bytes) -> Iterator[str]:
    if operation.service_model.resolved_protocol == "query":
        root = ElementTree.fromstring(body)
        wrapper = shape.serialization.get("resultWrapper")
        by_name = {local_name(child): child for child in root}
        if "ResponseMetadata" not in by_name or by_name["ResponseMetadata"].find("{*}RequestId") is None:
            yield "no ResponseMetadata with a RequestId"
        result = by_name.get(wrapper)
        if result is None:
            if shape.members:
                yield f"no {wrapper}"
            return
        yield from element_problems(shape, result, shape.name)
        return
    if payload := shape.serialization.get("payload"):
        shape = shape.members[payload]
        if not isinstance(shape, StructureShape):
            return
    in_body = {name for name, member in shape.members.items() if "location" not in member.serialization}
    if body and in_body:
        yield from element_problems(shape, ElementTree.fromstring(body), shape.name)
    elif body:
        yield f"an answer without a body has {body[:200]!r}"


def element_problems(shape: Shape, element: ElementTree.Element, path: str) -> Iterator[str]:
    """A value of XML."""
    if isinstance(shape, StructureShape):
        names = {}
        for name, member in shape.members.items():
            flattened = isinstance(member, ListShape) and member.serialization.get("flattened")
            own = member.member.serialization.get("name") if flattened else None
            names[wire_name(name, member) if "name" in member.serialization else own or name] = member
        present = [local_name(child) for child in element]
        for key in set(present) - names.keys():
            yield f"{path} has no member {key}"
        for name in shape.required_members:
            if (
                "location" not in shape.members[name].serialization
                and wire_name(name, shape.members[name]) not in present
            ):
                yield f"{path} lacks the required member {name}"
        for child in element:
            member = names.get(local_name(child))
            if isinstance(member, ListShape) and member.serialization.get("flattened"):
                yield from element_problems(member.member, child, f"{path}.{local_name(child)}")
            elif member is not None:
                yield from element_problems(member, child, f"{path}.{local_name(child)}")
    elif isinstance(shape, ListShape):
        item_name = shape.member.serialization.get("name", "member")
        for child in element:
            if local_name(child) != item_name:
                yield f"{path} holds a {local_name(child)}, not a {item_name}"
            yield from element_problems(shape.member, child, f"{path}.{item_name}")
    elif not isinstance(shape, MapShape):
        yield from text_problems(shape, element.text or "", path)


def text_problems(shape: Shape, text: str, path: str) -> Iterator[str]:
    kind = shape.type_name
    if kind == "string" and shape.enum and text not in shape.enum:
        yield f"{path} is {text!r}, which is none of {shape.enum}"
    elif kind == "boolean" and text not in ("true", "false"):
        yield f"{path} is no boolean: {text!r}"
    elif kind == "timestamp":
        datetime.fromisoformat(text)
        if "T" not in text or not text.endswith("Z"):
            yield f"{path} is no UTC time: {text!r}"
    elif kind in NUMBERS:
        float(text)
