"""The resource classes of the third SDK: they describe what they have made, wait for it, list it and see it go."""

import os
import time

from botocore.exceptions import ClientError
from sagemaker.core.resources import (
    DataQualityJobDefinition,
    Endpoint,
    EndpointConfig,
    Model,
    MonitoringExecution,
    MonitoringSchedule,
    ProcessingJob,
)
from sagemaker.core.shapes import (
    AppSpecification,
    ContainerDefinition,
    DataQualityAppSpecification,
    DataQualityJobInput,
    EndpointInput,
    MonitoringClusterConfig,
    MonitoringOutput,
    MonitoringOutputConfig,
    MonitoringResources,
    MonitoringS3Output,
    MonitoringScheduleConfig,
    ProcessingClusterConfig,
    ProcessingResources,
    ProductionVariant,
    ScheduleConfig,
)

role = "arn:aws:iam::123456789012:role/monitoring"
name = "classes-" + os.environ["RUN"]
registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
machine = {"instance_count": 1, "instance_type": "ml.m5.large"}

model = Model.create(
    model_name=name, primary_container=ContainerDefinition(image=f"{registry}/churn-model:1"), execution_role_arn=role
)
assert model.model_arn.endswith(f":model/{name}")
variant = ProductionVariant(
    variant_name="AllTraffic", model_name=name, initial_instance_count=1, instance_type="ml.m5.large"
)
EndpointConfig.create(endpoint_config_name=name, production_variants=[variant])
endpoint = Endpoint.create(endpoint_name=name, endpoint_config_name=name)
endpoint.wait_for_status("InService", poll=1)

job = ProcessingJob.create(
    processing_job_name=name,
    processing_resources=ProcessingResources(cluster_config=ProcessingClusterConfig(volume_size_in_gb=1, **machine)),
    app_specification=AppSpecification(image_uri=f"{registry}/row-counter:1"),
    role_arn=role,
)
job.wait(poll=1)
assert job.processing_job_status == "Completed" and job.exit_message.startswith("Completed: 0 rows")
assert [known.processing_job_name for known in ProcessingJob.get_all(name_contains=name)] == [name]

definition = DataQualityJobDefinition.create(
    job_definition_name=name,
    data_quality_app_specification=DataQualityAppSpecification(
        image_uri=f"{registry}/sagemaker-model-monitor-analyzer"
    ),
    data_quality_job_input=DataQualityJobInput(
        endpoint_input=EndpointInput(endpoint_name=name, local_path="/opt/ml/processing/input/endpoint")
    ),
    data_quality_job_output_config=MonitoringOutputConfig(
        monitoring_outputs=[
            MonitoringOutput(
                s3_output=MonitoringS3Output(s3_uri=f"s3://{name}/out", local_path="/opt/ml/processing/output")
            )
        ]
    ),
    job_resources=MonitoringResources(cluster_config=MonitoringClusterConfig(volume_size_in_gb=1, **machine)),
    role_arn=role,
)
assert definition.stopping_condition.max_runtime_in_seconds == 3600
for number in range(12):
    schedule = MonitoringSchedule.create(
        monitoring_schedule_name=f"{name}-{number:02}",
        monitoring_schedule_config=MonitoringScheduleConfig(
            schedule_config=ScheduleConfig(schedule_expression="cron(0 * ? * * *)"),
            monitoring_job_definition_name=name,
            monitoring_type="DataQuality",
        ),
    )
schedule.wait_for_status("Scheduled", poll=1)
# More than a page: every one of them is described in its turn.
known = [found.monitoring_schedule_name for found in MonitoringSchedule.get_all(name_contains=name)]
assert known == [f"{name}-{number:02}" for number in range(11, -1, -1)], known
assert list(MonitoringExecution.get_all(monitoring_schedule_name=schedule.monitoring_schedule_name)) == []
schedule.stop()
schedule.wait_for_status("Stopped", poll=1)
for number in range(12):
    MonitoringSchedule.get(monitoring_schedule_name=f"{name}-{number:02}").delete()
deadline = time.monotonic() + 30
while True:
    try:
        schedule.refresh()
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ResourceNotFound", error
        break
    assert time.monotonic() < deadline, "the schedule is still there"
    time.sleep(0.2)
endpoint.delete()
endpoint.wait_for_delete(poll=1)
model.delete()
print("done")
