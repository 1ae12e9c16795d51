"""Makes requests.json and answers.json beside this file with botocore 1.44.5, the referee of both directions.

    python3 make_fixtures.py requests
        what botocore's serializers write for the inputs below, in every protocol of their service
    python3 make_fixtures.py answers FILE
        what botocore's parsers read from our answers: FILE holds them as the test `answers_for_the_referee` prints them
        (cargo test -p watchkeeper-aws --features protocol answers_for_the_referee -- --ignored --nocapture)

Needs nothing but botocore itself; nothing is sent anywhere.
"""

import base64
import datetime
import gzip
import json
import pathlib
import sys
import urllib.parse

import botocore.compress
import botocore.loaders
import botocore.model
import botocore.parsers
import botocore.serialize

assert botocore.__version__ == "1.44.5"
HERE = pathlib.Path(__file__).parent
UTC = datetime.timezone.utc
MOMENT = datetime.datetime(2026, 1, 31, 23, 59, 59, 250000, UTC)
NOON = datetime.datetime(2026, 2, 1, 12, 0, 0, 0, UTC)
HOSTILE = "ampersand & plus + percent % equals = quote \" apostrophe ' less < ünïcödé \U0001f980 tab\t"

METRICS = {
    "Namespace": "aws/sagemaker/Endpoints/data-metrics",
    "MetricData": [
        {
            "MetricName": "feature_baseline_drift_x",
            "Dimensions": [{"Name": "Endpoint", "Value": "e"}, {"Name": "MonitoringSchedule", "Value": HOSTILE}],
            "Timestamp": MOMENT,
            "Value": 0.1,
            "Unit": "None",
        },
        *({"MetricName": f"m{n}", "Timestamp": NOON, "Values": [1.0, -2.5e-7], "Counts": [3.0, 4.0]} for n in range(12)),
        {"MetricName": "s", "StatisticValues": {"SampleCount": 2.0, "Sum": 3.0, "Minimum": 1.0, "Maximum": 2.0}, "StorageResolution": 1},
    ],
}
ALARM = {
    "AlarmName": "a", "ActionsEnabled": False, "OKActions": [], "AlarmActions": ["arn:aws:sns:eu-west-1:123456789012:t"],
    "MetricName": "m", "Namespace": "n", "Statistic": "Average", "Dimensions": [], "Period": 60, "EvaluationPeriods": 2,
    "Threshold": 1.5, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
}
QUERIES = {
    "MetricDataQueries": [
        {"Id": "a", "MetricStat": {"Metric": {"Namespace": "n", "MetricName": "m", "Dimensions": []}, "Period": 60, "Stat": "Sum"}, "ReturnData": False},
        {"Id": "b", "Expression": "a * 2"},
    ],
    "StartTime": NOON, "EndTime": MOMENT, "ScanBy": "TimestampAscending",
}
JOB = {
    "ProcessingJobName": "job-1",
    "ProcessingInputs": [{"InputName": "input-1", "S3Input": {"S3Uri": "s3://b/k", "LocalPath": "/opt/ml/processing/input", "S3DataType": "S3Prefix", "S3InputMode": "File"}}],
    "ProcessingOutputConfig": {"Outputs": []},
    "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}},
    "AppSpecification": {"ImageUri": "1.dkr.ecr.eu-west-1.amazonaws.com/i"},
    "Environment": {"dataset_format": '{"csv": {"header": true}}', "text": HOSTILE},
    "RoleArn": "arn:aws:iam::123456789012:role/r",
    "ExperimentConfig": {"ExperimentName": "e"},
    "Tags": [],
}
INPUTS = [
    ("sagemaker", "CreateProcessingJob", JOB),
    ("sagemaker", "ListProcessingJobs", {"CreationTimeAfter": MOMENT, "MaxResults": 5, "NameContains": "a"}),
    ("sagemaker", "StopProcessingJob", {"ProcessingJobName": "job-1"}),
    ("logs", "PutLogEvents", {"logGroupName": "/g", "logStreamName": "s", "logEvents": [{"timestamp": 1738368000123, "message": HOSTILE}]}),
    ("logs", "FilterLogEvents", {"logGroupName": "/g", "startTime": 1738368000123, "interleaved": True, "limit": 10}),
    ("kms", "CreateKey", {"Description": HOSTILE, "Tags": [{"TagKey": "k", "TagValue": "v"}]}),
    ("kms", "ScheduleKeyDeletion", {"KeyId": "k", "PendingWindowInDays": 7}),
    ("ecr", "DescribeRepositories", {"repositoryNames": ["a/b"]}),
    ("ecr", "GetAuthorizationToken", {}),
    ("sts", "GetCallerIdentity", {}),
    ("sts", "AssumeRole", {"RoleArn": "arn:aws:iam::123456789012:role/r", "RoleSessionName": "session", "DurationSeconds": 900, "Tags": [{"Key": "a", "Value": HOSTILE}]}),
    ("iam", "SimulatePrincipalPolicy", {"PolicySourceArn": "arn:aws:iam::123456789012:role/r", "ActionNames": [f"s3:A{n}" for n in range(12)], "ContextEntries": [{"ContextKeyName": "aws:k", "ContextKeyValues": ["x", "y"], "ContextKeyType": "stringList"}]}),
    ("iam", "CreateRole", {"RoleName": "r", "AssumeRolePolicyDocument": '{"Version": "2012-10-17"}', "Path": "/a/"}),
    ("cloudwatch", "PutMetricData", METRICS),
    ("cloudwatch", "PutMetricAlarm", ALARM),
    ("cloudwatch", "GetMetricData", QUERIES),
    ("cloudwatch", "ListMetrics", {"Dimensions": [{"Name": "Endpoint"}]}),
    ("cloudwatch", "DeleteDashboards", {"DashboardNames": ["a", "b"]}),
    ("cloudwatch", "ListDashboards", {}),
]


def model_of(service):
    return botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model(service, "service-2"), service)


def plain(value):
    """Moments as seconds since 1970, bytes as base64: what both sides are compared in."""
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items() if name not in ("ResponseMetadata", "Error")}
    return [plain(item) for item in value] if isinstance(value, list) else value


def requests():
    cases = []
    for service, operation, parameters in INPUTS:
        model = model_of(service)
        for protocol in model.protocols:
            made = botocore.serialize.create_serializer(protocol).serialize_to_request(parameters, model.operation_model(operation))
            body = made["body"]
            if isinstance(body, dict):
                body = urllib.parse.urlencode(body)
            body = body.encode() if isinstance(body, str) else body
            headers = {name.lower(): value for name, value in made["headers"].items()}
            case = {"service": service, "protocol": protocol, "operation": operation, "method": made["method"],
                    "path": made["url_path"], "headers": headers, "input": plain(parameters)}
            cases.append({**case, "body": base64.b64encode(body).decode()})
            if operation == "PutMetricData":
                headers = {**headers, "content-encoding": "gzip"}
                cases.append({**case, "headers": headers, "body": base64.b64encode(gzip.compress(body, mtime=0)).decode()})
    write("requests.json", cases)


def answers(path):
    cases = json.loads(pathlib.Path(path).read_text())
    for case in cases:
        model = model_of(case["service"])
        operation = model.operation_model(case["operation"])
        response = {"status_code": case["status"], "headers": botocore.compat.HTTPHeaders.from_dict(case["headers"]),
                    "body": base64.b64decode(case["body"]), "context": {"operation_name": operation.name}}
        parsed = botocore.parsers.create_parser(case["protocol"]).parse(response, operation.output_shape)
        case["parsed"] = plain(parsed)
        case["request_id"] = parsed["ResponseMetadata"].get("RequestId")
        case["error"] = parsed.get("Error")
    write("answers.json", cases)


def write(name, cases):
    HERE.joinpath(name).write_text("[\n" + ",\n".join(json.dumps(case, ensure_ascii=True) for case in cases) + "\n]\n")


if __name__ == "__main__":
    requests() if sys.argv[1] == "requests" else answers(sys.argv[2])
