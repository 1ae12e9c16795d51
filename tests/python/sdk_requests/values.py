"""Values of cases, written as JSON so that every language can build them, made into what Python's SDK takes.

`{"$EndpointInput": {...}}` is a call of that class (or class method) with these keyword arguments, `{"$file": name}`
the path of one of the files that lie ready, `{"$datetime": text}` a point in time. Anything else is itself.
"""

import datetime
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sagemaker.clarify as clarify
import sagemaker.dataset_definition.inputs
import sagemaker.inputs
import sagemaker.model_monitor as model_monitor
import sagemaker.model_monitor.clarify_model_monitoring as clarify_model_monitoring
import sagemaker.model_monitor.data_quality_monitoring_config as data_quality
import sagemaker.model_monitor.dataset_format as dataset_format
import sagemaker.network
import sagemaker.predictor
import sagemaker.processing
import sagemaker.s3

from exchanges import Json

# A file that is uploaded in three parts is this long.
LARGE = 17 * 1024 * 1024
# What lies ready beside a program: a dataset, scripts, a folder, and files of monitors.
FILES = {
    "train.csv": "label,age\n1,39\n0,50\n",
    "preprocess.py": "def preprocess_handler(record):\n    return record\n",
    "postprocess.py": "def postprocess_handler():\n    pass\n",
    "folder/first.csv": "1,2\n",
    "statistics.json": '{"version": 0.0, "dataset": {"item_count": 2}, "features": []}',
    "constraints.json": '{"version": 0.0, "features": []}',
    "constraint_violations.json": '{"violations": []}',
}

MODULES = (
    model_monitor,
    clarify,
    clarify_model_monitoring,
    data_quality,
    dataset_format,
    sagemaker.inputs,
    sagemaker.dataset_definition.inputs,
    sagemaker.network,
    sagemaker.predictor,
    sagemaker.processing,
    sagemaker.s3,
)


def named(name: str) -> Any:
    """A class, or one of its methods, by its name."""
    first, *members = name.split(".")
    found = next(getattr(module, first) for module in MODULES if hasattr(module, first))
    for member in members:
        found = getattr(found, member)
    return found


def lay_out(folder: Path) -> None:
    """Writes the files into a folder."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "large.csv").write_text("0123456789abcdef" * (LARGE // 16))


def built(value: Json, folder: Path, session: Any) -> Any:
    """The value for Python's SDK; what takes a session gets this one."""
    if isinstance(value, list):
        return [built(element, folder, session) for element in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and next(iter(value)).startswith("$"):
        ((name, content),) = value.items()
        return special(name[1:], content, folder, session)
    return {name: built(element, folder, session) for name, element in value.items()}


def special(name: str, content: Json, folder: Path, session: Any) -> Any:
    if name == "file":
        return str(folder / content)
    if name == "datetime":
        return datetime.datetime.fromisoformat(content)
    if not isinstance(content, dict):
        return named(name)(built(content, folder, session))
    return called(named(name), built(content, folder, session), session)


def called(function: Callable[..., Any], arguments: dict[str, Any], session: Any) -> Any:
    """Calls, with the session where one is taken."""
    names = parameters(function)
    if "sagemaker_session" in names:
        arguments = {"sagemaker_session": session} | arguments
    return function(**arguments)


def parameters(function: Callable[..., Any]) -> list[str]:
    """The names of a function's or class's parameters."""
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return [
        name for name, it in inspect.signature(function).parameters.items() if it.kind not in kinds and name != "self"
    ]
