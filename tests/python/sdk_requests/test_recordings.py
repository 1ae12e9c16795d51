"""That the recordings are genuine and whole: recorded anew they are the same, and no parameter was forgotten."""

import inspect
import json
from collections import defaultdict
from pathlib import Path

import pytest
import sagemaker.clarify as clarify
import sagemaker.model_monitor as model_monitor

import values
from cases import suites
from exchanges import Json
from record import RECORDINGS, text_of
from recorder import Recorder

# Arguments that belong to the session, and ones that the Rust SDK has no use for.
NOT_RECORDED = {"sagemaker_session"}
# Classes whose every method is recorded, by how a case calls it.
MONITORS = (
    "ModelMonitor",
    "DefaultModelMonitor",
    "ModelQualityMonitor",
    "ModelBiasMonitor",
    "ModelExplainabilityMonitor",
)


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    return Recorder(tmp_path_factory.mktemp("files"))


@pytest.mark.parametrize("name", list(suites()))
def test_recording_is_what_the_sdk_sends(name: str, recorder: Recorder) -> None:
    recorded = text_of([recorder.record(case) for case in suites()[name]()])
    committed = (RECORDINGS / f"{name}.json").read_text()
    differing = [
        f"recorded:  {new}\ncommitted: {old}"
        for new, old in zip(recorded.splitlines(), committed.splitlines(), strict=False)
        if new != old
    ]
    assert recorded == committed, "\n".join(["record.py writes other recordings:", *differing[:3]])


def test_no_recording_is_left_over() -> None:
    assert {path.stem for path in RECORDINGS.glob("*.json")} == set(suites())


def test_names_of_cases_are_unique() -> None:
    for name, cases in suites().items():
        names = [case["name"] for case in cases()]
        assert sorted(names) == sorted(set(names)), name


class Calls:
    """Which arguments each method and class is called with, over all cases."""

    def __init__(self) -> None:
        self.of: dict[str, list[set[str]]] = defaultdict(list)
        for cases in suites().values():
            for case in cases():
                self.of_case(case)

    def of_case(self, case: Json) -> None:
        current = ""
        for step in case["steps"]:
            name = step["call"]
            if name in (".latest_baselining_job", ".latest_execution"):
                clarify_job = current in ("ModelBiasMonitor", "ModelExplainabilityMonitor")
                kind = {".latest_baselining_job": "BaseliningJob", ".latest_execution": "MonitoringExecution"}[name]
                current = f"Clarify{kind}" if clarify_job else kind
            elif name.startswith("."):
                self.of[f"{current}{name}"].append(set(step.get("arguments", {})))
            else:
                if not name.startswith("session."):
                    current = name.split(".")[0]
                self.of[name].append(set(step.get("arguments", {})))
            self.of_value(step.get("arguments", {}))

    def of_value(self, value: Json) -> None:
        if isinstance(value, list):
            for element in value:
                self.of_value(element)
        if isinstance(value, dict):
            for name, content in value.items():
                if name.startswith("$") and isinstance(content, dict):
                    self.of[name[1:]].append(set(content))
                self.of_value(content)

    def missing(self, name: str, parameters: list[str]) -> list[str]:
        """What no case calls, no case sets, or no case leaves out though it may."""
        calls = self.of[name]
        if not calls:
            return [f"{name} is not recorded"]
        unset = [
            f"{name}: {parameter} is never set" for parameter in parameters if all(parameter not in it for it in calls)
        ]
        always = [
            f"{name}: {parameter} is never left out"
            for parameter in optional_of(values.named(name))
            if all(parameter in it for it in calls) and (name, parameter) not in ALWAYS_SET
        ]
        return unset + always


# Optional in Python's signature alone: without them the call is an error that is no request.
ALWAYS_SET = {
    *((name, "role") for name in MONITORS),
    ("ModelMonitor", "image_uri"),
    *(
        (name, parameter)
        for name in ("SageMakerClarifyProcessor",)
        for parameter in ("role", "instance_count", "instance_type")
    ),
    ("ModelMonitor.create_monitoring_schedule", "output"),
    ("ModelQualityMonitor.create_monitoring_schedule", "ground_truth_input"),
    ("ModelQualityMonitor.create_monitoring_schedule", "problem_type"),
    ("ModelBiasMonitor.create_monitoring_schedule", "ground_truth_input"),
    ("S3Input", "s3_uri"),
    ("S3Input", "local_path"),
    ("ProcessingOutput", "source"),
    ("ProcessingOutput", "destination"),
    ("TimeSeriesDataConfig", "dataset_format"),
    ("TimeSeriesJSONDatasetFormat", "value"),
}
# Methods without requests, and those that Python answers with an error that says so.
NO_REQUESTS = {"monitoring_type"}
NOT_SUPPORTED = {
    "DefaultModelMonitor.run_baseline",
    "ModelQualityMonitor.run_baseline",
    "ModelBiasMonitor.run_baseline",
    "ModelExplainabilityMonitor.run_baseline",
    "ModelBiasMonitor.latest_monitoring_statistics",
    "ModelExplainabilityMonitor.latest_monitoring_statistics",
    "ModelBiasMonitor.baseline_statistics",
    "ModelExplainabilityMonitor.baseline_statistics",
}
# Shared by all monitors: its parameters are recorded once.
SHARED = {"list_monitoring_alerts", "list_monitoring_alert_history"}
VALUES = (
    "EndpointInput",
    "BatchTransformInput",
    "MonitoringOutput",
    "ProcessingInput",
    "ProcessingOutput",
    "S3Input",
    "FeatureStoreOutput",
    "NetworkConfig",
    "DataCaptureConfig",
    "BatchDataCaptureConfig",
    "DataConfig",
    "BiasConfig",
    "ModelConfig",
    "ModelPredictedLabelConfig",
    "SHAPConfig",
    "PDPConfig",
    "TextConfig",
    "ImageConfig",
    "SegmentationConfig",
    "TimeSeriesDataConfig",
    "TimeSeriesModelConfig",
    "AsymmetricShapleyValueConfig",
    "BiasAnalysisConfig",
    "ExplainabilityAnalysisConfig",
    "DatasetFormat.csv",
    "DatasetFormat.json",
    "DatasetFormat.sagemaker_capture_json",
    "MonitoringDatasetFormat.csv",
    "MonitoringDatasetFormat.json",
    "MonitoringDatasetFormat.parquet",
    "CronExpressionGenerator.hourly",
    "CronExpressionGenerator.daily",
    "CronExpressionGenerator.daily_every_x_hours",
    "CronExpressionGenerator.now",
    "DataQualityMonitoringConfig",
    "DataQualityDistributionConstraints",
    *MONITORS,
    "SageMakerClarifyProcessor",
)
# What Rust's own types have no need of.
NOT_IN_RUST = {
    # Python's `run_baseline` fails on it.
    "ProcessingInput": {"dataset_definition"},
    # Python ignores it.
    "ModelBiasMonitor.suggested_constraints": {"file_name"},
    "ModelExplainabilityMonitor.suggested_constraints": {"file_name"},
    "Predictor": {"serializer", "deserializer", "component_name"},
}


def optional_of(function: object) -> list[str]:
    return [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not inspect.Parameter.empty and name not in NOT_RECORDED
    ]


def wanted(name: str) -> list[str]:
    left_out = NOT_RECORDED | NOT_IN_RUST.get(name, set())
    return [parameter for parameter in values.parameters(values.named(name)) if parameter not in left_out]


def public_methods(name: str) -> list[str]:
    members = inspect.getmembers(values.named(name), callable)
    return [member for member, _ in members if not member.startswith("_") and member not in NO_REQUESTS]


def test_every_parameter_is_recorded_set_and_unset() -> None:
    calls = Calls()
    missing = [complaint for name in VALUES for complaint in calls.missing(name, wanted(name))]
    for monitor in MONITORS:
        for method in public_methods(monitor):
            name = f"{monitor}.{method}"
            if name in NOT_SUPPORTED:
                continue
            shared = method in SHARED and monitor != "DefaultModelMonitor"
            missing += calls.missing(name, []) if shared else calls.missing(name, wanted(name))
    for name in ("SageMakerClarifyProcessor", "ProcessingJob", "BaseliningJob", "MonitoringExecution", "Predictor"):
        methods = public_methods(name) if name == "SageMakerClarifyProcessor" else OTHER_METHODS[name]
        for method in methods:
            if method != "run":
                missing += calls.missing(f"{name}.{method}", wanted(f"{name}.{method}"))
    for name in FILES:
        for method in ("from_s3_uri", "from_string", "from_file_path", "save"):
            missing += calls.missing(f"{name}.{method}", wanted(f"{name}.{method}"))
    missing += calls.missing("Constraints.set_monitoring", wanted("Constraints.set_monitoring"))
    assert not missing, "\n".join(missing)


FILES = ("Statistics", "Constraints", "ConstraintViolations")
OTHER_METHODS = {
    "ProcessingJob": ("from_processing_name", "from_processing_arn", "wait", "describe", "stop"),
    "BaseliningJob": ("baseline_statistics", "suggested_constraints"),
    "MonitoringExecution": ("from_processing_arn", "statistics", "constraint_violations"),
    "Predictor": (
        "predict",
        "update_data_capture_config",
        "enable_data_capture",
        "disable_data_capture",
        "list_monitors",
        "delete_endpoint",
        "delete_model",
    ),
}


def test_every_public_class_is_recorded() -> None:
    calls = Calls()
    holders = {
        # Bases, and what answers carry.
        "MonitoringInput",
        "ClarifyBaseliningConfig",
        "ModelMonitoringFile",
        "ClarifyModelMonitor",
        *(name for name in dir(model_monitor) if "Alert" in name or "Dashboard" in name),
        *(name for name in dir(clarify) if name.startswith("_")),
    }
    recorded = {name.split(".")[0] for name in calls.of}
    classes = {name for name, it in inspect.getmembers(model_monitor, inspect.isclass)}
    assert classes - recorded - holders == set()


def test_recordings_are_json() -> None:
    for path in sorted(Path(RECORDINGS).glob("*.json")):
        recording = json.loads(path.read_text())
        numbers = {
            exchange["answer"]
            for case in recording["cases"]
            for step in case["steps"]
            for exchange in step["exchanges"]
        }
        assert numbers == set(range(len(recording["answers"]))), path.name
