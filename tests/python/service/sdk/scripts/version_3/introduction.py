"""AWS's introduction to model monitoring: deploy with capture, ask, look at what was captured, baseline, monitor."""

import json
import os
import time

import boto3
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.model_monitor import CronExpressionGenerator, DatasetFormat, DefaultModelMonitor
from sagemaker.core.resources import Endpoint, EndpointConfig, Model
from sagemaker.core.s3 import S3Uploader
from sagemaker.core.shapes import (
    CaptureContentTypeHeader,
    CaptureOption,
    ContainerDefinition,
    DataCaptureConfig,
    ProductionVariant,
)

session = Session()
region = boto3.Session().region_name
role = os.environ.get("EXECUTION_ROLE") or get_execution_role()
bucket = session.default_bucket()
prefix = "sagemaker/DEMO-ModelMonitor-" + os.environ["RUN"]
capture_prefix = f"{prefix}/datacapture"
s3_report_path = f"s3://{bucket}/{prefix}/reports"
s3_client = boto3.Session().client("s3")

# Part A: capture what is asked of a trained model.
with open("xgb-churn-prediction-model.tar.gz", "rb") as model_file:
    s3_key = f"{prefix}/xgb-churn-prediction-model.tar.gz"
    boto3.Session().resource("s3").Bucket(bucket).Object(s3_key).upload_fileobj(model_file)
name = "DEMO-xgb-churn-pred-" + os.environ["RUN"]
model = Model.create(
    model_name=name,
    primary_container=ContainerDefinition(
        image=image_uris.retrieve("xgboost", region, "0.90-1"), model_data_url=f"s3://{bucket}/{s3_key}"
    ),
    execution_role_arn=role,
)
config = EndpointConfig.create(
    endpoint_config_name=name,
    production_variants=[
        ProductionVariant(
            variant_name="AllTraffic", model_name=name, initial_instance_count=1, instance_type="ml.m4.xlarge"
        )
    ],
    data_capture_config=DataCaptureConfig(
        enable_capture=True,
        initial_sampling_percentage=100,
        destination_s3_uri=f"s3://{bucket}/{capture_prefix}",
        capture_options=[CaptureOption(capture_mode="Input"), CaptureOption(capture_mode="Output")],
        capture_content_type_header=CaptureContentTypeHeader(csv_content_types=["text/csv"]),
    ),
)
endpoint = Endpoint.create(endpoint_name=name, endpoint_config_name=name)
endpoint.wait_for_status("InService", poll=1)
assert endpoint.data_capture_config.capture_status == "Started"

rows = 0
with open("test_data.csv") as lines, open("predictions.csv", "w") as predictions:
    for row in lines:
        response = endpoint.invoke(body=row.rstrip("\n"), content_type="text/csv")
        assert response.invoked_production_variant == "AllTraffic"
        predictions.write(response.body.read().decode("utf-8").rstrip("\n") + "\n")
        rows += 1


def get_obj_body(obj_key):
    return s3_client.get_object(Bucket=bucket, Key=obj_key).get("Body").read().decode("utf-8")


captured = 0
deadline = time.monotonic() + 30
while captured < rows and time.monotonic() < deadline:
    captured = 0
    for page in s3_client.get_paginator("list_objects").paginate(Bucket=bucket, Prefix=f"{capture_prefix}/{name}"):
        capture_files = [capture_file.get("Key") for capture_file in page.get("Contents", [])]
        captured += sum(len(get_obj_body(capture_file).split("\n")[:-1]) for capture_file in capture_files)
    time.sleep(0.2)
assert captured == rows, (captured, rows)
result = s3_client.list_objects(Bucket=bucket, Prefix=f"{capture_prefix}/{name}")
line = json.loads(get_obj_body(result.get("Contents")[-1].get("Key")).split("\n")[0])
print(json.dumps(line, indent=2))
assert 0 < float(line["captureData"]["endpointOutput"]["data"]) < 1

# Part B: a baseline of the training data.
training_data = S3Uploader.upload("baseline.csv", f"s3://{bucket}/{prefix}/baselining/data", sagemaker_session=session)
my_default_monitor = DefaultModelMonitor(
    role=role,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    volume_size_in_gb=20,
    max_runtime_in_seconds=3600,
    sagemaker_session=session,
)
my_default_monitor.suggest_baseline(
    baseline_dataset=training_data,
    dataset_format=DatasetFormat.csv(header=True),
    output_s3_uri=f"s3://{bucket}/{prefix}/baselining/results",
    wait=True,
    logs=False,
)
constraints = my_default_monitor.suggested_constraints()
assert {feature["name"] for feature in constraints.body_dict["features"]} >= {"Churn", "Day Mins"}

# Part C: a monitor of the endpoint with a preprocessor and a script that follows the analysis.
pre_processor_script = S3Uploader.upload("preprocess.py", f"s3://{bucket}/{prefix}/code", sagemaker_session=session)
mon_schedule_name = "DEMO-xgb-churn-pred-model-monitor-schedule-" + os.environ["RUN"]
my_default_monitor.create_monitoring_schedule(
    monitor_schedule_name=mon_schedule_name,
    endpoint_input=name,
    record_preprocessor_script=pre_processor_script,
    post_analytics_processor_script="postprocess.py",
    output_s3_uri=s3_report_path,
    statistics=my_default_monitor.baseline_statistics(),
    constraints=constraints,
    schedule_cron_expression=CronExpressionGenerator.now(),
    data_analysis_start_time="-PT2H",
    data_analysis_end_time="-PT0H",
    enable_cloudwatch_metrics=True,
)
while True:
    summary = my_default_monitor.describe_schedule().get("LastMonitoringExecutionSummary", {})
    if summary.get("MonitoringExecutionStatus") not in (None, "Pending", "InProgress"):
        break
    time.sleep(0.5)
latest_execution = my_default_monitor.list_executions()[-1]
latest_job = latest_execution.describe()
assert latest_job["ExitMessage"] == "CompletedWithViolations: Job completed successfully with 60 violations."
violations = my_default_monitor.latest_monitoring_constraint_violations()
with open("violations.json", "w") as file:
    json.dump(violations.body_dict, file)
assert my_default_monitor.latest_monitoring_statistics().body_dict["dataset"]["item_count"] == rows

# Clean up.
my_default_monitor.stop_monitoring_schedule()
my_default_monitor.delete_monitoring_schedule()
endpoint.delete()
endpoint.wait_for_delete(poll=1)
config.delete()
model.delete()
print("done")
