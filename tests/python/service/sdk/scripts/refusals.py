"""What the classes refuse, and what the service refuses them: missing things, wrong kinds, failed jobs, no data."""

import os
import time

import boto3
from botocore.exceptions import ClientError

try:
    from sagemaker.core.exceptions import UnexpectedStatusException
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.model_monitor import CronExpressionGenerator, DatasetFormat, DefaultModelMonitor, EndpointInput
    from sagemaker.core.model_monitor import ModelMonitor, ModelQualityMonitor, MonitoringOutput
except ImportError:
    from sagemaker import Session
    from sagemaker.exceptions import UnexpectedStatusException
    from sagemaker.model_monitor import CronExpressionGenerator, DatasetFormat, DefaultModelMonitor, EndpointInput
    from sagemaker.model_monitor import ModelMonitor, ModelQualityMonitor, MonitoringOutput

session = Session()
role = "arn:aws:iam::123456789012:role/monitoring"
name = "refusals-" + os.environ["RUN"]
bucket = f"s3://{session.default_bucket()}/{name}"
client = boto3.client("sagemaker")


def raises(kind, call, text=""):
    try:
        call()
    except kind as error:
        assert text in str(error), error
        return error
    raise AssertionError(f"no {kind.__name__}")


monitor = DefaultModelMonitor(role=role, sagemaker_session=session)
raises(NotImplementedError, monitor.run_baseline)
raises(ValueError, monitor.describe_latest_baselining_job, "No suggestion jobs were kicked off.")
raises(ValueError, lambda: monitor.update_monitoring_alert("alert", 1, 1), "create a schedule first")
assert monitor.list_monitoring_alerts() == ([], None)
raises(
    ValueError,
    lambda: monitor.create_monitoring_schedule(
        endpoint_input="endpoint", schedule_cron_expression=CronExpressionGenerator.now()
    ),
)
raises(TypeError, ModelMonitor.monitoring_type)
assert DefaultModelMonitor.monitoring_type() == "DataQuality"

# Nothing of that name.
error = raises(ClientError, lambda: DefaultModelMonitor.attach(name, sagemaker_session=session))
assert error.response["Error"]["Code"] == "ResourceNotFound", error
assert "not found" in error.response["Error"]["Message"], error
missing = DefaultModelMonitor(role=role, sagemaker_session=session)
missing.monitoring_schedule_name = name
assert missing.list_executions() == []
raises(ValueError, missing.get_latest_execution_logs, "No execution jobs were kicked off.")
raises(ClientError, missing.start_monitoring_schedule, "ResourceNotFound")

# A baselining job that fails: its data set is no data set.
monitor.suggest_baseline(
    baseline_dataset=f"{bucket}/nothing-here",
    dataset_format=DatasetFormat.csv(header=True),
    output_s3_uri=f"{bucket}/baseline",
    job_name=name + "-no-data",
    wait=False,
    logs=False,
)
while (job := monitor.describe_latest_baselining_job())["ProcessingJobStatus"] == "InProgress":
    time.sleep(0.2)
assert job["ProcessingJobStatus"] == "Failed", job
assert f"{bucket}/nothing-here" in job["FailureReason"], job
raises(UnexpectedStatusException, monitor.baseline_statistics)
raises(UnexpectedStatusException, monitor.suggested_constraints)

# An image that nothing stands for.
unknown = ModelMonitor(
    role=role, image_uri="123456789012.dkr.ecr.eu-west-1.amazonaws.com/unknown-thing:7", sagemaker_session=session
)
client.create_processing_job(
    ProcessingJobName=name + "-unknown",
    ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
    AppSpecification={"ImageUri": unknown.image_uri},
    RoleArn=role,
)
while (job := client.describe_processing_job(ProcessingJobName=name + "-unknown"))[
    "ProcessingJobStatus"
] == "InProgress":
    time.sleep(0.2)
assert job["ProcessingJobStatus"] == "Failed"
assert "unknown-thing" in job["FailureReason"] and "images" in job["FailureReason"], job

# A schedule without data: one failed execution, and no job.
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
monitor.create_monitoring_schedule(
    endpoint_input=EndpointInput(name, "/opt/ml/processing/input/endpoint"),
    output_s3_uri=f"{bucket}/results",
    monitor_schedule_name=name,
    schedule_cron_expression=CronExpressionGenerator.now(),
    data_analysis_start_time="-PT1H",
    data_analysis_end_time="-PT0H",
)
while True:
    summary = monitor.describe_schedule().get("LastMonitoringExecutionSummary", {})
    if summary.get("MonitoringExecutionStatus") not in (None, "Pending", "InProgress"):
        break
    time.sleep(0.2)
assert summary["MonitoringExecutionStatus"] == "Failed", summary
assert "Job inputs had no data" in summary["FailureReason"], summary
assert "ProcessingJobArn" not in summary
assert monitor.list_executions() == []
raises(ValueError, monitor.get_latest_execution_logs, "Processing Job did not run for the last execution")
raises(ValueError, lambda: monitor.create_monitoring_schedule(endpoint_input=name), "already used")

# Wrong kinds of monitors.
raises(TypeError, lambda: ModelQualityMonitor.attach(name, sagemaker_session=session), "can only attach to")
raises(KeyError, lambda: ModelMonitor.attach(name, sagemaker_session=session))
second = DefaultModelMonitor(role=role, sagemaker_session=session)
error = raises(
    ClientError,
    lambda: second.create_monitoring_schedule(
        endpoint_input=EndpointInput(name, "/opt/ml/processing/input/endpoint"),
        output_s3_uri=f"{bucket}/results",
        monitor_schedule_name=name,
        schedule_cron_expression=CronExpressionGenerator.hourly(),
    ),
)
assert error.response["Error"]["Code"] == "ResourceInUse", error
definitions = client.list_data_quality_job_definitions(EndpointName=name)["JobDefinitionSummaries"]
assert [definition["MonitoringJobDefinitionName"] for definition in definitions] == [monitor.job_definition_name]
raises(
    ValueError,
    lambda: ModelMonitor(role=role, image_uri="image", sagemaker_session=session, env={}).create_monitoring_schedule(
        endpoint_input=name, output=None
    ),
    "output can not be None.",
)
raises(
    ClientError,
    lambda: ModelMonitor(role=role, image_uri="image", sagemaker_session=session, env={}).create_monitoring_schedule(
        endpoint_input=name,
        output=MonitoringOutput(source="/opt/ml/processing/output", destination=f"{bucket}/results"),
        monitor_schedule_name=name + "-cron",
        schedule_cron_expression="cron(every day)",
    ),
    "ValidationException",
)
monitor.delete_monitoring_schedule()
print("done")
