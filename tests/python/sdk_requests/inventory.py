"""What the Python SDK 2 has where monitors are concerned: classes, members, parameters and defaults, asked of the package itself.

`python tests/python/sdk_requests/inventory.py`, in the environment of the SageMaker SDK 2, writes
`crates/sdk/tests/inventory.json`, against which the Rust SDK's test holds the table `crates/sdk/docs/inventory.md`. Names that
begin with an underscore are left out; members that a class inherits are told where they are defined."""

import ast
import importlib
import inspect
import json
import textwrap
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType

import sagemaker.image_uris
from exchanges import Json

FILE = Path(__file__).parents[3] / "crates/sdk/tests/inventory.json"

# Modules of which every public class counts.
WHOLE = [
    "model_monitor.model_monitoring",
    "model_monitor.clarify_model_monitoring",
    "model_monitor.monitoring_files",
    "model_monitor.monitoring_alert",
    "model_monitor.data_quality_monitoring_config",
    "model_monitor.dataset_format",
    "model_monitor.data_capture_config",
    "model_monitor.cron_expression_generator",
]
# Neighbours that monitors take, give, or are used with.
NEIGHBOURS = {
    "clarify": [
        "DatasetType",
        "TimeSeriesJSONDatasetFormat",
        "SegmentationConfig",
        "TimeSeriesDataConfig",
        "DataConfig",
        "BiasConfig",
        "TimeSeriesModelConfig",
        "ModelConfig",
        "ModelPredictedLabelConfig",
        "ExplainabilityConfig",
        "PDPConfig",
        "TextConfig",
        "ImageConfig",
        "SHAPConfig",
        "AsymmetricShapleyValueConfig",
        "SageMakerClarifyProcessor",
    ],
    "processing": ["ProcessingInput", "ProcessingOutput", "ProcessingJob"],
    "network": ["NetworkConfig"],
    "inputs": ["BatchDataCaptureConfig"],
    "base_predictor": ["Predictor"],
    "exceptions": ["UnexpectedStatusException"],
}
# Of the session, which has a method for every call of SageMaker, only what has to do with monitors.
SESSION_MEMBERS = [
    "account_id",
    "boto_region_name",
    "default_bucket",
    "download_data",
    "expand_role",
    "list_s3_files",
    "read_s3_file",
    "upload_data",
    "upload_string_as_file_body",
]


def inventory() -> list[Json]:
    """An element a class, in the order of the modules and, within them, of the source."""
    classes = [described for name in WHOLE for described in classes_of(name, None)]
    classes += [described for name, wanted in NEIGHBOURS.items() for described in classes_of(name, wanted)]
    session = next(classes_of("session", ["Session"]))
    session["attributes"] = []
    session["members"] = [it for it in session["members"] if it["name"] in SESSION_MEMBERS]
    retrieve = {"name": "retrieve", "kind": "function", "parameters": parameters(sagemaker.image_uris.retrieve)}
    functions = {"module": "image_uris", "class": "image_uris", "bases": [], "constructor": [], "attributes": []}
    return [*classes, session, {**functions, "members": [retrieve]}]


def classes_of(module_name: str, wanted: list[str] | None) -> Iterator[Json]:
    module = importlib.import_module(f"sagemaker.{module_name}")
    for name, value in vars(module).items():
        own = inspect.isclass(value) and value.__module__ == module.__name__
        if own and not name.startswith("_") and (wanted is None or name in wanted):
            yield described(module, value)


def described(module: ModuleType, value: type) -> Json:
    bases = [it.__name__ for it in value.__mro__[1:] if it.__module__.startswith("sagemaker.") and it.__name__[0] != "_"]
    constructor = [] if value.__init__ is object.__init__ or issubclass(value, Enum) else parameters(value)
    known = {parameter[0] for parameter in constructor}
    return {
        "module": module.__name__.removeprefix("sagemaker."),
        "class": value.__name__,
        "bases": bases,
        "constructor": constructor,
        "attributes": sorted(attributes(value) - known),
        "members": [member(value, name) for name in vars(value) if not name.startswith("_")],
    }


def member(owner: type, name: str) -> Json:
    value = inspect.getattr_static(owner, name)
    if isinstance(value, property):
        return {"name": name, "kind": "property"}
    if inspect.ismemberdescriptor(value):
        return {"name": name, "kind": "attribute"}
    function = getattr(value, "__func__", value)
    if not callable(function):
        return {"name": name, "kind": "constant"}
    kind = {"staticmethod": "static method", "classmethod": "class method"}.get(type(value).__name__, "method")
    own = parameters(function)
    return {"name": name, "kind": kind, "parameters": own if kind == "static method" else own[1:]}


def parameters(function: object) -> list[Json]:
    """Names and, where there is one, what stands for a parameter that is not given, as Python writes it. What a signature
    keeps for whatever else comes (`**kwargs`) is no parameter."""
    found = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            default = [] if parameter.default is parameter.empty else [str_of(parameter.default)]
            found.append([parameter.name, *default])
    return found


def str_of(default: object) -> str:
    """What is no plain value has an address in its `repr`, which is another one every time."""
    plain = default is None or isinstance(default, bool | int | float | str | list | dict | tuple)
    return repr(default) if plain else type(default).__name__


def attributes(value: type) -> set[str]:
    """What the constructor of the class itself puts into an object for others to read."""
    if "__init__" not in vars(value) or not inspect.isfunction(value.__init__):
        return set()
    try:
        source = textwrap.dedent(inspect.getsource(value.__init__))
    except OSError:  # it was made by a decorator
        return set()
    targets = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute))
    own = (it for it in targets if isinstance(it.ctx, ast.Store) and isinstance(it.value, ast.Name))
    return {it.attr for it in own if it.value.id == "self" and not it.attr.startswith("_")}


def text() -> str:
    """As it lies in the file: a member a line, so that a change shows where it is."""
    return "[\n" + ",\n".join(class_text(it) for it in inventory()) + "\n]\n"


def class_text(described: Json) -> str:
    head = json.dumps({name: value for name, value in described.items() if name != "members"})
    members = ",\n".join(f"    {json.dumps(it)}" for it in described["members"])
    return f'  {head[:-1]}, "members": [' + (f"\n{members}\n  ]}}" if members else "]}")


if __name__ == "__main__":
    FILE.write_text(text())
