"""Requests that several tests make, as boto3 takes them, and waiting for what they start."""

import time
import uuid
from collections.abc import Callable
from typing import Any

ROLE = "arn:aws:iam::123456789012:role/monitoring"
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
ANALYZER = f"{REGISTRY}/sagemaker-model-monitor-analyzer"
ROW_COUNTER = f"{REGISTRY}/row-counter:1"
SECONDS = 60
Request = dict[str, Any]


def new_name(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def wait_until(holds: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """Asks again until the answer is true, and gives it."""
    deadline = time.monotonic() + seconds
    while not (answer := holds()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.1)
    return answer


def cluster(count: int = 1) -> Request:
    return {"ClusterConfig": {"InstanceCount": count, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}}


def processing_input(name: str, uri: str, **s3: str) -> Request:
    path = f"/opt/ml/processing/input/{name}"
    return {
        "InputName": name,
        "S3Input": {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"} | s3,
    }


def processing_output(uri: str, mode: str = "EndOfJob") -> Request:
    s3_output = {"S3Uri": uri, "LocalPath": "/opt/ml/processing/output", "S3UploadMode": mode}
    return {"Outputs": [{"OutputName": "result", "S3Output": s3_output}]}


def row_counter_job(name: str, inputs: list[Request], output: str, *arguments: str, count: int = 1) -> Request:
    application: Request = {"ImageUri": ROW_COUNTER}
    if arguments:
        application["ContainerArguments"] = list(arguments)
    return {
        "ProcessingJobName": name,
        "ProcessingInputs": inputs,
        "ProcessingOutputConfig": processing_output(output),
        "ProcessingResources": cluster(count),
        "AppSpecification": application,
        "RoleArn": ROLE,
    }


def baseline_job(name: str, dataset: str, output: str) -> Request:
    """What the SDK sends for `suggest_baseline`."""
    return {
        "ProcessingJobName": name,
        "ProcessingInputs": [processing_input("baseline_dataset_input", dataset)],
        "ProcessingOutputConfig": processing_output(output),
        "ProcessingResources": cluster(),
        "AppSpecification": {"ImageUri": ANALYZER},
        "Environment": {
            "dataset_format": '{"csv": {"header": true, "output_columns_position": "START"}}',
            "dataset_source": "/opt/ml/processing/input/baseline_dataset_input",
            "output_path": "/opt/ml/processing/output",
            "publish_cloudwatch_metrics": "Disabled",
        },
        "RoleArn": ROLE,
    }


def inputs_of(job: Request) -> dict[str, tuple[str, str]]:
    """Address and local path by name; every member that clients read must be there."""
    for given in job["ProcessingInputs"]:
        members = {"S3DataType", "S3InputMode", "S3DataDistributionType", "S3CompressionType"}
        assert members <= given["S3Input"].keys(), given
    return {
        given["InputName"]: (given["S3Input"]["S3Uri"], given["S3Input"]["LocalPath"])
        for given in job["ProcessingInputs"]
    }


def ended_job(sagemaker: Any, name: str, seconds: float = SECONDS) -> Request:
    def end() -> Request | None:
        job = sagemaker.describe_processing_job(ProcessingJobName=name)
        return job if job["ProcessingJobStatus"] not in ("InProgress", "Stopping") else None

    return wait_until(end, f"the end of {name}", seconds)


def ended_transform(sagemaker: Any, name: str, seconds: float = SECONDS) -> Request:
    def end() -> Request | None:
        job = sagemaker.describe_transform_job(TransformJobName=name)
        return job if job["TransformJobStatus"] not in ("InProgress", "Stopping") else None

    return wait_until(end, f"the end of transform job {name}", seconds)


def make_endpoint(sagemaker: Any, name: str, capture: str) -> None:
    """A model, an endpoint configuration that captures, and an endpoint, all of one name."""
    sagemaker.create_model(
        ModelName=name, PrimaryContainer={"Image": f"{REGISTRY}/watchkeeper-echo:1"}, ExecutionRoleArn=ROLE
    )
    sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {"VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        ],
        DataCaptureConfig={
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": capture,
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
        },
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    wait_until(
        lambda: sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService",
        f"endpoint {name} InService",
    )


def transform_job(name: str, model: str, data: str, output: str) -> Request:
    """A batch transform job that reads lines of CSV."""
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": data}}
    return {
        "TransformJobName": name,
        "ModelName": model,
        "TransformInput": {"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        "TransformOutput": {"S3OutputPath": output, "AssembleWith": "Line", "Accept": "text/csv"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }


def endpoint_input(endpoint: str) -> Request:
    return {"EndpointInput": {"EndpointName": endpoint, "LocalPath": "/opt/ml/processing/input/endpoint"}}


def monitoring_output(uri: str) -> Request:
    s3_output = {"S3Uri": uri, "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "Continuous"}
    return {"MonitoringOutputs": [{"S3Output": s3_output}]}


def definition(kind: str, name: str, endpoint: str, output: str) -> Request:
    """A request for Create<kind>JobDefinition."""
    application: Request = {"ImageUri": ANALYZER}
    job_input = endpoint_input(endpoint)
    if kind in ("ModelBias", "ModelExplainability"):
        application = {
            "ImageUri": f"{REGISTRY}/sagemaker-clarify-processing:1.0",
            "ConfigUri": f"{output}/analysis_config.json",
        }
    if kind == "ModelQuality":
        application["ProblemType"] = "Regression"
    if kind in ("ModelQuality", "ModelBias"):
        job_input = job_input | {"GroundTruthS3Input": {"S3Uri": f"{output}/truth"}}
        job_input["EndpointInput"]["InferenceAttribute"] = "0"
    return {
        "JobDefinitionName": name,
        f"{kind}AppSpecification": application,
        f"{kind}JobInput": job_input,
        f"{kind}JobOutputConfig": monitoring_output(output),
        "JobResources": cluster(),
        "RoleArn": ROLE,
    }


def schedule(
    name: str, kind: str, definition_name: str, expression: str = "cron(0 * ? * * *)", **times: str
) -> Request:
    return {
        "MonitoringScheduleName": name,
        "MonitoringScheduleConfig": {
            "ScheduleConfig": {"ScheduleExpression": expression} | times,
            "MonitoringJobDefinitionName": definition_name,
            "MonitoringType": kind,
        },
    }


def embedded_schedule(name: str, endpoint: str, output: str, expression: str, *arguments: str, **times: str) -> Request:
    """A schedule of the row counter, with its definition inside."""
    application: Request = {"ImageUri": ROW_COUNTER}
    if arguments:
        application["ContainerArguments"] = list(arguments)
    return {
        "MonitoringScheduleName": name,
        "MonitoringScheduleConfig": {
            "ScheduleConfig": {"ScheduleExpression": expression} | times,
            "MonitoringJobDefinition": {
                "MonitoringInputs": [endpoint_input(endpoint)],
                "MonitoringOutputConfig": monitoring_output(output),
                "MonitoringResources": cluster(),
                "MonitoringAppSpecification": application,
                "RoleArn": ROLE,
            },
        },
    }


def settled_schedule(sagemaker: Any, name: str) -> Request:
    def settled() -> Request | None:
        answer = sagemaker.describe_monitoring_schedule(MonitoringScheduleName=name)
        return answer if answer["MonitoringScheduleStatus"] != "Pending" else None

    return wait_until(settled, f"schedule {name} out of Pending")


def ended_execution(sagemaker: Any, schedule_name: str) -> Request:
    def end() -> Request | None:
        answer = sagemaker.list_monitoring_executions(MonitoringScheduleName=schedule_name, SortBy="ScheduledTime")
        summaries = answer["MonitoringExecutionSummaries"]
        running = ("Pending", "InProgress", "Stopping")
        return summaries[0] if summaries and summaries[0]["MonitoringExecutionStatus"] not in running else None

    return wait_until(end, f"the end of an execution of {schedule_name}")
