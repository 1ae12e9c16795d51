"""Clarify processing jobs: bias and attributions by a model that the job hosts itself, drift checks, and everything that goes wrong."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

import adult
from clarify_jobs import Analyzed, model_container
from endpoints import capture_config, captured, deploy, in_service
from resources import ended_job, wait_until
from service import Service
from wire_clients import Clients

CONFIG, SHAP = adult.CONFIG, adult.SHAP_CONFIG


def job_log(clients: Any, job: str) -> str:
    logs = clients("logs")
    group = "/aws/sagemaker/ProcessingJobs"
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, logStreamNamePrefix=f"{job}/")
    return "\n".join(event["message"] for page in pages for event in page["events"])


def test_the_recorded_baseline_of_bias_comes_out(clients: Any) -> None:
    example = Analyzed(clients)
    job = example.completed(example.config(CONFIG))
    assert job["ExitMessage"] == adult.COMPLETED and "FailureReason" not in job
    results = f"{job['ProcessingJobName']}/results"
    assert example.keys(results) == [f"{results}/{name}" for name in ("analysis.json", "report.html", "report.ipynb")]
    analysis = example.document(f"{results}/analysis.json")
    adult.assert_same(analysis, adult.EXPECTED, tolerance=1e-12, flip_test=0.02)
    log = job_log(clients, job["ProcessingJobName"])
    assert job["ProcessingJobArn"] in log and "sm-clarify-" in log


def test_the_recorded_attributions_come_out(clients: Any) -> None:
    example = Analyzed(clients)
    config = example.config(SHAP | {"methods": SHAP["methods"] | {"shap": shap(save_local_shap_values=True)}})
    job = example.completed(config)
    results = f"{job['ProcessingJobName']}/results"
    analysis = example.document(f"{results}/analysis.json")
    found = analysis["explanations"]["kernel_shap"]["label0"]
    adult.assert_same(found["global_shap_values"], adult.EXACT["global_shap_values"], tolerance=0.002)
    assert found["expected_value"] == pytest.approx(adult.EXACT["expected_value"], abs=1e-6)
    names = [key.removeprefix(f"{results}/") for key in example.keys(results)]
    local = ["explanations_shap/baseline.csv", "explanations_shap/out.csv"]
    assert names == ["analysis.json", *local, "report.html", "report.ipynb"]
    header, *rows = example.text(f"{results}/explanations_shap/out.csv").splitlines()
    assert header == ",".join(f"{name}_label0" for name in adult.FEATURES)
    for row, record in zip(rows, adult.RECORDS, strict=True):
        difference = adult.score(record["features"]) - found["expected_value"]
        assert sum(map(float, row.split(","))) == pytest.approx(difference, abs=1e-9)


def shap(**changed: Any) -> dict[str, Any]:
    return SHAP["methods"]["shap"] | changed


def test_a_job_with_a_baseline_checks_for_drift(clients: Any) -> None:
    """As the ClarifyCheck step of a pipeline does."""
    example = Analyzed(clients)
    baseline = example.completed(example.config(CONFIG))
    analysis = example.document(f"{baseline['ProcessingJobName']}/results/analysis.json")
    equal = example.completed(example.config(CONFIG), baseline=json.dumps(analysis))
    assert "constraint_violations.json" not in "".join(example.keys(equal["ProcessingJobName"]))
    smaller = json.loads(json.dumps(analysis))
    metrics = smaller["pre_training_bias_metrics"]["facets"]["Sex"][0]["metrics"]
    (metric,) = [metric for metric in metrics if metric["name"] == "CI"]
    metric["value"] /= 2
    job = example.completed(example.config(CONFIG), baseline=json.dumps(smaller))
    violations = example.document(f"{job['ProcessingJobName']}/results/constraint_violations.json")["violations"]
    assert [violation["metric_name"] for violation in violations] == ["CI"]
    assert violations[0]["description"].endswith(f"doesn't meet the baseline constraint requirement {metric['value']}")


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"methodz": {}}, "ClientError: Analysis configuration schema validation error."),
        ({"label": "nobody"}, "ClientError: Headers must contain label."),
        (
            {"facet": [{"name_or_index": "Height", "value_or_threshold": [1]}]},
            "ClientError: Unable to locate the facet.",
        ),
        ({"features": "nothing"}, "ClientError: Data must contain features."),
        (
            {"headers": CONFIG["headers"][1:]},
            "ClientError: Headers in config do not match with the number of columns in the dataset.",
        ),
        (
            {"time_series_data_config": {"target_time_series": 0}},
            "ClientError: time series explainability is not supported",
        ),
        (
            {"predictor": CONFIG["predictor"] | {"content_template": "{}"}},
            "ClientError: predictor: content_template has no placeholder",
        ),
        (
            {"predictor": CONFIG["predictor"] | {"model_name": "nobody-made-this"}},
            "ClientError: an endpoint configuration of model nobody-made-this could not be created: ",
        ),
    ],
)
def test_wrong_configurations_are_the_users_fault(clients: Any, changed: dict[str, Any], text: str) -> None:
    example = Analyzed(clients)
    reason = example.failed(example.config(CONFIG) | changed)
    assert reason.startswith(text), reason


def test_a_configuration_that_is_no_json(clients: Any) -> None:
    example = Analyzed(clients)
    request = example.request(CONFIG)
    job = request["ProcessingJobName"]
    example.put(f"{job}/config/analysis_config.json", '{"methods": ')
    example.sagemaker.create_processing_job(**request)
    ended = ended_job(example.sagemaker, job)
    assert ended["FailureReason"].startswith("ClientError: Unable to load analysis configuration as JSON."), ended
    assert ended["FailureReason"].partition(":")[2].strip() in job_log(clients, job)


def test_a_model_that_does_not_start(clients: Any) -> None:
    example = Analyzed(clients, START_FAILURE="the artefact is broken")
    reason = example.failed(example.config(CONFIG))
    assert reason.startswith("ClientError: ") and "the artefact is broken" in reason, reason


@pytest.mark.parametrize(
    ("misbehaves", "config", "text"),
    [
        ("status 500 out of memory", CONFIG, r"status 500: out of memory; the request was `\{"),
        ("status 503 busy", CONFIG, r"the model does not answer: status 503: busy"),
        ("text", SHAP, r"the score is the text `about 0\.\d`"),
    ],
)
def test_models_that_misbehave(clients: Any, misbehaves: str, config: dict[str, Any], text: str) -> None:
    example = Analyzed(clients, MISBEHAVES=misbehaves)
    reason = example.failed(example.config(config))
    assert reason.startswith("ClientError: ") and re.search(text, reason), reason


def test_a_model_that_leaves_out_a_record(clients: Any) -> None:
    example = Analyzed(clients, MISBEHAVES="short")
    reason = example.failed(example.config(CONFIG))
    found = re.search(r"(\d+) records were asked for and (\d+) lines came back", reason)
    assert found and int(found[1]) == int(found[2]) + 1, reason


def test_a_model_that_fails_at_first_is_asked_again(clients: Any) -> None:
    example = Analyzed(clients, MISBEHAVES="first 2 not warm yet")
    job = example.completed(example.config(CONFIG))
    analysis = example.document(f"{job['ProcessingJobName']}/results/analysis.json")
    adult.assert_same(analysis, adult.EXPECTED, tolerance=1e-12, flip_test=0.02)


def test_a_model_that_fails_on_some_records(clients: Any) -> None:
    """All records are tried, and those that it fails on are told."""
    records = adult.RECORDS
    failing = [number for number, record in enumerate(records) if record["features"][0] == 61]
    assert 1 < len(failing) < 20
    example = Analyzed(clients, MISBEHAVES="record 61 no people of this age")
    job = example.run(example.config(CONFIG))
    assert job["ProcessingJobStatus"] == "Failed" and "no people of this age" in job["FailureReason"], job
    log = job_log(clients, job["ProcessingJobName"])
    assert "Fallback to per-record prediction because of model error." in log
    rows = ", ".join(map(str, failing))
    assert f"failed on {len(failing)} of {len(records)} rows (counted from 0): {rows}." in job["FailureReason"]
    assert [int(row) for row in re.findall("ERROR the model failed on row ([0-9]+):", log)] == failing
    assert example.keys(f"{job['ProcessingJobName']}/results") == []


def test_under_network_isolation_no_model_is_reached(clients: Any) -> None:
    example = Analyzed(clients)
    isolation = {"NetworkConfig": {"EnableNetworkIsolation": True}}
    reason = example.failed(example.config(CONFIG), **isolation)
    assert reason.startswith("ClientError: ") and "isolation" in reason, reason
    # What needs no model runs.
    methods = {"pre_training_bias": {"methods": "all"}}
    alone = {name: value for name, value in CONFIG.items() if name != "predictor"} | {"methods": methods}
    job = example.completed(alone, **isolation)
    analysis = example.document(f"{job['ProcessingJobName']}/results/analysis.json")
    assert list(analysis) == ["version", "pre_training_bias_metrics"]


def test_an_existing_endpoint_captures_nothing_of_the_analysis(clients: Any) -> None:
    example = Analyzed(clients)
    endpoint = f"{example.name[::-1]}-live"
    deploy(example.sagemaker, endpoint, model_container(example), capture_config(f"{example.uri}/captured"))
    hosting = ("model_name", "instance_type", "initial_instance_count")
    predictor = {name: value for name, value in CONFIG["predictor"].items() if name not in hosting}
    job = example.completed(CONFIG | {"predictor": predictor | {"endpoint_name": endpoint}})
    analysis = example.document(f"{job['ProcessingJobName']}/results/analysis.json")
    adult.assert_same(analysis, adult.EXPECTED, tolerance=1e-12, flip_test=0.02)
    clients("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint,
        Body=b'{"features":' + json.dumps(adult.ROWS[0]["features"]).encode() + b"}",
        ContentType="application/jsonlines",
    )
    example.sagemaker.delete_endpoint(EndpointName=endpoint)
    records = captured(example.s3, example.name, f"captured/{endpoint}")
    assert len(records) == 1, "what the job has asked was captured"


def asking(example: Analyzed, job: str) -> None:
    """Waits until a job's endpoint is in service."""
    (endpoint,) = wait_until(example.own_endpoints, f"the endpoint of {job}")
    in_service(example.sagemaker, endpoint)


def test_a_job_that_is_stopped_leaves_no_endpoint(clients: Any) -> None:
    example = Analyzed(clients, MISBEHAVES="slow 30")
    job = example.start(example.config(SHAP))
    asking(example, job)
    example.sagemaker.stop_processing_job(ProcessingJobName=job)
    ended = ended_job(example.sagemaker, job)
    assert ended["ProcessingJobStatus"] == "Stopped", ended
    example.assert_no_endpoint()
    assert example.keys(f"{job}/results") == []


def test_a_job_whose_time_is_over_leaves_no_endpoint(clients: Any) -> None:
    example = Analyzed(clients, MISBEHAVES="slow 30")
    job = example.start(example.config(SHAP), StoppingCondition={"MaxRuntimeInSeconds": 3})
    ended = ended_job(example.sagemaker, job)
    assert ended["ProcessingJobStatus"] == "Stopped" and "MaxRuntimeInSeconds" in ended["FailureReason"], ended
    example.assert_no_endpoint()


@pytest.mark.parametrize("end", [Service.kill, Service.stop])
def test_a_service_that_ends_leaves_no_endpoint(
    tmp_path_factory: pytest.TempPathFactory, end: Callable[[Service], None]
) -> None:
    """The job is run again, by which the endpoint of the first attempt goes; the results are those of one job."""
    service = Service(tmp_path_factory.mktemp("ends")).start()
    try:
        example = Analyzed(Clients(service), MISBEHAVES="slow 1")
        job = example.start(example.config(CONFIG))
        asking(example, job)
        before = example.own_shadows()
        end(service)
        service.start()
        example.connect(Clients(service))
        ended = ended_job(example.sagemaker, job)
        assert ended["ProcessingJobStatus"] == "Completed", ended
        wait_until(lambda: not set(before) & set(example.own_shadows()), "the end of what the first attempt left", 10)
        example.assert_no_endpoint()
        analysis = example.document(f"{job}/results/analysis.json")
        adult.assert_same(analysis, adult.EXPECTED, tolerance=1e-12, flip_test=0.02)
    finally:
        service.stop()


def test_arguments_are_refused(clients: Any) -> None:
    example = Analyzed(clients)
    image = {"ImageUri": adult.CLARIFY, "ContainerArguments": ["--help"]}
    reason = example.failed(example.config(CONFIG), AppSpecification=image)
    assert reason.startswith("ClientError: ") and "ContainerArguments" in reason, reason


def test_separate_files_in_s3(clients: Any) -> None:
    """Predictions in a file of their own, whose address the configuration names."""
    example = Analyzed(clients)
    example.put("predictions/predictions.csv", (adult.BASELINE / "predictions.csv").read_text())
    example.put("data/dataset.jsonl", adult.features_and_labels())
    config = {name: value for name, value in CONFIG.items() if name not in ("predictor", "features")} | {
        "dataset_type": "text/csv",
        "label": "Target",
        "predicted_label_dataset_uri": f"{example.uri}/predictions/predictions.csv",
        "predicted_label": "predicted_label",
    }
    job = example.completed(config)
    analysis = example.document(f"{job['ProcessingJobName']}/results/analysis.json")
    adult.assert_same(analysis, adult.EXPECTED, tolerance=1e-12, flip_test=0.02)
