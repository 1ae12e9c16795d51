"""A monitor of one's own: an image that counts rows, as baselining job and as monitor of an endpoint."""

import json
import os
import time

import boto3
from botocore.exceptions import ClientError
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.model_monitor import (
    CronExpressionGenerator,
    DefaultModelMonitor,
    EndpointInput,
    ModelMonitor,
    MonitoringExecution,
)
from sagemaker.core.model_monitor import MonitoringOutput, NetworkConfig, Statistics
from sagemaker.core.s3 import S3Downloader, S3Uploader
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output

session = Session()
role = os.environ.get("EXECUTION_ROLE") or get_execution_role()
name = "rows-" + os.environ["RUN"]
bucket = f"s3://{session.default_bucket()}/{name}"
client = boto3.client("sagemaker")
key = boto3.client("kms").create_key(Description="results of the row counter")["KeyMetadata"]["Arn"]


def settled(monitor):
    while (schedule := monitor.describe_schedule())["MonitoringScheduleStatus"] == "Pending":
        time.sleep(0.2)
    return schedule


monitor = ModelMonitor(
    role=role,
    image_uri="123456789012.dkr.ecr.eu-west-1.amazonaws.com/row-counter:1",
    instance_count=1,
    instance_type="ml.m5.large",
    volume_size_in_gb=5,
    volume_kms_key=key,
    output_kms_key=key,
    max_runtime_in_seconds=600,
    base_job_name="rows",
    sagemaker_session=session,
    env={"COLUMN": "Churn"},
    tags=[{"Key": "team", "Value": "churn"}],
    network_config=NetworkConfig(
        enable_network_isolation=True,
        encrypt_inter_container_traffic=True,
        security_group_ids=["sg-0123456789abcdef0"],
        subnets=["subnet-0123456789abcdef0"],
    ),
)

# The baselining job: local data in, a report out.
monitor.run_baseline(
    baseline_inputs=[
        ProcessingInput(
            input_name="input-1",
            s3_input=ProcessingS3Input(
                s3_uri="baseline.csv",
                local_path="/opt/ml/processing/input/data",
                s3_data_type="S3Prefix",
                s3_input_mode="File",
            ),
        )
    ],
    output=ProcessingOutput(
        output_name="report",
        s3_output=ProcessingS3Output(
            s3_uri=f"{bucket}/baseline", local_path="/opt/ml/processing/output", s3_upload_mode="EndOfJob"
        ),
    ),
    arguments=["--seconds", "0.1"],
    job_name=name + "-baseline",
    wait=True,
    logs=False,
)
job = monitor.describe_latest_baselining_job()
assert job["ExitMessage"] == "Completed: 2334 rows in 1 files", job
assert job["AppSpecification"]["ContainerArguments"] == ["--seconds", "0.1"]
assert job["ProcessingInputs"][0]["InputName"] == "input-1"
assert job["ProcessingOutputConfig"]["KmsKeyId"] == key
assert job["ProcessingResources"]["ClusterConfig"] == {
    "InstanceCount": 1,
    "InstanceType": "ml.m5.large",
    "VolumeSizeInGB": 5,
    "VolumeKmsKeyId": key,
}
assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 600}
assert job["NetworkConfig"] == {
    "EnableNetworkIsolation": True,
    "EnableInterContainerTrafficEncryption": True,
    "VpcConfig": {"SecurityGroupIds": ["sg-0123456789abcdef0"], "Subnets": ["subnet-0123456789abcdef0"]},
}
tags = client.list_tags(ResourceArn=job["ProcessingJobArn"])["Tags"]
assert tags == [{"Key": "team", "Value": "churn"}]
(report,) = S3Downloader.list(f"{bucket}/baseline")
report = json.loads(S3Downloader.read_file(report))
assert report["rows"] == {"data/baseline.csv": 2334}
assert report["environment"] == {"COLUMN": "Churn"}
assert report["configuration"]["ProcessingJobName"] == name + "-baseline"
# The job has ended well, but has none of these files.
assert monitor.baseline_statistics() is None
assert monitor.suggested_constraints() is None

# A schedule with its job definition inside.
client.create_model(
    ModelName=name,
    PrimaryContainer={"Image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn-model:1"},
    ExecutionRoleArn=role,
)
client.create_endpoint_config(
    EndpointConfigName=name,
    ProductionVariants=[
        {"VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    ],
    DataCaptureConfig={
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"{bucket}/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    },
)
client.create_endpoint(EndpointName=name, EndpointConfigName=name)
S3Uploader.upload("capture", f"{bucket}/capture/{name}/AllTraffic")
statistics = Statistics.from_string("{}", sagemaker_session=session)
monitor.create_monitoring_schedule(
    endpoint_input=EndpointInput(
        endpoint_name=name,
        destination="/opt/ml/processing/input/endpoint",
        start_time_offset="-P1D",
        end_time_offset="-PT0H",
        features_attribute="features",
        inference_attribute="0",
        probability_attribute="1",
        probability_threshold_attribute=0.5,
        exclude_features_attribute="3,4",
    ),
    output=MonitoringOutput(source="/opt/ml/processing/output", destination=f"{bucket}/results"),
    statistics=statistics,
    monitor_schedule_name=name,
    schedule_cron_expression=CronExpressionGenerator.hourly(),
    arguments=["--seconds", "0.2"],
)
assert monitor.monitoring_schedule_name == name
assert monitor.list_executions() == []
assert monitor.latest_monitoring_statistics() is None
assert monitor.latest_monitoring_constraint_violations() is None
schedule = settled(monitor)
assert schedule["MonitoringScheduleStatus"] == "Scheduled"
assert schedule["MonitoringType"] == schedule["MonitoringScheduleConfig"]["MonitoringType"] == "DataQuality"
assert schedule["EndpointName"] == name
definition = schedule["MonitoringScheduleConfig"]["MonitoringJobDefinition"]
assert definition["MonitoringInputs"] == [
    {
        "EndpointInput": {
            "EndpointName": name,
            "LocalPath": "/opt/ml/processing/input/endpoint",
            "S3InputMode": "File",
            "S3DataDistributionType": "FullyReplicated",
            "StartTimeOffset": "-P1D",
            "EndTimeOffset": "-PT0H",
            "FeaturesAttribute": "features",
            "InferenceAttribute": "0",
            "ProbabilityAttribute": "1",
            "ProbabilityThresholdAttribute": 0.5,
            "ExcludeFeaturesAttribute": "3,4",
        }
    }
]
assert definition["MonitoringOutputConfig"] == {
    "KmsKeyId": key,
    "MonitoringOutputs": [
        {
            "S3Output": {
                "S3Uri": f"{bucket}/results",
                "LocalPath": "/opt/ml/processing/output",
                "S3UploadMode": "Continuous",
            }
        }
    ],
}
assert definition["MonitoringAppSpecification"]["ContainerArguments"] == ["--seconds", "0.2"]
assert definition["BaselineConfig"] == {"StatisticsResource": {"S3Uri": statistics.file_s3_uri}}
assert definition["Environment"] == {"COLUMN": "Churn"}

# Change it, stop it, start it, find it again.
monitor.update_monitoring_schedule(
    schedule_cron_expression=CronExpressionGenerator.daily_every_x_hours(hour_interval=6, starting_hour=3),
    instance_type="ml.m5.xlarge",
    max_runtime_in_seconds=1200,
    env={"COLUMN": "State"},
)
schedule = settled(monitor)
assert schedule["MonitoringScheduleStatus"] == "Scheduled"
changed = schedule["MonitoringScheduleConfig"]
assert changed["ScheduleConfig"] == {"ScheduleExpression": "cron(0 3/6 ? * * *)"}
assert changed["MonitoringJobDefinition"]["Environment"] == {"COLUMN": "State"}
assert changed["MonitoringJobDefinition"]["StoppingCondition"] == {"MaxRuntimeInSeconds": 1200}
assert changed["MonitoringJobDefinition"]["MonitoringInputs"] == definition["MonitoringInputs"]
cluster = changed["MonitoringJobDefinition"]["MonitoringResources"]["ClusterConfig"]
assert cluster["InstanceType"] == "ml.m5.xlarge" and cluster["VolumeKmsKeyId"] == key
monitor.stop_monitoring_schedule()
assert settled(monitor)["MonitoringScheduleStatus"] == "Stopped"
monitor.stop_monitoring_schedule()
monitor.start_monitoring_schedule()
assert settled(monitor)["MonitoringScheduleStatus"] == "Scheduled"
attached = ModelMonitor.attach(name, sagemaker_session=session)
assert attached.monitoring_schedule_name == name
assert attached.image_uri == monitor.image_uri
assert attached.env == {"COLUMN": "State"}
assert attached.tags == [{"Key": "team", "Value": "churn"}]
assert attached.network_config.enable_network_isolation is True
assert DefaultModelMonitor.attach(name, sagemaker_session=session).env == {"COLUMN": "State"}
attached.delete_monitoring_schedule()
deadline = time.monotonic() + 30
while time.monotonic() < deadline:
    try:
        client.describe_monitoring_schedule(MonitoringScheduleName=name)
        time.sleep(0.2)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ResourceNotFound", error
        break
else:
    raise AssertionError("the schedule is still there")

# Run it once, now.
once = ModelMonitor(role=role, image_uri=monitor.image_uri, sagemaker_session=session, env={"COLUMN": "Churn"})
once.create_monitoring_schedule(
    endpoint_input=name,
    output=MonitoringOutput(source="/opt/ml/processing/output", destination=f"{bucket}/once"),
    monitor_schedule_name=name + "-once",
    schedule_cron_expression=CronExpressionGenerator.now(),
    data_analysis_start_time="-PT2H",
    data_analysis_end_time="-PT0H",
)
while True:
    summary = once.describe_schedule().get("LastMonitoringExecutionSummary", {})
    if summary.get("MonitoringExecutionStatus") not in (None, "Pending", "InProgress"):
        break
    time.sleep(0.5)
assert summary["MonitoringExecutionStatus"] == "Completed", summary
execution = MonitoringExecution.from_processing_arn(session, summary["ProcessingJobArn"])
assert execution.describe()["ExitMessage"] == "Completed: 1915 rows in 1 files"
report = json.loads(S3Downloader.read_file(execution.output.s3_output.s3_uri + "/report-algo-1.json"))
variables = report["environment"]
assert variables["COLUMN"] == "Churn"
assert variables["sagemaker_endpoint_name"] == name
assert variables["sagemaker_monitoring_schedule_name"] == name + "-once"
assert variables["dataset_source"] == "/opt/ml/processing/input/endpoint"
assert "sagemakerCaptureJson" in variables["dataset_format"]
assert variables["start_time"] < variables["end_time"]
assert all(path.startswith(f"endpoint/{name}/AllTraffic/") for path in report["rows"]), report["rows"]
assert once.latest_monitoring_statistics() is None
assert once.latest_monitoring_constraint_violations() is None
once.delete_monitoring_schedule()
client.delete_endpoint(EndpointName=name)
print("done")
