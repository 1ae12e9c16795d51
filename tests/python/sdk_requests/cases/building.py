"""How cases are put together, and the values that many of them share."""

from collections.abc import Iterable
from typing import Any

from exchanges import Json
from services import ACCOUNT, ARN, TIME

ROLE = f"arn:aws:iam::{ACCOUNT}:role/monitoring"
OTHER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/other"
KEY = "1234abcd-12ab-34cd-56ef"
OTHER_KEY = f"arn:aws:kms:us-west-2:{ACCOUNT}:key/{KEY}"
# A session whose bucket is named asks less about it.
SESSION = {"default_bucket": "data"}
STATISTICS = "s3://data/baseline/statistics.json"
CONSTRAINTS = "s3://data/baseline/constraints.json"
OTHER_CONSTRAINTS = "s3://data/other/constraints.json"
STATISTICS_TEXT = '{"version": 0.0, "dataset": {"item_count": 2}, "features": []}'
CONSTRAINTS_TEXT = (
    '{"version": 0.0, "features": [{"name": "age", "inferred_type": "Integral", "completeness": 1.0}], '
    '"monitoring_config": {"evaluate_constraints": "Enabled", "emit_metrics": "Enabled", '
    '"datatype_check_threshold": 1.0, "domain_content_threshold": 1.0, '
    '"distribution_constraints": {"perform_comparison": "Enabled", "comparison_threshold": 0.1, '
    '"comparison_method": "Robust"}}}'
)
OBJECTS = {STATISTICS: STATISTICS_TEXT, CONSTRAINTS: CONSTRAINTS_TEXT, OTHER_CONSTRAINTS: CONSTRAINTS_TEXT}

ENDPOINT_INPUT = {"$EndpointInput": {"endpoint_name": "churn", "destination": "/opt/ml/processing/input/requests"}}
BATCH_INPUT = {
    "$BatchTransformInput": {
        "data_captured_destination_s3_uri": "s3://data/captured",
        "destination": "/opt/ml/processing/input/batch",
        "dataset_format": {"$MonitoringDatasetFormat.csv": {"header": False}},
    }
}
NETWORK = {
    "$NetworkConfig": {
        "enable_network_isolation": True,
        "encrypt_inter_container_traffic": True,
        "security_group_ids": ["sg-1", "sg-2"],
        "subnets": ["subnet-1"],
    }
}
HOURLY = {"$CronExpressionGenerator.hourly": {}}
NOW = {"$CronExpressionGenerator.now": {}}
TAGS = [{"Key": "team", "Value": "risk"}, {"Key": "stage", "Value": "test"}]

# What every monitor may be made with; each value differs from the default.
MONITOR_OPTIONS: dict[str, Json] = {
    "instance_count": 2,
    "instance_type": "ml.m5.4xlarge",
    "volume_size_in_gb": 50,
    "volume_kms_key": KEY,
    "output_kms_key": OTHER_KEY,
    "max_runtime_in_seconds": 1800,
    "base_job_name": "nightly-run",
    "env": {"LEVEL": "debug", "MODE": "strict"},
    "tags": TAGS,
    "network_config": NETWORK,
}
# What every update may change.
RESOURCE_OPTIONS = {name: value for name, value in MONITOR_OPTIONS.items() if name not in ("base_job_name", "tags")}


def step(call: str, arguments: Json = None) -> Json:
    """A call: of a class or class method, or, when it begins with a dot, of a method on what the step before gave."""
    return {"call": call} | ({"arguments": arguments} if arguments else {})


def case(name: str, steps: list[Json], *, given: Json = None, session: Json = None) -> Json:
    """A case: what is called, on a session with these settings, with these things there already (`given`)."""
    made: dict[str, Any] = {"name": name, "session": SESSION if session is None else session}
    return made | {"given": {"objects": OBJECTS} | (given or {}), "steps": steps}


def calls(
    required: Json, optional: Json, *, with_others: Json = None, exclusive: Iterable[set[str]] = ()
) -> Iterable[tuple[str, Json]]:
    """Arguments with none of the optional ones, each of them alone, and all at once.

    `with_others` says what a parameter needs beside it to be sent at all. Of parameters that are `exclusive` one at a
    time is in a call with all."""
    yield "", required
    for name, value in optional.items():
        yield f" with {name}", required | {name: value} | (with_others or {}).get(name, {})
    left_out: list[set[str]] = [set()]
    for group in exclusive:
        left_out = [out | (group - {kept}) for out in left_out for kept in sorted(group)]
    for out in left_out:
        everything = {name: value for name, value in (required | optional).items() if name not in out}
        yield " with everything" + (f" but {' and '.join(sorted(out))}" if out else ""), everything


def execution(job: str, number: int = 0) -> Json:
    """A summary of an execution of the schedule `nightly`."""
    return {
        "MonitoringScheduleName": "nightly",
        "ScheduledTime": TIME - 3600 * number,
        "CreationTime": TIME - 3600 * number,
        "LastModifiedTime": TIME - 3600 * number,
        "MonitoringExecutionStatus": "Completed",
        "ProcessingJobArn": f"{ARN}:processing-job/{job}",
        "EndpointName": "churn",
    }


def job(name: str, output: str = "s3://data/results", **more: Json) -> Json:
    """A processing job as a schedule starts one."""
    return {
        "ProcessingJobName": name,
        "ProcessingInputs": [
            {
                "InputName": "endpoint_input_1",
                "AppManaged": False,
                "S3Input": {
                    "S3Uri": "s3://data/captured/churn",
                    "LocalPath": "/opt/ml/processing/input/endpoint",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                    "S3DataDistributionType": "FullyReplicated",
                    "S3CompressionType": "None",
                },
            }
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "result",
                    "AppManaged": False,
                    "S3Output": {
                        "S3Uri": output,
                        "LocalPath": "/opt/ml/processing/output",
                        "S3UploadMode": "Continuous",
                    },
                }
            ]
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "AppSpecification": {
            "ImageUri": "159807026194.dkr.ecr.us-west-2.amazonaws.com/sagemaker-model-monitor-analyzer"
        },
        "Environment": {},
        "RoleArn": ROLE,
    } | more
