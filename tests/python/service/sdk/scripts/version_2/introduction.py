"""AWS's introduction to model monitoring: deploy with capture, ask, look at what was captured, baseline, monitor."""

import json
import os
import time
from urllib.parse import urlparse

import boto3
import sagemaker
from sagemaker import image_uris
from sagemaker.model import Model
from sagemaker.model_monitor import CronExpressionGenerator, DataCaptureConfig, DefaultModelMonitor
from sagemaker.model_monitor.dataset_format import DatasetFormat
from sagemaker.predictor import Predictor
from sagemaker.s3 import S3Uploader
from sagemaker.serializers import CSVSerializer

session = sagemaker.Session()
region = boto3.Session().region_name
role = os.environ.get("EXECUTION_ROLE") or sagemaker.get_execution_role()
bucket = session.default_bucket()
prefix = "sagemaker/DEMO-ModelMonitor-" + os.environ["RUN"]
capture_prefix = f"{prefix}/datacapture"
s3_capture_upload_path = f"s3://{bucket}/{capture_prefix}"
s3_report_path = f"s3://{bucket}/{prefix}/reports"
s3_client = boto3.Session().client("s3")

# Part A: capture what is asked of a trained model.
with open("xgb-churn-prediction-model.tar.gz", "rb") as model_file:
    s3_key = f"{prefix}/xgb-churn-prediction-model.tar.gz"
    boto3.Session().resource("s3").Bucket(bucket).Object(s3_key).upload_fileobj(model_file)
model_name = "DEMO-xgb-churn-pred-model-monitor-" + os.environ["RUN"]
model_url = f"https://{bucket}.s3-{region}.amazonaws.com/{prefix}/xgb-churn-prediction-model.tar.gz"
image_uri = image_uris.retrieve("xgboost", region, "0.90-1")
model = Model(image_uri=image_uri, model_data=model_url, role=role, name=model_name, sagemaker_session=session)
endpoint_name = "DEMO-xgb-churn-pred-" + os.environ["RUN"]
data_capture_config = DataCaptureConfig(
    enable_capture=True, sampling_percentage=100, destination_s3_uri=s3_capture_upload_path
)
model.deploy(
    initial_instance_count=1,
    instance_type="ml.m4.xlarge",
    endpoint_name=endpoint_name,
    data_capture_config=data_capture_config,
)
predictor = Predictor(endpoint_name=endpoint_name, sagemaker_session=session, serializer=CSVSerializer())

rows = 0
with open("test_data.csv") as lines, open("predictions.csv", "w") as predictions:
    for row in lines:
        payload = row.rstrip("\n")
        response = predictor.predict(data=payload)
        predictions.write(response.decode("utf-8").rstrip("\n") + "\n")
        rows += 1

current_endpoint_capture_prefix = f"{capture_prefix}/{endpoint_name}"


def get_obj_body(obj_key):
    return s3_client.get_object(Bucket=bucket, Key=obj_key).get("Body").read().decode("utf-8")


captured = 0
deadline = time.monotonic() + 30
while captured < rows and time.monotonic() < deadline:
    captured = 0
    for page in s3_client.get_paginator("list_objects").paginate(Bucket=bucket, Prefix=current_endpoint_capture_prefix):
        capture_files = [capture_file.get("Key") for capture_file in page.get("Contents", [])]
        captured += sum(len(get_obj_body(capture_file).split("\n")[:-1]) for capture_file in capture_files)
    time.sleep(0.2)
assert captured == rows, (captured, rows)
result = s3_client.list_objects(Bucket=bucket, Prefix=current_endpoint_capture_prefix)
capture_files = [capture_file.get("Key") for capture_file in result.get("Contents")]
print("Found Capture Files:", *capture_files, sep="\n ")
line = json.loads(get_obj_body(capture_files[-1]).split("\n")[0])
print(json.dumps(line, indent=2))
assert line["captureData"]["endpointInput"]["observedContentType"] == "text/csv"
assert line["captureData"]["endpointInput"]["encoding"] == line["captureData"]["endpointOutput"]["encoding"] == "CSV"
assert len(line["captureData"]["endpointInput"]["data"].split(",")) == 69
assert 0 < float(line["captureData"]["endpointOutput"]["data"]) < 1

# Part B: a baseline of the training data.
baseline_data_uri = f"s3://{bucket}/{prefix}/baselining/data"
baseline_results_uri = f"s3://{bucket}/{prefix}/baselining/results"
with open("baseline.csv", "rb") as training_data_file:
    s3_key = f"{prefix}/baselining/data/training-dataset-with-header.csv"
    boto3.Session().resource("s3").Bucket(bucket).Object(s3_key).upload_fileobj(training_data_file)
my_default_monitor = DefaultModelMonitor(
    role=role,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    volume_size_in_gb=20,
    max_runtime_in_seconds=3600,
    sagemaker_session=session,
)
my_default_monitor.suggest_baseline(
    baseline_dataset=baseline_data_uri + "/training-dataset-with-header.csv",
    dataset_format=DatasetFormat.csv(header=True),
    output_s3_uri=baseline_results_uri,
    wait=True,
    logs=False,
)
result = s3_client.list_objects(Bucket=bucket, Prefix=f"{prefix}/baselining/results")
report_files = [report_file.get("Key").rpartition("/")[2] for report_file in result.get("Contents")]
assert report_files == ["constraints.json", "statistics.json"], report_files
baseline_job = my_default_monitor.latest_baselining_job
assert len(baseline_job.baseline_statistics().body_dict["features"]) == 70
constraints = baseline_job.suggested_constraints()
assert {feature["name"] for feature in constraints.body_dict["features"]} >= {"Churn", "Day Mins"}
assert constraints.body_dict["monitoring_config"]["datatype_check_threshold"] == 1.0

# Part C: a monitor of the endpoint with a preprocessor and a script that follows the analysis.
pre_processor_script = S3Uploader.upload("preprocess.py", f"s3://{bucket}/{prefix}/code", sagemaker_session=session)
post_processor_script = S3Uploader.upload("postprocess.py", f"s3://{bucket}/{prefix}/code", sagemaker_session=session)
mon_schedule_name = "DEMO-xgb-churn-pred-model-monitor-schedule-" + os.environ["RUN"]
my_default_monitor.create_monitoring_schedule(
    monitor_schedule_name=mon_schedule_name,
    endpoint_input=endpoint_name,
    record_preprocessor_script=pre_processor_script,
    post_analytics_processor_script=post_processor_script,
    output_s3_uri=s3_report_path,
    statistics=my_default_monitor.baseline_statistics(),
    constraints=my_default_monitor.suggested_constraints(),
    schedule_cron_expression=CronExpressionGenerator.now(),
    data_analysis_start_time="-PT2H",
    data_analysis_end_time="-PT0H",
    enable_cloudwatch_metrics=True,
)
while (schedule := my_default_monitor.describe_schedule())["MonitoringScheduleStatus"] == "Pending":
    time.sleep(0.2)
print("Schedule status:", schedule["MonitoringScheduleStatus"])
(monitor,) = predictor.list_monitors()
assert monitor.monitoring_schedule_name == mon_schedule_name

while True:
    summary = my_default_monitor.describe_schedule().get("LastMonitoringExecutionSummary", {})
    if summary.get("MonitoringExecutionStatus") not in (None, "Pending", "InProgress"):
        break
    time.sleep(0.5)
mon_executions = my_default_monitor.list_executions()
latest_execution = mon_executions[-1]
latest_job = latest_execution.describe()
print("Latest execution status:", latest_job["ProcessingJobStatus"])
print("Latest execution result:", latest_job["ExitMessage"])
assert latest_job["ExitMessage"] == "CompletedWithViolations: Job completed successfully with 60 violations."
report_uri = latest_execution.output.destination
s3uri = urlparse(report_uri)
result = s3_client.list_objects(Bucket=s3uri.netloc, Prefix=s3uri.path.lstrip("/"))
report_files = sorted(report_file.get("Key").rpartition("/")[2] for report_file in result.get("Contents"))
assert report_files == ["constraint_violations.json", "constraints.json", "postprocessed.txt", "statistics.json"]
violations = my_default_monitor.latest_monitoring_constraint_violations()
with open("violations.json", "w") as file:
    json.dump(violations.body_dict, file)
assert my_default_monitor.latest_monitoring_statistics().body_dict["dataset"]["item_count"] == rows

# Clean up.
my_default_monitor.stop_monitoring_schedule()
my_default_monitor.delete_monitoring_schedule()
predictor.delete_model()
predictor.delete_endpoint()
names = [
    known["EndpointName"] for known in boto3.client("sagemaker").list_endpoints(NameContains=endpoint_name)["Endpoints"]
]
assert names in ([], [endpoint_name]), names
print("done")
