"""Every limit of botocore's model of SageMaker is broken once, and the service's words for it are those of AWS."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import botocore.config
import pytest
from botocore.exceptions import ClientError
from botocore.model import ListShape, Shape, StructureShape

from churn import ROOT

UNCHECKED = botocore.config.Config(parameter_validation=False, retries={"total_max_attempts": 1})
MODEL = json.loads((ROOT / "crates/aws/model/sagemaker.json").read_text(encoding="utf-8"))
# What the service stores as it came, without a look inside.
OPAQUE = {name for name, shape in MODEL["shapes"].items() if shape["type"] == "opaque"}
# Instance types are not enforced: there are hundreds, and every year more.
MOST_ENUM_VALUES = 60
# Texts that break one pattern or another.
ODD_TEXTS = ("_", "#", "-", "é!", "x" * 20, "a b", "\n")


@dataclass
class Violation:
    path: str
    request: dict[str, Any]
    text: str


class Walk:
    """The way from the request to one of its members, by which a value gets into a request that holds nothing else."""

    def __init__(self, steps: tuple[str | None, ...] = ()) -> None:
        self.steps = steps

    def member(self, name: str) -> "Walk":
        return Walk((*self.steps, name))

    def item(self) -> "Walk":
        return Walk((*self.steps, None))

    @property
    def path(self) -> str:
        parts = ["1.member" if step is None else step[0].lower() + step[1:] for step in self.steps]
        return ".".join(parts)

    def request(self, value: Any) -> Any:
        for step in reversed(self.steps):
            value = [value] if step is None else {step: value}
        return value

    def without(self, name: str) -> Any:
        """A request that reaches this structure, in which `name` is missing."""
        return self.request({}) if self.steps else {}


def violations_of(shape: Shape, walk: Walk, above: tuple[str, ...] = ()) -> Iterator[Violation]:
    if shape.name in OPAQUE or shape.name in above:
        return
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            way = walk.member(name)
            if name in shape.required_members:
                yield Violation(way.path, walk.without(name), "Member must not be null")
            yield from violations_of(member, way, (*above, shape.name))
        return
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if isinstance(shape, ListShape):
        if least:
            yield broken(walk, [], f"Member must have length greater than or equal to {least}")
        if isinstance(shape.member, StructureShape):
            if most and shape.member.name not in OPAQUE:
                yield broken(walk, [{}] * (most + 1), f"Member must have length less than or equal to {most}")
            yield from violations_of(shape.member, walk.item(), (*above, shape.name))
        return
    if shape.type_name == "string":
        yield from text_violations(shape, walk)
    elif shape.type_name in ("integer", "long"):
        if least is not None:
            yield broken(walk, least - 1, f"Member must have value greater than or equal to {least}")
        if most is not None:
            yield broken(walk, most + 1, f"Member must have value less than or equal to {most}")


def text_violations(shape: Shape, walk: Walk) -> Iterator[Violation]:
    least, most, pattern = (shape.metadata.get(key) for key in ("min", "max", "pattern"))
    if shape.enum:
        if len(shape.enum) <= MOST_ENUM_VALUES:
            yield broken(walk, "NoSuchValue", "Member must satisfy enum value set: [")
        return
    if least:
        yield broken(walk, "", f"Member must have length greater than or equal to {least}")
    if most is not None:
        yield broken(walk, "x" * (most + 1), f"Member must have length less than or equal to {most}")
    if pattern and r"\p{" not in pattern:
        for text in ODD_TEXTS:
            if not re.fullmatch(pattern, text):
                yield broken(walk, text, f"Member must satisfy regular expression pattern: {pattern}")
                break


def broken(walk: Walk, value: Any, text: str) -> Violation:
    return Violation(walk.path, walk.request(value), text)


@pytest.fixture
def route() -> str:
    """One: the words do not depend on the way they come."""
    return "endpoint"


@pytest.mark.parametrize("operation", MODEL["operations"])
def test_every_limit(clients: Any, operation: str) -> None:
    sagemaker = clients("sagemaker", config=UNCHECKED)
    input_shape = sagemaker.meta.service_model.operation_model(operation).input_shape
    call = getattr(sagemaker, python_name(sagemaker, operation))
    violations = list(violations_of(input_shape, Walk()))
    assert violations, "an operation without a limit"
    for violation in violations:
        with pytest.raises(ClientError) as caught:
            call(**violation.request)
        error = caught.value.response["Error"]
        where = f"at '{violation.path}' failed to satisfy constraint: {violation.text}"
        assert error["Code"] == "ValidationException", (violation, error)
        assert where in error["Message"], (violation, error["Message"])
        assert re.match(r"\d+ validation errors? detected: Value ", error["Message"])


def python_name(client: Any, operation: str) -> str:
    return next(name for name, known in client.meta.method_to_api_mapping.items() if known == operation)
