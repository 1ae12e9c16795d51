"""Schedules of data quality monitors: job definitions, changes, alerts, tags, keys, networks, batch inputs."""

import json
import os
import time

import boto3
from botocore.exceptions import ClientError

try:
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.model_monitor import (
        BatchTransformInput,
        CronExpressionGenerator,
        DataQualityDistributionConstraints,
    )
    from sagemaker.core.model_monitor import DataQualityMonitoringConfig, DatasetFormat, DefaultModelMonitor
    from sagemaker.core.model_monitor import EndpointInput, MonitoringDatasetFormat, NetworkConfig
    from sagemaker.core.s3 import S3Uploader
except ImportError:
    from sagemaker import Session
    from sagemaker.model_monitor import BatchTransformInput, CronExpressionGenerator, DataQualityDistributionConstraints
    from sagemaker.model_monitor import DataQualityMonitoringConfig, DatasetFormat, DefaultModelMonitor
    from sagemaker.model_monitor import EndpointInput, MonitoringDatasetFormat, NetworkConfig
    from sagemaker.s3 import S3Uploader

assert CronExpressionGenerator.hourly() == "cron(0 * ? * * *)"
assert CronExpressionGenerator.daily() == "cron(0 0 ? * * *)"
assert CronExpressionGenerator.daily(hour=5) == "cron(0 5 ? * * *)"
assert CronExpressionGenerator.daily_every_x_hours(hour_interval=8, starting_hour=2) == "cron(0 2/8 ? * * *)"
assert CronExpressionGenerator.now() == "NOW"
assert DatasetFormat.json(lines=False) == {"json": {"lines": False}}
assert DatasetFormat.sagemaker_capture_json() == {"sagemakerCaptureJson": {}}
assert MonitoringDatasetFormat.json(lines=True) == {"Json": {"Line": True}}
assert MonitoringDatasetFormat.parquet() == {"Parquet": {}}
assert DefaultModelMonitor.JOB_DEFINITION_BASE_NAME == "data-quality-job-definition"

session = Session()
role = "arn:aws:iam::123456789012:role/monitoring"
name = "quality-" + os.environ["RUN"]
bucket = f"s3://{session.default_bucket()}/{name}"
client = boto3.client("sagemaker")
kms = boto3.client("kms")
key = kms.create_key()["KeyMetadata"]["KeyId"]
kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)


def settled(monitor):
    while (schedule := monitor.describe_schedule())["MonitoringScheduleStatus"] == "Pending":
        time.sleep(0.2)
    return schedule


def definition_of(schedule):
    return client.describe_data_quality_job_definition(
        JobDefinitionName=schedule["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"]
    )


monitor = DefaultModelMonitor(
    role=role,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    volume_size_in_gb=20,
    volume_kms_key=key,
    output_kms_key=f"alias/{name}",
    max_runtime_in_seconds=1800,
    base_job_name="quality",
    sagemaker_session=session,
    env={"exclude_features_attribute": "Churn"},
    tags=[{"Key": "stage", "Value": "test"}, {"Key": "team", "Value": "churn"}],
    network_config=NetworkConfig(
        enable_network_isolation=False,
        security_group_ids=["sg-0123456789abcdef0"],
        subnets=["subnet-0123456789abcdef0"],
    ),
)
monitor.suggest_baseline(
    baseline_dataset="baseline.csv",
    dataset_format=DatasetFormat.csv(header=True, output_columns_position="START"),
    monitoring_config_override=DataQualityMonitoringConfig(
        distribution_constraints=DataQualityDistributionConstraints(categorical_drift_method="ChiSquared")
    ),
    job_name=name + "-baseline",
    wait=False,
    logs=False,
)

assert monitor.latest_baselining_job.describe()["ProcessingJobName"] == name + "-baseline"

# The schedule may be made while the baselining job runs.
monitor.create_monitoring_schedule(
    endpoint_input=EndpointInput(
        endpoint_name=name,
        destination="/opt/ml/processing/input/endpoint",
        s3_input_mode="File",
        s3_data_distribution_type="FullyReplicated",
    ),
    record_preprocessor_script="preprocess.py",
    post_analytics_processor_script="postprocess.py",
    monitor_schedule_name=name,
    schedule_cron_expression=CronExpressionGenerator.daily(hour=5),
    enable_cloudwatch_metrics=False,
)
schedule = settled(monitor)
assert schedule["MonitoringScheduleStatus"] == "Scheduled", schedule
assert schedule["MonitoringType"] == "DataQuality"
assert schedule["MonitoringScheduleConfig"]["ScheduleConfig"] == {"ScheduleExpression": "cron(0 5 ? * * *)"}
definition = definition_of(schedule)
application = definition["DataQualityAppSpecification"]
assert application["ImageUri"].endswith("sagemaker-model-monitor-analyzer")
assert application["RecordPreprocessorSourceUri"].endswith("preprocess.py")
assert application["PostAnalyticsProcessorSourceUri"].endswith("postprocess.py")
assert application["Environment"] == {
    "exclude_features_attribute": "Churn",
    "publish_cloudwatch_metrics": "Disabled",
}, application["Environment"]
baseline = definition["DataQualityBaselineConfig"]
results = f"s3://{session.default_bucket()}/model-monitor/baselining/{name}-baseline/results"
assert baseline["BaseliningJobName"] == name + "-baseline"
assert baseline["ConstraintsResource"] == {"S3Uri": f"{results}/constraints.json"}
assert baseline["StatisticsResource"] == {"S3Uri": f"{results}/statistics.json"}
assert definition["StoppingCondition"] == {"MaxRuntimeInSeconds": 1800}
assert definition["NetworkConfig"]["EnableNetworkIsolation"] is False
assert definition["NetworkConfig"]["EnableInterContainerTrafficEncryption"] is False
assert definition["DataQualityJobOutputConfig"]["KmsKeyId"] == f"alias/{name}"
assert definition["JobResources"]["ClusterConfig"]["VolumeKmsKeyId"] == key

attached = DefaultModelMonitor.attach(name, sagemaker_session=session)
assert attached.job_definition_name == definition["JobDefinitionName"]
assert attached.max_runtime_in_seconds == 1800
assert attached.volume_kms_key == key and attached.output_kms_key == f"alias/{name}"
assert sorted(tag["Key"] for tag in attached.tags) == ["stage", "team"]

# Changes: the expression alone, then a new job definition.
monitor.update_monitoring_schedule(schedule_cron_expression=CronExpressionGenerator.hourly())
schedule = settled(monitor)
assert schedule["MonitoringScheduleConfig"]["ScheduleConfig"] == {"ScheduleExpression": "cron(0 * ? * * *)"}
assert definition_of(schedule)["JobDefinitionName"] == definition["JobDefinitionName"]
monitor.stop_monitoring_schedule()
assert settled(monitor)["MonitoringScheduleStatus"] == "Stopped"
attached.update_monitoring_schedule(
    output_s3_uri=f"{bucket}/elsewhere",
    max_runtime_in_seconds=900,
    instance_type="ml.m5.4xlarge",
    env={"note": "changed"},
    enable_cloudwatch_metrics=True,
)
schedule = settled(attached)
assert schedule["MonitoringScheduleStatus"] == "Scheduled"
assert schedule["MonitoringScheduleConfig"]["ScheduleConfig"] == {"ScheduleExpression": "cron(0 * ? * * *)"}
changed = definition_of(schedule)
assert changed["JobDefinitionName"] != definition["JobDefinitionName"]
assert changed["StoppingCondition"] == {"MaxRuntimeInSeconds": 900}
assert changed["DataQualityJobInput"] == definition["DataQualityJobInput"]
assert changed["DataQualityBaselineConfig"]["ConstraintsResource"] == baseline["ConstraintsResource"]
assert changed["DataQualityAppSpecification"]["Environment"]["note"] == "changed"
attached.stop_monitoring_schedule()
attached.start_monitoring_schedule()
assert settled(attached)["MonitoringScheduleStatus"] == "Scheduled"

# Alerts.
(alert,), token = attached.list_monitoring_alerts(max_results=5)
assert token is None
assert alert.alert_status == "OK"
assert (alert.data_points_to_alert, alert.evaluation_period) == (1, 1)
assert alert.actions.model_dashboard_indicator.enabled is True
attached.update_monitoring_alert(alert.alert_name, data_points_to_alert=2, evaluation_period=3)
(alert,), _ = attached.list_monitoring_alerts()
assert (alert.data_points_to_alert, alert.evaluation_period) == (2, 3)
assert attached.list_monitoring_alert_history(monitoring_alert_name=alert.alert_name) == ([], None)

attached.delete_monitoring_schedule()
for gone in (
    lambda: client.describe_monitoring_schedule(MonitoringScheduleName=name),
    lambda: client.describe_data_quality_job_definition(JobDefinitionName=changed["JobDefinitionName"]),
):
    try:
        gone()
        raise AssertionError("still there")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ResourceNotFound", error
client.delete_data_quality_job_definition(JobDefinitionName=definition["JobDefinitionName"])

# The results of a batch transform job, which are named by manifests.
S3Uploader.upload("transform", f"{bucket}/transform")
hour = os.environ["HOUR"]
for side in ("input", "output"):
    S3Uploader.upload_string_as_file_body(
        json.dumps([{"prefix": f"{bucket}/transform/"}, "today.csv"]), f"{bucket}/batch/{side}/{hour}/manifest.json"
    )
batch = DefaultModelMonitor(role=role, sagemaker_session=session, env=monitor.env)
batch.create_monitoring_schedule(
    batch_transform_input=BatchTransformInput(
        data_captured_destination_s3_uri=f"{bucket}/batch",
        destination="/opt/ml/processing/input/batch",
        dataset_format=MonitoringDatasetFormat.csv(header=True),
        start_time_offset="-PT2H",
        end_time_offset="-PT0H",
    ),
    output_s3_uri=f"{bucket}/batch-results",
    statistics=f"{results}/statistics.json",
    constraints=f"{results}/constraints.json",
    monitor_schedule_name=name + "-batch",
    schedule_cron_expression=CronExpressionGenerator.now(),
    data_analysis_start_time="-PT2H",
    data_analysis_end_time="-PT0H",
)
while True:
    summary = batch.describe_schedule().get("LastMonitoringExecutionSummary", {})
    if summary.get("MonitoringExecutionStatus") not in (None, "Pending", "InProgress"):
        break
    time.sleep(0.5)
assert summary["MonitoringExecutionStatus"] == "CompletedWithViolations", summary
violations = batch.latest_monitoring_constraint_violations()
assert violations.file_s3_uri.startswith(f"{bucket}/batch-results/{name}-batch/")
assert {violation["feature_name"] for violation in violations.body_dict["violations"]} == {
    "Account Length",
    "Day Mins",
    "Intl Calls",
    "Night Mins",
}, violations.body_dict
batch.delete_monitoring_schedule()
print("done")
