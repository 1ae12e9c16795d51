"""Model quality schedules: the recorded window from captures and labels in S3 to violations, metrics and alerts."""

import json
import re
from typing import Any

import pytest

import quality
from monitored import Monitored
from quality import HOUR, TICK, capture_line, label_lines
from resources import REGISTRY, inputs_of, new_name
from service import Service


def test_the_recorded_window_comes_out(clients: Any, service: Service) -> None:
    example = Monitored(clients, service)
    sagemaker, name, uri = example.sagemaker, example.name, example.uri
    example.capture(HOUR, quality.window_captures())
    example.label(HOUR, quality.window_labels())
    example.monitor(constraints=quality.CONSTRAINTS)
    summary = example.run_tick(TICK)
    assert summary["MonitoringExecutionStatus"] == "CompletedWithViolations", summary
    assert summary["ScheduledTime"] == TICK and summary["MonitoringType"] == "ModelQuality"
    assert len(example.executions()) == 1, "two jobs are one execution"
    analysis, merge = example.execution_job(summary), example.merge_job(summary)

    # The merge job.
    assert re.fullmatch(r"groundtruth-merge-202105260100-[0-9a-f]{24}", merge["ProcessingJobName"])
    assert merge["ProcessingJobStatus"] == "Completed" and "ExitMessage" not in merge
    assert merge["MonitoringScheduleArn"] == summary_arn(sagemaker, name)
    assert merge["AppSpecification"]["ImageUri"] == f"{REGISTRY}/sagemaker-model-monitor-groundtruth-merger"
    variables = {key: value for key, value in merge["Environment"].items() if not key.startswith("WATCHKEEPER_")}
    assert variables == {
        "dataset_source": "/opt/ml/processing/input_data",
        "ground_truth_source": "/opt/ml/processing/groundtruth",
        "output_path": "/opt/ml/processing/output",
    }
    hour = "2021/05/26/00"
    assert inputs_of(merge) == {
        "groundtruth_input_1": (f"{uri}/truth/{hour}", f"/opt/ml/processing/groundtruth/{hour}"),
        "endpoint_input_1": (
            f"{uri}/capture/{name}/AllTraffic/{hour}",
            f"/opt/ml/processing/input_data/{name}/AllTraffic/{hour}",
        ),
    }
    assert example.output(merge) == f"{uri}/results/merge"
    assert merge["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3UploadMode"] == "EndOfJob"

    # What it wrote.
    (merged,) = [key for key in example.keys("results/merge/") if "/_" not in key]
    part = rf"results/merge/{name}/AllTraffic/{hour}/part-00000-[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}\.c000\.jsonl"
    assert re.fullmatch(part, merged)
    captured = [json.loads(line) for line in quality.window_captures().splitlines()]
    labels = [label for _, label in quality.scores_and_labels()]
    lines = [json.loads(line) for line in example.text(merged).splitlines()]
    assert len(lines) == quality.CASE["schedule"]["merged_lines"]
    for line, capture in zip(lines, captured, strict=True):
        label = labels[int(capture["eventMetadata"]["inferenceId"])]
        assert line == capture | {"groundTruthData": {"data": label, "encoding": "CSV"}}

    # The analysis.
    assert re.fullmatch(r"model-quality-monitoring-202105260100-[0-9a-f]{24}", analysis["ProcessingJobName"])
    assert analysis["ExitMessage"] == quality.EXPECTED["exit_message_ours"]
    assert inputs_of(analysis) == {
        "constraints": (f"{uri}/baseline/constraints.json", "/opt/ml/processing/baseline/constraints"),
        "endpoint_input_1": (
            f"{uri}/results/merge/{name}/AllTraffic/{hour}",
            f"/opt/ml/processing/input_data/{name}/AllTraffic/{hour}",
        ),
    }
    assert example.output(analysis) == f"{uri}/results/{name}/{name}/2021/05/26/01"
    variables = dict(analysis["Environment"])
    assert json.loads(variables.pop("dataset_format")) == {
        "sagemakerMergeJson": {"captureIndexNames": ["endpointOutput"]}
    }
    variables.pop("sagemaker_endpoint_datacapture_prefix", None)
    assert float(variables.pop("probability_threshold_attribute")) == 0.5
    assert variables == {
        "analysis_type": "MODEL_QUALITY",
        "problem_type": "BinaryClassification",
        "probability_attribute": "0",
        "dataset_source": "/opt/ml/processing/input_data",
        "baseline_constraints": "/opt/ml/processing/baseline/constraints/constraints.json",
        "output_path": "/opt/ml/processing/output",
        "start_time": "2021-05-26T00:00:00Z",
        "end_time": "2021-05-26T01:00:00Z",
        "metric_time": "2021-05-26T00:00:00Z",
        "publish_cloudwatch_metrics": "Enabled",
        "sagemaker_endpoint_name": name,
        "sagemaker_monitoring_schedule_name": name,
        "monitoring_input_type": "ENDPOINT_INPUT",
    }

    # Its documents.
    statistics = example.document(summary, "statistics.json")
    quality.assert_window_statistics(statistics)
    quality.assert_window_violations(example.document(summary, "constraint_violations.json")["violations"])
    suggested = example.document(summary, "constraints.json")["binary_classification_constraints"]
    assert list(suggested) == list(json.loads(quality.CONSTRAINTS)["binary_classification_constraints"])
    for metric, constraint in suggested.items():
        assert constraint["threshold"] == statistics["binary_classification_metrics"][metric]["value"]
    metrics_and_alerts(clients, example, statistics["binary_classification_metrics"])


def summary_arn(sagemaker: Any, name: str) -> str:
    return sagemaker.describe_monitoring_schedule(MonitoringScheduleName=name)["MonitoringScheduleArn"]


def metrics_and_alerts(clients: Any, example: Monitored, metrics: dict[str, Any]) -> None:
    cloudwatch, name = clients("cloudwatch"), example.name
    namespace = "aws/sagemaker/Endpoints/model-metrics"
    dimensions = [{"Name": "Endpoint", "Value": name}, {"Name": "MonitoringSchedule", "Value": name}]
    pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace=namespace, Dimensions=dimensions)
    found = [metric for page in pages for metric in page["Metrics"]]
    assert sorted(metric["MetricName"] for metric in found) == sorted(quality.PUBLISHED)
    for metric in quality.PUBLISHED:
        (point,) = cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            Dimensions=dimensions,
            Statistics=["Average"],
            StartTime=HOUR,
            EndTime=TICK,
            Period=3600,
        )["Datapoints"]
        assert point["Timestamp"] == HOUR and point["Unit"] == "None"
        assert point["Average"] == pytest.approx(metrics[metric]["value"], rel=1e-12)
    (alert,) = example.sagemaker.list_monitoring_alerts(MonitoringScheduleName=name)["MonitoringAlertSummaries"]
    assert alert["AlertStatus"] == "InAlert"


def multiclass_hour(example: Monitored) -> None:
    """Three of four answers are right; models answer 1.0 where the label is 1."""
    answers = ["1.0", "2.0", "3.0", "1.0"] * 60
    labels = ["1", "2", "3", "2"] * 60
    example.capture(HOUR, "".join(capture_line(answer, f"e{k}", HOUR, str(k)) for k, answer in enumerate(answers)))
    example.label(HOUR, label_lines((str(k), label) for k, label in enumerate(labels)))


def test_without_constraints_nothing_is_checked(clients: Any, service: Service) -> None:
    example = Monitored(clients, service)
    multiclass_hour(example)
    example.monitor("MulticlassClassification", InferenceAttribute="0")
    summary = example.run_tick(TICK)
    assert summary["MonitoringExecutionStatus"] == "Completed", summary
    assert example.execution_job(summary)["ExitMessage"] == "Completed: Job completed successfully with no violations."
    metrics = example.metrics(summary)
    assert metrics["accuracy"]["value"] == 0.75 and metrics["item_count"] == 240
    assert list(metrics["confusion_matrix"]) == ["1", "2", "3"]
    assert metrics["confusion_matrix"]["2"] == {"1": 60, "2": 60, "3": 0}
    output = example.output(example.execution_job(summary)).removeprefix(example.uri + "/")
    assert [key.rpartition("/")[2] for key in example.keys(f"{output}/")] == ["constraints.json", "statistics.json"]


def test_the_baseline_of_a_job_is_found_by_its_name(clients: Any, service: Service) -> None:
    """A baselining job, and a definition that knows nothing but its name; constraints that a user has changed."""
    example = Monitored(clients, service)
    multiclass_hour(example)
    rows = "".join(f"{prediction},{label}\n" for prediction, label in zip("1231" * 60, "1232" * 60, strict=True))
    example.put("data/baseline.csv", "prediction,label\n" + rows)
    job = new_name("quality-baseline")
    example.sagemaker.create_processing_job(
        ProcessingJobName=job,
        ProcessingInputs=[
            {
                "InputName": "baseline_dataset_input",
                "S3Input": {
                    "S3Uri": f"{example.uri}/data/baseline.csv",
                    "LocalPath": "/opt/ml/processing/input/baseline_dataset_input",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
        ProcessingOutputConfig={
            "Outputs": [
                {
                    "OutputName": "monitoring_output",
                    "S3Output": {
                        "S3Uri": f"{example.uri}/baseline",
                        "LocalPath": "/opt/ml/processing/output",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}},
        AppSpecification={"ImageUri": f"{REGISTRY}/sagemaker-model-monitor-analyzer"},
        Environment={
            "analysis_type": "MODEL_QUALITY",
            "problem_type": "MulticlassClassification",
            "dataset_format": '{"csv": {"header": true, "output_columns_position": "START"}}',
            "dataset_source": "/opt/ml/processing/input/baseline_dataset_input",
            "output_path": "/opt/ml/processing/output",
            "publish_cloudwatch_metrics": "Disabled",
            "inference_attribute": "prediction",
            "ground_truth_attribute": "label",
        },
        RoleArn="arn:aws:iam::123456789012:role/monitoring",
    )
    example.sagemaker.get_waiter("processing_job_completed_or_stopped").wait(
        ProcessingJobName=job, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    described = example.sagemaker.describe_processing_job(ProcessingJobName=job)
    assert described["ExitMessage"] == "Completed: Job completed successfully with no violations."
    assert example.keys("baseline/") == ["baseline/constraints.json", "baseline/statistics.json"]
    request = example.request("MulticlassClassification", InferenceAttribute="0")
    request["ModelQualityBaselineConfig"] = {"BaseliningJobName": job}
    example.sagemaker.create_model_quality_job_definition(**request)
    found = example.sagemaker.describe_model_quality_job_definition(JobDefinitionName=example.name)
    uri = f"{example.uri}/baseline/constraints.json"
    assert found["ModelQualityBaselineConfig"]["ConstraintsResource"] == {"S3Uri": uri}
    assert found["ModelQualityAppSpecification"]["ProblemType"] == "MulticlassClassification"
    assert found["ModelQualityJobInput"] == request["ModelQualityJobInput"] | {
        "EndpointInput": found["ModelQualityJobInput"]["EndpointInput"]
    }
    example.make_schedule()
    equal = example.run_tick(TICK)
    assert equal["MonitoringExecutionStatus"] == "Completed", "a value that equals its threshold is no violation"

    # By hand: a threshold as text, one left out, one for a metric that AWS never suggests, a key of somebody's own.
    constraints = json.loads(example.text("baseline/constraints.json"))
    section = constraints["multiclass_classification_constraints"]
    section["accuracy"]["threshold"] = "0.9"
    del section["weighted_f1"]
    section["accuracy_best_constant_classifier"] = {
        "threshold": 1,
        "comparison_operator": "GreaterThanOrEqualToThreshold",
    }
    section["weighted_f2"]["comment"] = "ours"
    example.put("baseline/constraints.json", json.dumps(constraints))
    changed = rerun(example)
    assert changed["MonitoringExecutionStatus"] == "CompletedWithViolations"
    (violation,) = example.document(changed, "constraint_violations.json")["violations"]
    assert violation["metric_name"] == "accuracy" and violation["description"].endswith("was LessThanThreshold '0.9'")

    section["accuracy"]["comparison_operator"] = "Roughly"
    example.put("baseline/constraints.json", json.dumps(constraints))
    failed = rerun(example)
    assert failed["MonitoringExecutionStatus"] == "Failed"
    assert failed["FailureReason"].startswith("AlgorithmError: Error: ") and "Roughly" in failed["FailureReason"]


def rerun(example: Monitored) -> dict[str, Any]:
    """The hour once more, by hand."""
    example.run_hour(HOUR, succeeds=False)
    return example.executions()[0]
