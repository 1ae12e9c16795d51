"""A batch transform job that captures, and a monitor of what it was given."""

import json
import os
import time

import boto3
from botocore.exceptions import ClientError

try:
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.inputs import BatchDataCaptureConfig
    from sagemaker.core.model_monitor import BatchTransformInput, CronExpressionGenerator, DatasetFormat
    from sagemaker.core.model_monitor import DefaultModelMonitor, MonitoringDatasetFormat
    from sagemaker.core.s3 import S3Downloader, S3Uploader
    from sagemaker.core.transformer import Transformer
except ImportError:
    from sagemaker import Session
    from sagemaker.inputs import BatchDataCaptureConfig
    from sagemaker.model_monitor import BatchTransformInput, CronExpressionGenerator, DatasetFormat
    from sagemaker.model_monitor import DefaultModelMonitor, MonitoringDatasetFormat
    from sagemaker.s3 import S3Downloader, S3Uploader
    from sagemaker.transformer import Transformer

session = Session()
role = "arn:aws:iam::123456789012:role/monitoring"
name = "transform-" + os.environ["RUN"]
bucket = f"s3://{session.default_bucket()}/{name}"
client, s3 = boto3.client("sagemaker"), boto3.client("s3")

client.create_model(
    ModelName=name,
    PrimaryContainer={
        "Image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:1.7-1",
        "ModelDataUrl": S3Uploader.upload("xgb-churn-prediction-model.tar.gz", f"{bucket}/model"),
    },
    ExecutionRoleArn=role,
)
S3Uploader.upload("test_data.csv", f"{bucket}/input")
rows = open("test_data.csv").read().splitlines()
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
assert job["DataCaptureConfig"] == {"DestinationS3Uri": f"{bucket}/capture", "GenerateInferenceId": True}
transformer.wait(logs=False)
(output,) = S3Downloader.list(f"{bucket}/output")
assert output == f"{bucket}/output/test_data.csv.out"
lines = S3Downloader.read_file(output).splitlines()
assert len(lines) == len(rows)
ids = set()
for row, line in zip(rows, lines, strict=True):
    assert line.startswith(row + ",")
    score, inference_id, inference_time = line.removeprefix(row + ",").split(",")
    assert 0 < float(score) < 1 and inference_time.endswith("Z")
    ids.add(inference_id)
assert len(ids) == len(rows)
for side, ending in (("input", "test_data.csv"), ("output", "test_data.csv.out")):
    (manifest,) = S3Downloader.list(f"{bucket}/capture/{side}")
    assert json.loads(S3Downloader.read_file(manifest)) == [{"prefix": f"{bucket}/{side}/"}, ending]

# A monitor of the job's input.
monitor = DefaultModelMonitor(role=role, sagemaker_session=session)
monitor.suggest_baseline(
    baseline_dataset="features.csv",
    dataset_format=DatasetFormat.csv(header=True),
    output_s3_uri=f"{bucket}/baseline",
    job_name=name + "-baseline",
    wait=False,
    logs=False,
)
while client.describe_processing_job(ProcessingJobName=name + "-baseline")["ProcessingJobStatus"] == "InProgress":
    time.sleep(0.2)
monitor.create_monitoring_schedule(
    batch_transform_input=BatchTransformInput(
        data_captured_destination_s3_uri=f"{bucket}/capture",
        destination="/opt/ml/processing/input/batch",
        dataset_format=MonitoringDatasetFormat.csv(header=False),
    ),
    output_s3_uri=f"{bucket}/results",
    statistics=f"{bucket}/baseline/statistics.json",
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
    time.sleep(0.5)
assert summary["MonitoringExecutionStatus"] == "CompletedWithViolations", summary
statistics = monitor.latest_monitoring_statistics().body_dict
assert statistics["dataset"]["item_count"] == len(rows)
violations = monitor.latest_monitoring_constraint_violations()
assert violations.file_s3_uri.startswith(f"{bucket}/results/{name}/")
with open("violations.json", "w") as file:
    json.dump(violations.body_dict, file)
monitor.delete_monitoring_schedule()

# One that is stopped.
S3Uploader.upload_string_as_file_body("1,2\n" * 10, f"{bucket}/slow/a.csv")
client.create_model(
    ModelName=name + "-slow",
    PrimaryContainer={
        "Image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/model-server:1",
        "Environment": {"START_SECONDS": "60"},
    },
    ExecutionRoleArn=role,
)
slow = Transformer(
    model_name=name + "-slow",
    instance_count=1,
    instance_type="ml.m5.large",
    output_path=f"{bucket}/slow-output",
    sagemaker_session=session,
)
slow.transform(f"{bucket}/slow/", content_type="text/csv", job_name=name + "-slow", wait=False, logs=False)
slow.stop_transform_job(wait=True)
assert client.describe_transform_job(TransformJobName=name + "-slow")["TransformJobStatus"] == "Stopped"
try:
    slow.stop_transform_job(wait=False)
except ClientError as error:
    assert error.response["Error"]["Code"] == "ValidationException", error
print("done")
