"""Model quality of batch transform jobs: ids made by the job, ground truth for them, a monitor of what was captured."""

import datetime
import json
import os
import random
import time

import boto3

try:
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.inputs import BatchDataCaptureConfig
    from sagemaker.core.model_monitor import BatchTransformInput, CronExpressionGenerator, DatasetFormat
    from sagemaker.core.model_monitor import ModelQualityMonitor, MonitoringDatasetFormat
    from sagemaker.core.s3 import S3Downloader, S3Uploader
    from sagemaker.core.transformer import Transformer
except ImportError:
    from sagemaker import Session
    from sagemaker.inputs import BatchDataCaptureConfig
    from sagemaker.model_monitor import BatchTransformInput, CronExpressionGenerator, DatasetFormat
    from sagemaker.model_monitor import ModelQualityMonitor, MonitoringDatasetFormat
    from sagemaker.s3 import S3Downloader, S3Uploader
    from sagemaker.transformer import Transformer

session = Session()
role = "arn:aws:iam::123456789012:role/monitoring"
name = "batch-quality-" + os.environ["RUN"]
bucket = f"s3://{session.default_bucket()}/{name}"
client = boto3.client("sagemaker")

client.create_model(
    ModelName=name,
    PrimaryContainer={
        "Image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:1.7-1",
        "ModelDataUrl": S3Uploader.upload("xgb-churn-prediction-model.tar.gz", f"{bucket}/model"),
    },
    ExecutionRoleArn=role,
)
rows = open("test_data.csv").read().splitlines()[:500]
with open("batch.csv", "w") as file:
    file.write("".join(f"{row}\n" for row in rows))
S3Uploader.upload("batch.csv", f"{bucket}/input")
transformer = Transformer(
    model_name=name,
    instance_count=1,
    instance_type="ml.m5.large",
    strategy="MultiRecord",
    assemble_with="Line",
    accept="text/csv",
    output_path=f"{bucket}/output",
    sagemaker_session=session,
)
transformer.transform(
    f"{bucket}/input/",
    content_type="text/csv",
    split_type="Line",
    join_source="Input",
    job_name=name,
    batch_data_capture_config=BatchDataCaptureConfig(
        destination_s3_uri=f"{bucket}/capture", generate_inference_id=True
    ),
    wait=False,
    logs=False,
)
while (job := client.describe_transform_job(TransformJobName=name))["TransformJobStatus"] == "InProgress":
    time.sleep(0.2)
assert job["TransformJobStatus"] == "Completed", job
(output,) = S3Downloader.list(f"{bucket}/output")
scored = []
for line in S3Downloader.read_file(output).splitlines():
    *_, score, inference_id, _ = line.split(",")
    scored.append((float(score), inference_id))
cutoff = sorted(score for score, _ in scored)[len(scored) // 2]

# Ground truth: one file a record, as AWS's example of batch jobs has it; some ids nobody asked about.
random.seed(5)
labels = {inference_id: int(random.random() < 0.4) for _, inference_id in scored[:-20]}
hour = datetime.datetime.now(datetime.timezone.utc)
records = [
    {
        "groundTruthData": {"data": str(label), "encoding": "CSV"},
        "eventMetadata": {"eventId": inference_id},
        "eventVersion": "0",
    }
    for inference_id, label in [*labels.items(), ("nobody", 1)]
]
for number, record in enumerate(records[:10]):
    S3Uploader.upload_string_as_file_body(
        json.dumps(record, indent=4), f"{bucket}/truth/{hour:%Y/%m/%d/%H}/{number}.json"
    )
S3Uploader.upload_string_as_file_body(
    "\n".join(map(json.dumps, records[10:])), f"{bucket}/truth/{hour:%Y/%m/%d/%H}/rest.jsonl"
)

monitor = ModelQualityMonitor(role=role, sagemaker_session=session, max_runtime_in_seconds=1800)
with open("known.csv", "w") as file:
    file.write("".join(f"{int(score > cutoff)},{score}\n" for score, _ in scored))
monitor.suggest_baseline(
    baseline_dataset="known.csv",
    dataset_format=DatasetFormat.csv(header=False),
    problem_type="BinaryClassification",
    probability_attribute="1",
    probability_threshold_attribute=str(cutoff),
    ground_truth_attribute="_c0",
    output_s3_uri=f"{bucket}/baseline",
    job_name=name + "-baseline",
)
while (job := monitor.describe_latest_baselining_job())["ProcessingJobStatus"] == "InProgress":
    time.sleep(0.2)
assert job["ProcessingJobStatus"] == "Completed", job
assert monitor.baseline_statistics().body_dict["binary_classification_metrics"]["auc"]["value"] == 1.0

monitor.create_monitoring_schedule(
    batch_transform_input=BatchTransformInput(
        data_captured_destination_s3_uri=f"{bucket}/capture",
        destination="/opt/ml/processing/input_data",
        dataset_format=MonitoringDatasetFormat.csv(header=False),
        probability_attribute="69",
        probability_threshold_attribute=cutoff,
    ),
    ground_truth_input=f"{bucket}/truth",
    problem_type="BinaryClassification",
    output_s3_uri=f"{bucket}/results",
    constraints=f"{bucket}/baseline/constraints.json",
    monitor_schedule_name=name,
    schedule_cron_expression=CronExpressionGenerator.now(),
    data_analysis_start_time="-PT2H",
    data_analysis_end_time="-PT0H",
)
while True:
    summary = monitor.describe_schedule().get("LastMonitoringExecutionSummary", {})
    if summary.get("MonitoringExecutionStatus") not in (None, "Pending", "InProgress"):
        break
    time.sleep(0.1)
assert summary["MonitoringExecutionStatus"] == "CompletedWithViolations", summary
assert "EndpointName" not in summary
statistics = monitor.latest_monitoring_statistics().body_dict
assert statistics["dataset"]["item_count"] == len(labels), statistics["dataset"]
matrix = {str(actual): {str(predicted): 0 for predicted in (0, 1)} for actual in (0, 1)}
for score, inference_id in scored[:-20]:
    matrix[str(labels[inference_id])][str(int(score > cutoff))] += 1
assert statistics["binary_classification_metrics"]["confusion_matrix"] == matrix
violations = monitor.latest_monitoring_constraint_violations()
assert violations.file_s3_uri.startswith(f"{bucket}/results/{name}/"), violations.file_s3_uri
assert {violation["metric_name"] for violation in violations.body_dict["violations"]} >= {"auc", "accuracy", "f1"}
merged = [file for file in S3Downloader.list(f"{bucket}/results/merge/{name}") if "/part-00000-" in file]
lines = [json.loads(line) for file in merged for line in S3Downloader.read_file(file).splitlines()]
assert len(lines) == len(labels)
assert lines[0]["captureData"]["batchTransformOutput"]["data"].count(",") == 69
metrics = boto3.client("cloudwatch").list_metrics(
    Namespace="aws/sagemaker/ModelMonitoring/model-metrics", Dimensions=[{"Name": "MonitoringSchedule", "Value": name}]
)["Metrics"]
assert len(metrics) == 17 and all(len(metric["Dimensions"]) == 1 for metric in metrics), metrics
attached = ModelQualityMonitor.attach(name, sagemaker_session=session)
assert attached.job_definition_name == monitor.job_definition_name
attached.delete_monitoring_schedule()
print("done")
