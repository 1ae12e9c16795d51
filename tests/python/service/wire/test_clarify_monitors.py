"""Bias and attribution schedules: recorded windows from captures and labels in S3 to violations, metrics and alerts."""

import datetime
import http.server
import json
import re
import threading
from typing import Any, ClassVar

import pytest

import adult
from clarify_jobs import Analyzed, ClarifyMonitored, live_captures, live_labels, model_container
from endpoints import capture_config, create_model, deploy, last_hours
from quality import HOUR, TICK, label_lines
from resources import REGISTRY, ended_execution, inputs_of, schedule, transform_job, wait_until
from service import Service

HOUR_FOLDER = "2021/05/26/00"
CONFIG = adult.LIVE_CASE["analysis_config"]
ATTRIBUTES = {"FeaturesAttribute": "features", "InferenceAttribute": "predicted_label"}
SHAP = {
    "methods": {"shap": adult.SHAP_CONFIG["methods"]["shap"] | {"num_samples": 60}},
    "headers": adult.FEATURES,
}


def live_window(clients: Any, service: Service, baseline: str | None) -> ClarifyMonitored:
    example = ClarifyMonitored(clients, service, "ModelBias")
    example.capture(HOUR, live_captures())
    example.label(HOUR, live_labels())
    example.watch(CONFIG, baseline, **ATTRIBUTES)
    return example


def test_the_recorded_window_of_bias_comes_out(clients: Any, service: Service) -> None:
    example = live_window(clients, service, json.dumps(adult.EXPECTED))
    name, uri = example.name, example.uri
    summary = example.run_tick(TICK)
    assert summary["MonitoringExecutionStatus"] == "CompletedWithViolations", summary
    assert summary["ScheduledTime"] == TICK and summary["MonitoringType"] == "ModelBias"
    assert len(example.executions()) == 1, "two jobs are one execution"
    analysis, merge = example.execution_job(summary), example.merge_job(summary)

    assert re.fullmatch(r"groundtruth-merge-202105260100-[0-9a-f]{24}", merge["ProcessingJobName"])
    assert merge["AppSpecification"]["ImageUri"] == f"{REGISTRY}/sagemaker-model-monitor-groundtruth-merger"
    assert re.fullmatch(r"model-bias-monitoring-202105260100-[0-9a-f]{24}", analysis["ProcessingJobName"])
    assert analysis["ExitMessage"] == "CompletedWithViolations: Job completed successfully with 9 violations."
    assert inputs_of(analysis) == {
        "constraints": (f"{uri}/baseline/analysis.json", "/opt/ml/processing/baseline/constraints"),
        "endpoint_input_1": (
            f"{uri}/results/merge/{name}/AllTraffic/{HOUR_FOLDER}",
            f"/opt/ml/processing/input_data/{name}/AllTraffic/{HOUR_FOLDER}",
        ),
        "analysis_config": (f"{uri}/config/analysis_config.json", "/opt/ml/processing/input/config"),
    }
    assert example.output(analysis) == f"{uri}/results/{name}/{name}/2021/05/26/01"
    variables = dict(analysis["Environment"])
    assert json.loads(variables.pop("dataset_format")) == {
        "sagemakerMergeJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}
    }
    variables.pop("sagemaker_endpoint_datacapture_prefix", None)
    assert variables == {
        "analysis_type": "MODEL_BIAS",
        "dataset_source": "/opt/ml/processing/input_data",
        "features_attribute": "features",
        "inference_attribute": "predicted_label",
        "baseline_constraints": "/opt/ml/processing/baseline/constraints/analysis.json",
        "output_path": "/opt/ml/processing/output",
        "start_time": "2021-05-26T00:00:00Z",
        "end_time": "2021-05-26T01:00:00Z",
        "metric_time": "2021-05-26T00:00:00Z",
        "publish_cloudwatch_metrics": "Enabled",
        "sagemaker_endpoint_name": name,
        "sagemaker_monitoring_schedule_name": name,
        "monitoring_input_type": "ENDPOINT_INPUT",
    }

    assert example.results(summary) == ["analysis.json", "constraint_violations.json", "report.html", "report.ipynb"]
    live = example.document(summary, "analysis.json")
    adult.assert_same(live, adult.LIVE_METRICS, flip_test=0.02)
    violations = example.document(summary, "constraint_violations.json")
    assert violations["version"] == "1.0"
    adult.assert_violations(violations["violations"])
    bias_metrics(clients, example, live)
    (alert,) = example.sagemaker.list_monitoring_alerts(MonitoringScheduleName=name)["MonitoringAlertSummaries"]
    assert alert["AlertStatus"] == "InAlert"


def bias_metrics(clients: Any, example: ClarifyMonitored, live: dict[str, Any]) -> None:
    cloudwatch, namespace = clients("cloudwatch"), "aws/sagemaker/Endpoints/bias-metrics"
    names = [{"Name": "Endpoint", "Value": example.name}, {"Name": "MonitoringSchedule", "Value": example.name}]
    pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace=namespace, Dimensions=names)
    found = [metric for page in pages for metric in page["Metrics"]]
    expected = {key: value for key, value in adult.metrics(live).items() if value is not None}
    assert len(found) == len(expected) == 21
    others = {"Label": "Target", "LabelValue": "1", "Facet": "Sex", "FacetValue": "0"}
    for (stage, metric), value in expected.items():
        dimensions = names + [{"Name": key, "Value": text} for key, text in (others | {"BiasStage": stage}).items()]
        (point,) = cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=f"bias_metric_{metric}",
            Dimensions=dimensions,
            Statistics=["Average"],
            StartTime=HOUR,
            EndTime=TICK,
            Period=3600,
        )["Datapoints"]
        assert point["Timestamp"] == HOUR and point["Unit"] == "None"
        # What AWS publishes for Infinity.
        value = 2.348543e108 if value == "Infinity" else value
        assert point["Average"] == pytest.approx(value, rel=1e-12), metric


def test_a_window_like_its_baseline_has_no_violations(clients: Any, service: Service) -> None:
    example = live_window(clients, service, None)
    first = example.run_tick(TICK)
    assert first["MonitoringExecutionStatus"] == "Completed", first
    assert example.execution_job(first)["ExitMessage"] == "Completed: Job completed successfully with no violations."
    assert example.results(first) == ["analysis.json", "report.html", "report.ipynb"]
    example.put("baseline/analysis.json", json.dumps(example.document(first, "analysis.json")))
    request = example.clarify_request(CONFIG, example.text("baseline/analysis.json"), **ATTRIBUTES)
    request["JobDefinitionName"] = f"{example.name}-2"
    example.define(request)
    example.sagemaker.update_monitoring_schedule(**schedule(example.name, example.kind, request["JobDefinitionName"]))
    example.run_hour(HOUR)
    second = example.executions()[0]
    assert second["MonitoringExecutionStatus"] == "Completed", second
    assert "constraint_violations.json" not in example.results(second)


def test_a_wrong_configuration_fails_the_execution(clients: Any, service: Service) -> None:
    example = live_window(clients, service, None)
    example.put("config/analysis_config.json", json.dumps(CONFIG | {"facet": [{"name_or_index": "Height"}]}))
    summary = example.run_tick(TICK)
    assert summary["MonitoringExecutionStatus"] == "Failed", summary
    assert summary["FailureReason"].startswith("ClientError: Unable to locate the facet."), summary
    assert "Height" in summary["FailureReason"]


def live_attributions(
    clients: Any, service: Service, config: dict[str, Any], baseline: str | None, **attributes: Any
) -> ClarifyMonitored:
    example = ClarifyMonitored(clients, service, "ModelExplainability")
    example.capture(HOUR, live_captures(len(adult.ROWS)))
    example.watch(config, baseline, **({"FeaturesAttribute": "features"} | attributes))
    return example


def predictor_of(model: str) -> dict[str, Any]:
    return {name: value for name, value in adult.SHAP_CONFIG["predictor"].items() if name != "label"} | {
        "model_name": model
    }


def test_attributions_of_captures(clients: Any, service: Service) -> None:
    model = Analyzed(clients)
    baseline = {
        "version": "1.0",
        "explanations": {
            "kernel_shap": {
                "label0": {
                    "global_shap_values": adult.EXACT["global_shap_values"],
                    "expected_value": adult.EXACT["expected_value"],
                }
            }
        },
    }
    config = SHAP | {"predictor": predictor_of(model.name)}
    example = live_attributions(clients, service, config, json.dumps(baseline), InferenceAttribute="score")
    name, uri = example.name, example.uri
    summary = example.run_tick(TICK)
    assert summary["MonitoringExecutionStatus"] == "Completed", summary
    job = example.execution_job(summary)
    # As many digits as there is room for.
    assert re.fullmatch(r"model-explainability-monitoring-202105260100-[0-9a-f]{18}", job["ProcessingJobName"])
    assert job["ExitMessage"] == "Completed: Job completed successfully with no violations."
    assert inputs_of(job) == {
        "constraints": (f"{uri}/baseline/analysis.json", "/opt/ml/processing/baseline/constraints"),
        "endpoint_input_1": (
            f"{uri}/capture/{name}/AllTraffic/{HOUR_FOLDER}",
            f"/opt/ml/processing/input_data/{name}/AllTraffic/{HOUR_FOLDER}",
        ),
        "analysis_config": (f"{uri}/config/analysis_config.json", "/opt/ml/processing/input/config"),
    }
    assert json.loads(job["Environment"]["dataset_format"]) == {
        "sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}
    }
    assert job["Environment"]["analysis_type"] == "MODEL_EXPLAINABILITY"
    assert {"analysis.json", "report.html", "report.ipynb", "explanations_shap/baseline.csv"} <= set(
        example.results(summary)
    )
    assert "constraint_violations.json" not in example.results(summary)
    model.assert_no_endpoint()
    live = adult.attributions(example.document(summary, "analysis.json"))
    assert adult.ndcg(adult.EXACT["global_shap_values"], live) > 0.95
    attribution_metrics(clients, example, live)

    # A baseline that ranks the other way round.
    order = sorted(live, key=lambda feature: -live[feature])
    reversed_values = dict(zip(order, sorted(live.values()), strict=True))
    baseline["explanations"]["kernel_shap"]["label0"]["global_shap_values"] = reversed_values
    example.put("baseline/analysis.json", json.dumps(baseline))
    example.run_hour(HOUR, succeeds=False)
    drifted = example.executions()[0]
    assert drifted["MonitoringExecutionStatus"] == "CompletedWithViolations", drifted
    (violation,) = example.document(drifted, "constraint_violations.json")["violations"]
    score = (
        violation.pop("description").removeprefix("Feature attribution drift ").removesuffix(" exceeds threshold 0.9")
    )
    assert violation == {
        "label": "label0",
        "metric_name": "shap",
        "constraint_check_type": "feature_attribution_drift_check",
    }
    live = adult.attributions(example.document(drifted, "analysis.json"))
    assert float(score) == pytest.approx(adult.ndcg(reversed_values, live), abs=1e-12)


def attribution_metrics(clients: Any, example: ClarifyMonitored, live: dict[str, float]) -> None:
    cloudwatch, namespace = clients("cloudwatch"), "aws/sagemaker/Endpoints/explainability-metrics"
    names = [{"Name": "Endpoint", "Value": example.name}, {"Name": "MonitoringSchedule", "Value": example.name}]
    found = cloudwatch.list_metrics(Namespace=namespace, Dimensions=names)["Metrics"]
    assert {metric["MetricName"] for metric in found} == {f"feature_{name}" for name in live} | {"ExpectedValue"}
    others = {"ExplainabilityMethod": "KernelShap", "Label": "label0", "ValueType": "GlobalShapValues"}
    for name, value in live.items():
        (point,) = cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=f"feature_{name}",
            Dimensions=names + [{"Name": key, "Value": text} for key, text in others.items()],
            Statistics=["Average"],
            StartTime=HOUR,
            EndTime=TICK,
            Period=3600,
        )["Datapoints"]
        assert point["Average"] == pytest.approx(value, rel=1e-12), name


def test_the_monitored_endpoint_explains_itself(clients: Any, service: Service) -> None:
    """A predictor without a model: the endpoint's own, which captures nothing of the analysis."""
    example = ClarifyMonitored(clients, service, "ModelExplainability")
    endpoint = f"{example.name}-live"
    deploy(example.sagemaker, endpoint, model_container(example), capture_config(f"{example.uri}/live"))
    example.put(f"live/{endpoint}/AllTraffic/{HOUR_FOLDER}/00-00-000-a.jsonl", live_captures(50))
    predictor = {"content_template": adult.TEMPLATE}
    request = example.clarify_request(
        SHAP | {"predictor": predictor}, FeaturesAttribute="features", InferenceAttribute="score"
    )
    request["ModelExplainabilityJobInput"]["EndpointInput"]["EndpointName"] = endpoint
    example.define(request)
    example.make_schedule()
    summary = example.run_tick(TICK)
    assert summary["MonitoringExecutionStatus"] == "Completed", summary
    assert list(adult.attributions(example.document(summary, "analysis.json"))) == adult.FEATURES
    example.sagemaker.delete_endpoint(EndpointName=endpoint)
    assert [key for key in example.keys(f"live/{endpoint}/") if HOUR_FOLDER not in key] == []


def test_a_shadow_endpoint_that_fails_fails_the_execution(clients: Any, service: Service) -> None:
    model = Analyzed(clients, START_FAILURE="no such kernel")
    example = live_attributions(clients, service, SHAP | {"predictor": predictor_of(model.name)}, None)
    summary = example.run_tick(TICK)
    assert summary["MonitoringExecutionStatus"] == "Failed", summary
    assert summary["FailureReason"].startswith("ClientError: ") and "no such kernel" in summary["FailureReason"]
    model.assert_no_endpoint()


class Predictor(http.server.BaseHTTPRequestHandler):
    """A model that is served elsewhere."""

    requests: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        lines = self.rfile.read(int(self.headers["Content-Length"])).decode().splitlines()
        self.requests.append(f"{self.headers['Content-Type']} {self.headers['Accept']}")
        answers = ({"score": adult.score(json.loads(line)["features"])} for line in lines)
        body = "".join(json.dumps(answer) + "\n" for answer in answers).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_a_model_that_is_served_elsewhere(clients: Any, service: Service) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Predictor)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        example = ClarifyMonitored(clients, service, "ModelExplainability")
        example.capture(HOUR, live_captures(40))
        config = SHAP | {"predictor": {"content_template": adult.TEMPLATE}}
        request = example.clarify_request(config, FeaturesAttribute="features", InferenceAttribute="score")
        url = {"watchkeeper_predictor_url": f"http://127.0.0.1:{server.server_port}/score"}
        request["ModelExplainabilityAppSpecification"]["Environment"] = url
        example.define(request)
        example.make_schedule()
        summary = example.run_tick(TICK)
        assert summary["MonitoringExecutionStatus"] == "Completed", summary
        assert list(adult.attributions(example.document(summary, "analysis.json"))) == adult.FEATURES
        # The content types are those of what was captured.
        assert set(Predictor.requests) == {"application/jsonlines application/jsonlines"}
    finally:
        server.shutdown()


def test_batches(clients: Any, service: Service) -> None:
    """A transform job that joins input and answer: bias of what it predicted, attributions of what it was asked."""
    example = ClarifyMonitored(clients, service, "ModelBias")
    sagemaker, name = example.sagemaker, example.name
    create_model(sagemaker, f"{name}-model", model_container(example))
    example.put("batch/input/rows.csv", adult.csv(row["features"] for row in adult.ROWS))
    sagemaker.create_transform_job(
        **transform_job(f"{name}-batch", f"{name}-model", f"{example.uri}/batch/input/", f"{example.uri}/batch/output")
        | {
            "DataProcessing": {"JoinSource": "Input", "OutputFilter": "$[0:15]"},
            "DataCaptureConfig": {"DestinationS3Uri": f"{example.uri}/batch/capture", "GenerateInferenceId": True},
        }
    )

    def transformed() -> bool:
        status = sagemaker.describe_transform_job(TransformJobName=f"{name}-batch")["TransformJobStatus"]
        assert status in ("InProgress", "Completed"), status
        return status == "Completed"

    wait_until(transformed, "the end of the transform job")
    (output,) = example.keys("batch/output")
    rows = [line.split(",") for line in example.text(output).splitlines()]
    assert len(rows) == len(adult.ROWS) and len(rows[0]) == 14 + 1 + 2
    now = datetime.datetime.now(datetime.UTC)
    labels = ((cells[15], str(row["ground_truth"])) for row, cells in zip(adult.ROWS, rows, strict=True))
    example.label(now, label_lines(labels))
    source = {
        "BatchTransformInput": {
            "DataCapturedDestinationS3Uri": f"{example.uri}/batch/capture",
            "DatasetFormat": {"Csv": {"Header": False}},
            "LocalPath": "/opt/ml/processing/input_data",
            "InferenceAttribute": "14",
        }
    }
    request = example.clarify_request(
        {key: value for key, value in CONFIG.items() if key != "label"} | {"label": "Target"}
    )
    request["ModelBiasJobInput"] = source | {"GroundTruthS3Input": {"S3Uri": f"{example.uri}/truth"}}
    example.define(request)
    bias = run_now(sagemaker, name, "ModelBias")
    assert bias["MonitoringExecutionStatus"] == "Completed", bias
    analysis = example.document(bias, "analysis.json")
    # The window of the captures: each row once.
    found = adult.metrics(analysis)
    assert found["Post-Training", "DPPL"] == pytest.approx(difference_in_predictions(), abs=1e-12)
    metrics = clients("cloudwatch").list_metrics(
        Namespace="aws/sagemaker/ModelMonitoring/bias-metrics",
        Dimensions=[{"Name": "MonitoringSchedule", "Value": name}],
    )["Metrics"]
    assert metrics and all("Endpoint" not in [one["Name"] for one in metric["Dimensions"]] for metric in metrics)

    explained = ClarifyMonitored(clients, service, "ModelExplainability")
    config = SHAP | {
        "methods": {"shap": {"baseline": [[39, 2, 184870, 10, 10, 3, 6, 1, 4, 1, 1597, 61, 41, 37]], "num_samples": 40}},
        "predictor": {
            "model_name": f"{name}-model", "instance_type": "ml.m5.large", "initial_instance_count": 1,
            "content_type": "text/csv", "accept_type": "text/csv",
        },
    }  # fmt: skip
    request = explained.clarify_request(config)
    del source["BatchTransformInput"]["InferenceAttribute"]
    request["ModelExplainabilityJobInput"] = source
    request["ModelExplainabilityJobInput"]["BatchTransformInput"]["ProbabilityAttribute"] = "1"
    explained.define(request)
    summary = run_now(sagemaker, explained.name, "ModelExplainability")
    assert summary["MonitoringExecutionStatus"] == "Completed", summary
    assert list(adult.attributions(explained.document(summary, "analysis.json"))) == adult.FEATURES


def run_now(sagemaker: Any, name: str, kind: str) -> dict[str, Any]:
    sagemaker.create_monitoring_schedule(**schedule(name, kind, name, "NOW", **last_hours()))
    return ended_execution(sagemaker, name)


def difference_in_predictions() -> float:
    return adult.difference_in_positives((row["features"], row["predicted_label"]) for row in adult.ROWS)


def test_endpoints_of_csv(clients: Any, service: Service) -> None:
    """CSV features and a probability, by an endpoint that captures as the SDK sets it up."""
    example = ClarifyMonitored(clients, service, "ModelBias")
    endpoint = f"{example.name}-csv"
    deploy(example.sagemaker, endpoint, model_container(example), capture_config(f"{example.uri}/live"))
    runtime = clients("sagemaker-runtime")
    for row in adult.ROWS:
        runtime.invoke_endpoint(
            EndpointName=endpoint,
            Body=",".join(map(str, row["features"])).encode(),
            ContentType="text/csv",
            InferenceId=str(row["row"]),
        )
    now = datetime.datetime.now(datetime.UTC)
    example.label(now, label_lines((str(row["row"]), str(row["ground_truth"])) for row in adult.ROWS))
    request = example.clarify_request(CONFIG | {"label": "Target"}, InferenceAttribute="0", EndpointName=endpoint)
    example.define(request)
    summary = run_now(example.sagemaker, example.name, "ModelBias")
    assert summary["MonitoringExecutionStatus"] == "Completed", summary
    found = adult.metrics(example.document(summary, "analysis.json"))
    assert found["Post-Training", "DPPL"] == pytest.approx(difference_in_predictions(), abs=1e-12)


def test_labels_of_bias_that_come_late(clients: Any, service: Service) -> None:
    """The window is analysed again with all labels, and only then it is what was recorded."""
    example = ClarifyMonitored(clients, service, "ModelBias")
    example.capture(HOUR, live_captures())
    lines = live_labels().splitlines(keepends=True)
    some, rest = lines[::2], lines[1::2]
    example.label(HOUR, "".join(some))
    example.watch(CONFIG, json.dumps(adult.EXPECTED), **ATTRIBUTES)
    first = example.run_tick(TICK)
    merged = len(example.merged())
    assert 0 < merged < adult.CAPTURES, first
    late = service.folder / f"{example.name}.jsonl"
    late.write_text("".join(rest))
    service.run("labels", example.name, late)
    printed = service.run("remerge", example.name, succeeds=False)
    assert printed.returncode in (0, 1), printed.stdout + printed.stderr
    assert re.search(rf"matched: {merged} → {adult.CAPTURES:,} of ", printed.stdout), printed.stdout
    again = example.executions()[0]
    assert again["MonitoringExecutionStatus"] == "CompletedWithViolations", again
    adult.assert_same(example.document(again, "analysis.json"), adult.LIVE_METRICS, flip_test=0.02)
    adult.assert_violations(example.document(again, "constraint_violations.json")["violations"])
