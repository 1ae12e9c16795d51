"""AWS's notebook of model quality: deploy with capture, a baseline, traffic with inference ids, ground truth, violations."""

import csv
import datetime
import json
import os
import random
import time

import boto3
from botocore.exceptions import ClientError

try:
    from sagemaker.core import image_uris
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.model_monitor import CronExpressionGenerator, EndpointInput, ModelQualityMonitor
    from sagemaker.core.model_monitor.dataset_format import DatasetFormat
    from sagemaker.core.resources import Endpoint, EndpointConfig, Model
    from sagemaker.core.s3 import S3Downloader, S3Uploader
    from sagemaker.core.shapes import (
        CaptureContentTypeHeader,
        CaptureOption,
        ContainerDefinition,
        DataCaptureConfig,
        ProductionVariant,
    )

    def deploy(session, name, image, model_data, role, capture):
        Model.create(
            model_name=name,
            primary_container=ContainerDefinition(image=image, model_data_url=model_data),
            execution_role_arn=role,
        )
        EndpointConfig.create(
            endpoint_config_name=name,
            production_variants=[
                ProductionVariant(
                    variant_name="AllTraffic", model_name=name, initial_instance_count=1, instance_type="ml.m4.xlarge"
                )
            ],
            data_capture_config=DataCaptureConfig(
                enable_capture=True,
                initial_sampling_percentage=100,
                destination_s3_uri=capture,
                capture_options=[CaptureOption(capture_mode="Input"), CaptureOption(capture_mode="Output")],
                capture_content_type_header=CaptureContentTypeHeader(csv_content_types=["text/csv"]),
            ),
        )
        endpoint = Endpoint.create(endpoint_name=name, endpoint_config_name=name)
        endpoint.wait_for_status("InService", poll=1)

        def predict(row, inference_id):
            return endpoint.invoke(body=row, content_type="text/csv", inference_id=inference_id).body.read().decode()

        return predict, endpoint.delete

except ImportError:
    from sagemaker import Session, image_uris
    from sagemaker.model import Model
    from sagemaker.model_monitor import CronExpressionGenerator, DataCaptureConfig, EndpointInput, ModelQualityMonitor
    from sagemaker.model_monitor.dataset_format import DatasetFormat
    from sagemaker.predictor import Predictor
    from sagemaker.s3 import S3Downloader, S3Uploader
    from sagemaker.serializers import CSVSerializer

    def deploy(session, name, image, model_data, role, capture):
        model = Model(image_uri=image, model_data=model_data, role=role, name=name, sagemaker_session=session)
        model.deploy(
            initial_instance_count=1,
            instance_type="ml.m4.xlarge",
            endpoint_name=name,
            data_capture_config=DataCaptureConfig(
                enable_capture=True, sampling_percentage=100, destination_s3_uri=capture
            ),
        )
        predictor = Predictor(endpoint_name=name, sagemaker_session=session, serializer=CSVSerializer())

        def predict(row, inference_id):
            return predictor.predict(data=row, inference_id=inference_id).decode()

        return predict, predictor.delete_endpoint


session = Session()
region = boto3.Session().region_name
role = "arn:aws:iam::123456789012:role/monitoring"
name = "DEMO-model-quality-" + os.environ["RUN"]
bucket = f"s3://{session.default_bucket()}/{name}"
client, cloudwatch = boto3.client("sagemaker"), boto3.client("cloudwatch")

# Deploy, and ask about the customers; each question has an id of ours.
model_data = S3Uploader.upload("xgb-churn-prediction-model.tar.gz", f"{bucket}/model")
image = image_uris.retrieve("xgboost", region, "0.90-1")
predict, delete_endpoint = deploy(session, name, image, model_data, role, f"{bucket}/datacapture")
with open("test_data.csv") as lines:
    rows = lines.read().splitlines()[:334]
scores = [float(predict(row, str(number))) for number, row in enumerate(rows)]
cutoff = sorted(scores)[len(scores) // 2]

# A baseline: what the model said of customers that were known already.
with open("validation_with_predictions.csv", "w", newline="") as file:
    validation = csv.writer(file)
    validation.writerow(["probability", "prediction", "label"])
    for number, score in enumerate(scores):
        random.seed(-number)
        label = int(score > cutoff) if random.random() < 0.9 else int(score <= cutoff)
        validation.writerow([score, int(score > cutoff), label])
dataset = S3Uploader.upload("validation_with_predictions.csv", f"{bucket}/baselining/data")
monitor = ModelQualityMonitor(
    role=role,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    volume_size_in_gb=20,
    max_runtime_in_seconds=1800,
    sagemaker_session=session,
    tags=[{"Key": "team", "Value": "churn"}],
)
monitor.suggest_baseline(
    job_name=name + "-baseline",
    baseline_dataset=dataset,
    dataset_format=DatasetFormat.csv(header=True),
    output_s3_uri=f"{bucket}/baselining/results",
    problem_type="BinaryClassification",
    inference_attribute="prediction",
    probability_attribute="probability",
    ground_truth_attribute="label",
)
while (job := client.describe_processing_job(ProcessingJobName=name + "-baseline"))[
    "ProcessingJobStatus"
] == "InProgress":
    time.sleep(0.2)
assert job["ExitMessage"] == "Completed: Job completed successfully with no violations.", job
assert job["Environment"]["analysis_type"] == "MODEL_QUALITY"
baseline = monitor.baseline_statistics().body_dict
assert baseline["dataset"]["item_count"] == len(rows)
constraints = monitor.suggested_constraints()
section = constraints.body_dict["binary_classification_constraints"]
assert section["auc"]["comparison_operator"] == "LessThanThreshold"
for metric, constraint in section.items():
    assert constraint["threshold"] == baseline["binary_classification_metrics"][metric]["value"]


# Ground truth, collected later.
def ground_truth_with_id(inference_id):
    random.seed(inference_id)
    label = "1" if random.random() < 0.7 else "0"
    return {
        "groundTruthData": {"data": label, "encoding": "CSV"},
        "eventMetadata": {"eventId": str(inference_id)},
        "eventVersion": "0",
    }


def upload_ground_truth(records, upload_time):
    target = f"{bucket}/ground_truth_data/{upload_time:%Y/%m/%d/%H/%M%S}.jsonl"
    S3Uploader.upload_string_as_file_body("\n".join(map(json.dumps, records)), target)
    return target


captured = 0
deadline = time.monotonic() + 30
while captured < len(rows) and time.monotonic() < deadline:
    files = S3Downloader.list(f"{bucket}/datacapture/{name}")
    captured = sum(len(S3Downloader.read_file(file).split("\n")[:-1]) for file in files)
    time.sleep(0.2)
assert captured == len(rows), captured
ground_truth = [ground_truth_with_id(number) for number in range(len(rows))]
upload_ground_truth(ground_truth, datetime.datetime.now(datetime.timezone.utc))
with open("asked.csv", "w", newline="") as file:
    csv.writer(file).writerows(
        (score, record["groundTruthData"]["data"]) for score, record in zip(scores, ground_truth, strict=True)
    )

# The monitor, and its two jobs in turn.
monitor.create_monitoring_schedule(
    monitor_schedule_name=name,
    endpoint_input=EndpointInput(
        endpoint_name=name,
        destination="/opt/ml/processing/input_data",
        probability_attribute="0",
        probability_threshold_attribute=cutoff,
    ),
    ground_truth_input=f"{bucket}/ground_truth_data",
    problem_type="BinaryClassification",
    constraints=constraints,
    output_s3_uri=f"{bucket}/baselining/reports",
    schedule_cron_expression=CronExpressionGenerator.now(),
    data_analysis_start_time="-PT2H",
    data_analysis_end_time="-PT0H",
    enable_cloudwatch_metrics=True,
)
jobs = []
while True:
    summary = monitor.describe_schedule().get("LastMonitoringExecutionSummary", {})
    for execution in monitor.list_executions():
        job_name = execution.describe()["ProcessingJobName"]
        if job_name not in jobs:
            jobs.append(job_name)
    if summary.get("MonitoringExecutionStatus") not in (None, "Pending", "InProgress"):
        break
    time.sleep(0.02)
assert summary["MonitoringExecutionStatus"] == "CompletedWithViolations", summary
latest_execution = monitor.list_executions()[-1]
assert len(monitor.list_executions()) == 1
latest_job = latest_execution.describe()
assert latest_job["ProcessingJobName"].startswith("model-quality-monitoring-")
merge_name = latest_job["ProcessingJobName"].replace("model-quality-monitoring", "groundtruth-merge")
print("jobs seen", jobs)
assert jobs == [merge_name, latest_job["ProcessingJobName"]] or jobs == [latest_job["ProcessingJobName"]], jobs
assert client.describe_processing_job(ProcessingJobName=merge_name)["ProcessingJobStatus"] == "Completed"
violations = monitor.latest_monitoring_constraint_violations().body_dict
statistics = monitor.latest_monitoring_statistics().body_dict
count = len(violations["violations"])
expected = f"CompletedWithViolations: Job completed successfully with {count} violations."
assert latest_job["ExitMessage"] == expected, latest_job
assert latest_execution.constraint_violations().body_dict == violations
output_uri = latest_job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
report_files = sorted(file.rpartition("/")[2] for file in S3Downloader.list(output_uri))
assert report_files == ["constraint_violations.json", "constraints.json", "statistics.json"], report_files
for file_name, document in (("statistics.json", statistics), ("violations.json", violations)):
    with open(file_name, "w") as file:
        json.dump(document, file)

# Metrics, and an alarm on one of them.
dimensions = [{"Name": "Endpoint", "Value": name}, {"Name": "MonitoringSchedule", "Value": name}]
namespace = "aws/sagemaker/Endpoints/model-metrics"
found = cloudwatch.list_metrics(Namespace=namespace, Dimensions=dimensions)["Metrics"]
assert len(found) == 17, found
cloudwatch.put_metric_alarm(
    AlarmName=name,
    MetricName="f2",
    Namespace=namespace,
    Statistic="Average",
    Dimensions=dimensions,
    Period=600,
    EvaluationPeriods=1,
    DatapointsToAlarm=1,
    Threshold=section["f2"]["threshold"],
    ComparisonOperator="LessThanOrEqualToThreshold",
    TreatMissingData="breaching",
)
cloudwatch.delete_alarms(AlarmNames=[name])

# Found again, changed, stopped, started.
attached = ModelQualityMonitor.attach(name, sagemaker_session=session)
assert attached.job_definition_name == monitor.job_definition_name
assert attached.latest_monitoring_statistics().body_dict == statistics
assert attached.tags == [{"Key": "team", "Value": "churn"}]
before = client.describe_model_quality_job_definition(JobDefinitionName=attached.job_definition_name)
source = before["ModelQualityJobInput"]["EndpointInput"]
assert (source["ProbabilityAttribute"], source["ProbabilityThresholdAttribute"]) == ("0", cutoff), source
attached.update_monitoring_schedule(
    schedule_cron_expression=CronExpressionGenerator.hourly(),
    endpoint_input=EndpointInput(
        endpoint_name=name,
        destination="/opt/ml/processing/input_data",
        probability_attribute="0",
        probability_threshold_attribute=0.5,
        start_time_offset="-P2D",
        end_time_offset="-P1D",
    ),
    ground_truth_input=f"{bucket}/ground_truth_data",
    max_runtime_in_seconds=900,
    env={"note": "changed"},
)


def settled():
    while (schedule := attached.describe_schedule())["MonitoringScheduleStatus"] == "Pending":
        time.sleep(0.2)
    return schedule


schedule = settled()
assert schedule["MonitoringScheduleConfig"]["ScheduleConfig"]["ScheduleExpression"] == "cron(0 * ? * * *)"
after = client.describe_model_quality_job_definition(
    JobDefinitionName=schedule["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"]
)
assert after["JobDefinitionName"] != before["JobDefinitionName"]
assert after["ModelQualityJobInput"]["EndpointInput"]["StartTimeOffset"] == "-P2D"
assert after["ModelQualityJobInput"]["GroundTruthS3Input"] == before["ModelQualityJobInput"]["GroundTruthS3Input"]
assert (
    after["ModelQualityBaselineConfig"]["ConstraintsResource"]
    == (before["ModelQualityBaselineConfig"]["ConstraintsResource"])
)
assert after["ModelQualityAppSpecification"]["ProblemType"] == "BinaryClassification"
assert after["ModelQualityAppSpecification"]["Environment"]["note"] == "changed"
assert after["StoppingCondition"] == {"MaxRuntimeInSeconds": 900}
attached.stop_monitoring_schedule()
assert settled()["MonitoringScheduleStatus"] == "Stopped"
attached.start_monitoring_schedule()
assert settled()["MonitoringScheduleStatus"] == "Scheduled"
attached.stop_monitoring_schedule()

# Clean up.
attached.delete_monitoring_schedule()
for gone in (
    lambda: client.describe_monitoring_schedule(MonitoringScheduleName=name),
    lambda: client.describe_model_quality_job_definition(JobDefinitionName=after["JobDefinitionName"]),
):
    try:
        gone()
        raise AssertionError("still there")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ResourceNotFound", error
client.delete_model_quality_job_definition(JobDefinitionName=before["JobDefinitionName"])
delete_endpoint()
print("done")
