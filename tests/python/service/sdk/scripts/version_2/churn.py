"""The customer churn tutorial: a baseline, an endpoint with data capture, a monitor that runs now, its violations."""

import os
import time

import boto3
import sagemaker
from sagemaker.model_monitor import CronExpressionGenerator, DefaultModelMonitor, EndpointInput
from sagemaker.model_monitor.dataset_format import DatasetFormat
from sagemaker.s3 import S3Downloader, S3Uploader

session = sagemaker.Session()
role = os.environ.get("EXECUTION_ROLE") or sagemaker.get_execution_role()
prefix = "churn-" + os.environ["RUN"]
bucket = f"s3://{session.default_bucket()}/{prefix}"

# A baseline, followed by its logs.
monitor = DefaultModelMonitor(
    role=role,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    volume_size_in_gb=20,
    max_runtime_in_seconds=1800,
    sagemaker_session=session,
)
job = monitor.suggest_baseline(
    baseline_dataset="baseline.csv",
    dataset_format=DatasetFormat.csv(header=True),
    record_preprocessor_script="preprocess.py",
    post_analytics_processor_script="postprocess.py",
    output_s3_uri=f"{bucket}/baseline",
    job_name=prefix + "-baseline",
    wait=True,
    logs=True,
)
assert job.describe()["ExitMessage"] == "Completed: Job completed successfully with no violations."
description = monitor.describe_latest_baselining_job()
assert description["ProcessingJobStatus"] == "Completed"
print("baseline job", description["ProcessingJobArn"])
assert monitor.latest_baselining_job.job_name == prefix + "-baseline"
assert monitor.latest_baselining_job.baseline_statistics().body_dict["dataset"]["item_count"] == 2333
assert len(monitor.baseline_statistics().body_dict["features"]) == 70
assert len(monitor.suggested_constraints().body_dict["features"]) == 70
S3Downloader.download(f"{bucket}/baseline", "baseline")
assert "statistics.json" in S3Downloader.read_file(f"{bucket}/baseline/postprocessed.txt")

# An endpoint that captures its traffic, and the traffic.
client = boto3.client("sagemaker")
client.create_model(
    ModelName=prefix,
    PrimaryContainer={"Image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn-model:1"},
    ExecutionRoleArn=role,
)
client.create_endpoint_config(
    EndpointConfigName=prefix,
    ProductionVariants=[
        {"VariantName": "AllTraffic", "ModelName": prefix, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    ],
    DataCaptureConfig={
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"{bucket}/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
    },
)
client.create_endpoint(EndpointName=prefix, EndpointConfigName=prefix)
while client.describe_endpoint(EndpointName=prefix)["EndpointStatus"] == "Creating":
    time.sleep(0.5)
assert client.describe_endpoint(EndpointName=prefix)["EndpointStatus"] == "InService"
S3Uploader.upload("capture", f"{bucket}/capture/{prefix}/AllTraffic")

# Run the monitor once, over the last two hours.
monitor.create_monitoring_schedule(
    monitor_schedule_name=prefix,
    endpoint_input=EndpointInput(endpoint_name=prefix, destination="/opt/ml/processing/input/endpoint"),
    record_preprocessor_script="preprocess.py",
    post_analytics_processor_script="postprocess.py",
    output_s3_uri=f"{bucket}/results",
    statistics=monitor.baseline_statistics(),
    constraints=monitor.suggested_constraints(),
    schedule_cron_expression=CronExpressionGenerator.now(),
    data_analysis_start_time="-PT2H",
    data_analysis_end_time="-PT0H",
    enable_cloudwatch_metrics=True,
)
while True:
    summary = monitor.describe_schedule().get("LastMonitoringExecutionSummary", {})
    if summary.get("MonitoringExecutionStatus") not in (None, "Pending", "InProgress"):
        break
    time.sleep(0.5)
assert summary["MonitoringExecutionStatus"] == "CompletedWithViolations", summary

execution = monitor.list_executions()[-1]
message = execution.describe()["ExitMessage"]
assert message == "CompletedWithViolations: Job completed successfully with 60 violations.", message
assert execution.output.destination.startswith(f"{bucket}/results/{prefix}/{prefix}/")
assert {"baseline", "constraints", "endpoint_input_1"} <= {given.input_name for given in execution.inputs}
assert len(execution.constraint_violations().body_dict["violations"]) == 60
assert execution.statistics().body_dict["dataset"]["item_count"] == 1915
assert monitor.latest_monitoring_statistics().body_dict["dataset"]["item_count"] == 1915
violations = monitor.latest_monitoring_constraint_violations()
assert len(violations.body_dict["violations"]) == 60
S3Downloader.download(violations.file_s3_uri, "violations")
monitor.get_latest_execution_logs(wait=False)

# The alert of the schedule.
(alert,), _ = monitor.list_monitoring_alerts()
assert alert.alert_status == "InAlert", alert
history, _ = monitor.list_monitoring_alert_history()
assert [change.alert_status for change in history] == ["InAlert"]

# Clean up.
try:
    execution.stop()
except client.exceptions.ClientError as error:
    assert error.response["Error"]["Code"] == "ValidationException", error
monitor.stop_monitoring_schedule()
monitor.delete_monitoring_schedule()
client.delete_endpoint(EndpointName=prefix)
client.delete_endpoint_config(EndpointConfigName=prefix)
client.delete_model(ModelName=prefix)
print("done")
