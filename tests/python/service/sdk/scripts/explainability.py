"""AWS's notebook of feature attribution drift: a baseline, traffic like it, and traffic that is decided by other features."""

import json
import os
import time

import boto3
from botocore.exceptions import ClientError

try:
    from sagemaker.core.clarify import DataConfig, ModelConfig, SHAPConfig
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.model_monitor import CronExpressionGenerator, EndpointInput, ExplainabilityAnalysisConfig
    from sagemaker.core.model_monitor import ModelExplainabilityMonitor
    from sagemaker.core.s3 import S3Downloader, S3Uploader

    VERSION = 3
except ImportError:
    from sagemaker import Session
    from sagemaker.clarify import DataConfig, ModelConfig, SHAPConfig
    from sagemaker.model_monitor import CronExpressionGenerator, EndpointInput, ExplainabilityAnalysisConfig
    from sagemaker.model_monitor import ModelExplainabilityMonitor
    from sagemaker.s3 import S3Downloader, S3Uploader

    VERSION = 2

session = Session()
region = boto3.Session().region_name
role = "arn:aws:iam::123456789012:role/monitoring"
name = "DEMO-shap-" + os.environ["RUN"]
bucket = f"s3://{session.default_bucket()}/{name}"
client, runtime = boto3.client("sagemaker"), boto3.client("sagemaker-runtime")
headers = json.loads(open("headers.json").read())
rows = [json.loads(line)["features"] for line in open("rows.jsonl")]
background = json.loads(open("background.json").read())

# A model and its endpoint. What it captures is in base 64: nothing says that JSON lines are JSON.
client.create_model(
    ModelName=name,
    PrimaryContainer={
        "Image": f"438346466558.dkr.ecr.{region}.amazonaws.com/linear-learner:1",
        "ModelDataUrl": S3Uploader.upload("ll-adult-prediction-model.tar.gz", f"{bucket}/model"),
    },
    ExecutionRoleArn=role,
)
client.create_endpoint_config(
    EndpointConfigName=name,
    ProductionVariants=[
        {"VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.xlarge"}
    ],
    DataCaptureConfig={
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"{bucket}/datacapture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    },
)
client.create_endpoint(EndpointName=name, EndpointConfigName=name)
client.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1})

# The baseline.
model_config = ModelConfig(
    model_name=name,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    content_type="application/jsonlines",
    accept_type="application/jsonlines",
    content_template='{"features":$features}',
)
shap_config = SHAPConfig(
    baseline=[{"features": background}], num_samples=100, agg_method="mean_abs", save_local_shap_values=False
)
monitor = ModelExplainabilityMonitor(role=role, sagemaker_session=session, max_runtime_in_seconds=1800)


def suggest_baseline():
    monitor.suggest_baseline(
        data_config=DataConfig(
            s3_data_input_path=S3Uploader.upload("validation-dataset.jsonl", f"{bucket}/data"),
            s3_output_path=f"{bucket}/baselining",
            label="label",
            headers=headers,
            features="features",
            dataset_type="application/jsonlines",
        ),
        explainability_config=shap_config,
        model_config=model_config,
        model_scores="score",
        job_name=name + "-baseline",
    )


if VERSION == 2:
    suggest_baseline()
else:
    # Version 3.27 starts the job, and then looks for a session that the job's object does not have.
    try:
        suggest_baseline()
        raise AssertionError("the defect has gone: take the baseline as version 2 does")
    except AttributeError as error:
        assert "sagemaker_session" in str(error), error
while (job := client.describe_processing_job(ProcessingJobName=name + "-baseline"))[
    "ProcessingJobStatus"
] == "InProgress":
    time.sleep(0.2)
assert job["ProcessingJobStatus"] == "Completed", job
baseline = json.loads(S3Downloader.read_file(f"{bucket}/baselining/analysis.json"))
if VERSION == 2:
    assert monitor.suggested_constraints().body_dict == baseline
with open("baseline.json", "w") as file:
    json.dump(baseline, file)


def ask(records):
    for record in records:
        runtime.invoke_endpoint(
            EndpointName=name,
            Body=json.dumps({"features": record}, separators=(",", ":")),
            ContentType="application/jsonlines",
            Accept="application/jsonlines",
        )


def ended(watched):
    while True:
        summary = watched.describe_schedule().get("LastMonitoringExecutionSummary", {})
        if summary.get("MonitoringExecutionStatus") not in (None, "Pending", "InProgress"):
            return summary
        time.sleep(0.1)


def output(summary):
    job = client.describe_processing_job(ProcessingJobName=summary["ProcessingJobArn"].split("/")[1])
    assert job["ProcessingJobStatus"] == "Completed", job
    return job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]


traffic = EndpointInput(endpoint_name=name, destination="/opt/ml/processing/input/endpoint")
times = {
    "schedule_cron_expression": CronExpressionGenerator.now(),
    "data_analysis_start_time": "-PT2H",
    "data_analysis_end_time": "-PT0H",
}

# Traffic like the baseline: all that the monitor needs to know it has from there.
ask(rows[:100])
monitor.create_monitoring_schedule(
    output_s3_uri=f"{bucket}/monitoring", endpoint_input=traffic, monitor_schedule_name=name, **times
)
definition = client.describe_model_explainability_job_definition(JobDefinitionName=monitor.job_definition_name)
source = definition["ModelExplainabilityJobInput"]["EndpointInput"]
assert (source["FeaturesAttribute"], source["InferenceAttribute"]) == ("features", "score"), source
config = json.loads(S3Downloader.read_file(definition["ModelExplainabilityAppSpecification"]["ConfigUri"]))
# The label is left among the headers: its path is none of their names, and by its name the client looks for it.
assert config["headers"] == headers and list(config) == ["methods", "predictor", "headers"], config
summary = ended(monitor)
assert summary["MonitoringExecutionStatus"] == "Completed", summary
if VERSION == 2:
    execution = monitor.list_executions()[-1]
    assert execution.constraint_violations() is None
    assert monitor.latest_monitoring_constraint_violations() is None
try:
    S3Downloader.read_file(f"{output(summary)}/constraint_violations.json")
    raise AssertionError("violations where there are none")
except ClientError as error:
    assert error.response["Error"]["Code"] == "NoSuchKey", error
with open("live.json", "w") as file:
    file.write(S3Downloader.read_file(f"{output(summary)}/analysis.json"))
monitor.delete_monitoring_schedule()

# Others who differ from the background in their occupation alone, so many of them that the median is theirs; a configuration
# of one's own.
ask([[*background[:6], 13, *background[7:]]] * 300)
other = ModelExplainabilityMonitor(
    role=role, sagemaker_session=session, max_runtime_in_seconds=1800, tags=[{"Key": "team", "Value": "census"}]
)
other.create_monitoring_schedule(
    output_s3_uri=f"{bucket}/monitoring",
    endpoint_input=EndpointInput(
        endpoint_name=name,
        destination="/opt/ml/processing/input/endpoint",
        features_attribute="features",
        inference_attribute="score",
    ),
    analysis_config=ExplainabilityAnalysisConfig(
        SHAPConfig(baseline=[{"features": background}], num_samples=100, agg_method="median"),
        model_config,
        headers=headers[:-1],
    ),
    constraints=f"{bucket}/baselining/analysis.json",
    monitor_schedule_name=name + "-drift",
    **times,
)
summary = ended(other)
assert summary["MonitoringExecutionStatus"] == "CompletedWithViolations", summary
violations = json.loads(S3Downloader.read_file(f"{output(summary)}/constraint_violations.json"))
if VERSION == 2:
    assert other.latest_monitoring_constraint_violations().body_dict == violations
for file_name, key in (("violations.json", "constraint_violations.json"), ("drifted.json", "analysis.json")):
    with open(file_name, "w") as file:
        file.write(S3Downloader.read_file(f"{output(summary)}/{key}"))

# Found again, changed, deleted.
attached = ModelExplainabilityMonitor.attach(name + "-drift", sagemaker_session=session)
assert attached.job_definition_name == other.job_definition_name
assert attached.tags == [{"Key": "team", "Value": "census"}]
attached.update_monitoring_schedule(
    schedule_cron_expression=CronExpressionGenerator.daily(), max_runtime_in_seconds=900
)
while (schedule := attached.describe_schedule())["MonitoringScheduleStatus"] == "Pending":
    time.sleep(0.2)
changed = schedule["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"]
assert changed != other.job_definition_name
attached.delete_monitoring_schedule()
try:
    client.describe_model_explainability_job_definition(JobDefinitionName=changed)
    raise AssertionError("still there")
except ClientError as error:
    assert error.response["Error"]["Code"] == "ResourceNotFound", error
client.delete_model_explainability_job_definition(JobDefinitionName=other.job_definition_name)
client.delete_endpoint(EndpointName=name)
endpoints = client.list_endpoints(NameContains="sm-clarify-" + name)["Endpoints"]
assert endpoints == [], endpoints
print("done")
