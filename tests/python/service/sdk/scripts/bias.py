"""AWS's notebook of bias monitoring: an endpoint that captures, a baseline, labels collected later, and what has drifted."""

import datetime
import json
import os
import time

import boto3
from botocore.exceptions import ClientError

try:
    from sagemaker.core.clarify import BiasConfig, DataConfig, ModelConfig, ModelPredictedLabelConfig
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.model_monitor import BiasAnalysisConfig, CronExpressionGenerator, EndpointInput
    from sagemaker.core.model_monitor import ModelBiasMonitor
    from sagemaker.core.s3 import S3Downloader, S3Uploader

    VERSION = 3
except ImportError:
    from sagemaker import Session
    from sagemaker.clarify import BiasConfig, DataConfig, ModelConfig, ModelPredictedLabelConfig
    from sagemaker.model_monitor import BiasAnalysisConfig, CronExpressionGenerator, EndpointInput, ModelBiasMonitor
    from sagemaker.s3 import S3Downloader, S3Uploader

    VERSION = 2

session = Session()
region = boto3.Session().region_name
role = "arn:aws:iam::123456789012:role/monitoring"
name = "DEMO-bias-" + os.environ["RUN"]
bucket = f"s3://{session.default_bucket()}/{name}"
client, runtime = boto3.client("sagemaker"), boto3.client("sagemaker-runtime")
headers = json.loads(open("headers.json").read())
rows = [json.loads(line) for line in open("rows.jsonl")]

# A model and its endpoint.
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
        "CaptureContentTypeHeader": {"JsonContentTypes": ["application/jsonlines"]},
    },
)
client.create_endpoint(EndpointName=name, EndpointConfigName=name)
client.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1})

# The baseline: a job that hosts the model for itself.
dataset = S3Uploader.upload("validation-dataset.jsonl", f"{bucket}/data")
data_config = DataConfig(
    s3_data_input_path=dataset,
    s3_output_path=f"{bucket}/baselining",
    label="label",
    headers=headers,
    features="features",
    dataset_type="application/jsonlines",
)
bias_config = BiasConfig(
    label_values_or_threshold=[1], facet_name="Sex", facet_values_or_threshold=[0], group_name="Age"
)
model_config = ModelConfig(
    model_name=name,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    content_type="application/jsonlines",
    accept_type="application/jsonlines",
    content_template='{"features":$features}',
)
predicted_label_config = ModelPredictedLabelConfig(label="predicted_label")
monitor = ModelBiasMonitor(
    role=role,
    sagemaker_session=session,
    max_runtime_in_seconds=1800,
    tags=[{"Key": "team", "Value": "census"}],
)


def suggest_baseline():
    monitor.suggest_baseline(
        model_config=model_config,
        data_config=data_config,
        bias_config=bias_config,
        model_predicted_label_config=predicted_label_config,
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
assert job["ExitMessage"] == "Completed: SageMaker XAI Analyzer ran successfully", job
assert "Environment" not in job, job
if VERSION == 2:
    constraints = monitor.suggested_constraints()
    assert constraints.file_s3_uri == f"{bucket}/baselining/analysis.json"
    baseline = constraints.body_dict
    try:
        monitor.baseline_statistics()
        raise AssertionError("a bias baseline has no statistics")
    except NotImplementedError:
        pass
else:
    baseline = json.loads(S3Downloader.read_file(f"{bucket}/baselining/analysis.json"))
with open("baseline.json", "w") as file:
    json.dump(baseline, file)
assert "report.html" in [key.rpartition("/")[2] for key in S3Downloader.list(f"{bucket}/baselining")]

# Traffic, and the labels.
for number in range(int(os.environ["REQUESTS"])):
    row = rows[number % len(rows)]
    runtime.invoke_endpoint(
        EndpointName=name,
        Body=json.dumps({"features": row["features"]}, separators=(",", ":")),
        ContentType="application/jsonlines",
        Accept="application/jsonlines",
        InferenceId=str(row["row"]),
    )
labels = [
    {
        "groundTruthData": {"data": json.dumps({"label": row["ground_truth"]}), "encoding": "JSON"},
        "eventMetadata": {"eventId": str(row["row"])},
        "eventVersion": "0",
    }
    for row in rows
]
now = datetime.datetime.now(datetime.timezone.utc)
S3Uploader.upload_string_as_file_body(
    "\n".join(map(json.dumps, labels)), f"{bucket}/ground_truth_data/{now:%Y/%m/%d/%H/%M%S}.jsonl"
)

# The monitor: all it needs to know it has from the baseline.
monitor.create_monitoring_schedule(
    output_s3_uri=f"{bucket}/monitoring",
    endpoint_input=EndpointInput(endpoint_name=name, destination="/opt/ml/processing/input/endpoint"),
    ground_truth_input=f"{bucket}/ground_truth_data",
    monitor_schedule_name=name,
    schedule_cron_expression=CronExpressionGenerator.now(),
    data_analysis_start_time="-PT2H",
    data_analysis_end_time="-PT0H",
)
definition = client.describe_model_bias_job_definition(JobDefinitionName=monitor.job_definition_name)
source = definition["ModelBiasJobInput"]["EndpointInput"]
assert (source["FeaturesAttribute"], source["InferenceAttribute"]) == ("features", "predicted_label"), source
baseline_config = definition["ModelBiasBaselineConfig"]
assert baseline_config["BaseliningJobName"] == name + "-baseline"
assert baseline_config["ConstraintsResource"] == {"S3Uri": f"{bucket}/baselining/analysis.json"}, baseline_config


def ended():
    while True:
        summary = monitor.describe_schedule().get("LastMonitoringExecutionSummary", {})
        if summary.get("MonitoringExecutionStatus") not in (None, "Pending", "InProgress"):
            return summary
        time.sleep(0.1)


summary = ended()
assert summary["MonitoringExecutionStatus"] == "CompletedWithViolations", summary
assert summary["MonitoringType"] == "ModelBias"
output = client.describe_processing_job(ProcessingJobName=summary["ProcessingJobArn"].split("/")[1])[
    "ProcessingOutputConfig"
]["Outputs"][0]["S3Output"]["S3Uri"]
if VERSION == 2:
    execution = monitor.list_executions()[-1]
    violations = execution.constraint_violations().body_dict
    assert monitor.latest_monitoring_constraint_violations().body_dict == violations
    try:
        execution.statistics()
        raise AssertionError("bias executions have no statistics")
    except NotImplementedError:
        pass
    monitor.get_latest_execution_logs(wait=False)
else:
    # Version 3.27 knows no names of these executions' jobs.
    try:
        monitor.list_executions()
        raise AssertionError("the defect has gone: take the violations as version 2 does")
    except AttributeError as error:
        assert "job_name" in str(error), error
    violations = json.loads(S3Downloader.read_file(f"{output}/constraint_violations.json"))
with open("violations.json", "w") as file:
    json.dump(violations, file)
files = sorted(key.rpartition("/")[2] for key in S3Downloader.list(output))
assert files == ["analysis.json", "constraint_violations.json", "report.html", "report.ipynb"], files

# Found again, changed by a configuration of its own, stopped, started.
attached = ModelBiasMonitor.attach(name, sagemaker_session=session)
assert attached.job_definition_name == monitor.job_definition_name
assert attached.tags == [{"Key": "team", "Value": "census"}]
attached.update_monitoring_schedule(
    output_s3_uri=f"{bucket}/monitoring",
    analysis_config=BiasAnalysisConfig(bias_config, headers=headers, label="label"),
    constraints=f"{bucket}/baselining/analysis.json",
    schedule_cron_expression=CronExpressionGenerator.hourly(),
    max_runtime_in_seconds=900,
    env={"note": "changed"},
)


def settled():
    while (schedule := attached.describe_schedule())["MonitoringScheduleStatus"] == "Pending":
        time.sleep(0.2)
    return schedule


schedule = settled()
assert schedule["MonitoringScheduleConfig"]["ScheduleConfig"]["ScheduleExpression"] == "cron(0 * ? * * *)"
changed = client.describe_model_bias_job_definition(
    JobDefinitionName=schedule["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"]
)
assert changed["JobDefinitionName"] != definition["JobDefinitionName"]
assert changed["ModelBiasJobInput"] == definition["ModelBiasJobInput"]
assert changed["ModelBiasAppSpecification"]["Environment"]["note"] == "changed"
assert changed["StoppingCondition"] == {"MaxRuntimeInSeconds": 900}
config_uri = changed["ModelBiasAppSpecification"]["ConfigUri"]
assert config_uri.endswith("/analysis_config.json") and changed["JobDefinitionName"] in config_uri, config_uri
assert json.loads(S3Downloader.read_file(config_uri)) == json.loads(
    S3Downloader.read_file(definition["ModelBiasAppSpecification"]["ConfigUri"])
)
attached.stop_monitoring_schedule()
assert settled()["MonitoringScheduleStatus"] == "Stopped"
attached.start_monitoring_schedule()
assert settled()["MonitoringScheduleStatus"] == "Scheduled"

# Clean up.
attached.delete_monitoring_schedule()
for gone in (
    lambda: client.describe_monitoring_schedule(MonitoringScheduleName=name),
    lambda: client.describe_model_bias_job_definition(JobDefinitionName=changed["JobDefinitionName"]),
):
    try:
        gone()
        raise AssertionError("still there")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ResourceNotFound", error
client.delete_model_bias_job_definition(JobDefinitionName=definition["JobDefinitionName"])
client.delete_endpoint(EndpointName=name)
endpoints = client.list_endpoints(NameContains="sm-clarify-" + name)["Endpoints"]
assert endpoints == [], endpoints
print("done")
