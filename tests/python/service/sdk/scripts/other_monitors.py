"""Schedules of model quality, bias and explainability monitors: made, found again, changed, removed."""

import os
import time

import boto3

try:
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.model_monitor import CronExpressionGenerator, EndpointInput, ModelBiasMonitor
    from sagemaker.core.model_monitor import ModelExplainabilityMonitor, ModelQualityMonitor
except ImportError:
    from sagemaker import Session
    from sagemaker.model_monitor import CronExpressionGenerator, EndpointInput, ModelBiasMonitor
    from sagemaker.model_monitor import ModelExplainabilityMonitor, ModelQualityMonitor

session = Session()
role = "arn:aws:iam::123456789012:role/monitoring"
run = os.environ["RUN"]
bucket = f"s3://{session.default_bucket()}/others-{run}"
client = boto3.client("sagemaker")
traffic = EndpointInput(
    endpoint_name="endpoint-" + run,
    destination="/opt/ml/processing/input/endpoint",
    start_time_offset="-PT2H",
    end_time_offset="-PT1H",
    inference_attribute="0",
)
truth = {"ground_truth_input": f"{bucket}/truth"}
analysis = {"analysis_config": f"{bucket}/analysis_config.json"}
for kind, monitor_type, options, delete_definition in (
    (
        ModelQualityMonitor,
        "ModelQuality",
        truth | {"problem_type": "BinaryClassification"},
        client.delete_model_quality_job_definition,
    ),
    (ModelBiasMonitor, "ModelBias", truth | analysis, client.delete_model_bias_job_definition),
    (ModelExplainabilityMonitor, "ModelExplainability", analysis, client.delete_model_explainability_job_definition),
):
    assert kind.monitoring_type() == monitor_type
    name = f"{monitor_type}-{run}"
    tags = [{"Key": "kind", "Value": monitor_type}]
    monitor = kind(role=role, sagemaker_session=session, max_runtime_in_seconds=1800, tags=tags)
    monitor.create_monitoring_schedule(
        endpoint_input=traffic,
        output_s3_uri=f"{bucket}/results",
        monitor_schedule_name=name,
        schedule_cron_expression=CronExpressionGenerator.hourly(),
        **options,
    )
    while (schedule := monitor.describe_schedule())["MonitoringScheduleStatus"] == "Pending":
        time.sleep(0.2)
    assert schedule["MonitoringScheduleStatus"] == "Scheduled"
    assert schedule["MonitoringType"] == schedule["MonitoringScheduleConfig"]["MonitoringType"] == monitor_type
    attached = kind.attach(name, sagemaker_session=session)
    assert attached.job_definition_name == monitor.job_definition_name
    assert attached.tags == tags
    attached.update_monitoring_schedule(
        schedule_cron_expression=CronExpressionGenerator.daily(), max_runtime_in_seconds=900
    )
    while (schedule := attached.describe_schedule())["MonitoringScheduleStatus"] == "Pending":
        time.sleep(0.2)
    assert schedule["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"] != monitor.job_definition_name
    found = client.list_monitoring_schedules(MonitoringTypeEquals=monitor_type, NameContains=run)
    assert [summary["MonitoringScheduleName"] for summary in found["MonitoringScheduleSummaries"]] == [name]
    attached.delete_monitoring_schedule()
    delete_definition(JobDefinitionName=monitor.job_definition_name)
print("done")
