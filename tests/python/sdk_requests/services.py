"""The services as far as the recorded calls need them: enough state to answer a conversation sensibly.

Times are fixed, jobs run for one look at them, schedules are `Pending` for one look after each change.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from exchanges import Answer, Json, Request

ACCOUNT = "123456789012"
REGION = "us-west-2"
DEFAULT_BUCKET = f"sagemaker-{REGION}-{ACCOUNT}"
TIME = 1767225600.0
ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
KINDS = ("DataQuality", "ModelQuality", "ModelBias", "ModelExplainability")
XML = '<?xml version="1.0" encoding="UTF-8"?>'


class Refusal(Exception):
    """An error that a service answers with."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass
class Services:
    """State, and what is to go wrong: `failures` maps an operation to the refusals of its next calls."""

    buckets: list[str] = field(default_factory=lambda: ["data", DEFAULT_BUCKET])
    objects: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, Json] = field(default_factory=dict)
    statuses: dict[str, list[str]] = field(default_factory=dict)
    definitions: dict[str, Json] = field(default_factory=dict)
    schedules: dict[str, Json] = field(default_factory=dict)
    schedule_statuses: dict[str, list[str]] = field(default_factory=dict)
    executions: dict[str, list[Json]] = field(default_factory=dict)
    endpoints: dict[str, list[str]] = field(default_factory=dict)
    endpoint_configs: dict[str, Json] = field(default_factory=dict)
    tags: list[Json] = field(default_factory=list)
    alerts: list[Json] = field(default_factory=list)
    history: list[Json] = field(default_factory=list)
    next_token: str | None = None
    log_lines: dict[str, list[str]] = field(default_factory=dict)
    prediction: str = "0.75"
    page: int = 1000
    failures: dict[str, list[list[Any]]] = field(default_factory=dict)

    def answer(self, request: Request) -> Answer:
        """What the service says; a refusal in the form of its protocol."""
        try:
            if self.failures.get(request.operation):
                raise Refusal(*self.failures[request.operation].pop(0))
            return self.protocol(request.service)(request)
        except Refusal as refusal:
            return refused(request, refusal)

    def protocol(self, service: str) -> Callable[[Request], Answer]:
        return {
            "s3": self.s3,
            "sts": self.sts,
            "iam": self.iam,
            "sagemaker-runtime": self.runtime,
        }.get(service, self.json)

    def json(self, request: Request) -> Answer:
        output = self.operation(request.operation)(request.input)
        return Answer(body=json.dumps(output)) if output is not None else Answer()

    def operation(self, name: str) -> Callable[[Json], Json]:
        for kind in KINDS:
            if kind in name:
                action = {"Create": self.create_definition, "Describe": self.describe_definition}
                return action.get(name.split(kind)[0], self.delete_definition)
        return getattr(self, "".join(f"_{c.lower()}" if c.isupper() else c for c in name).removeprefix("_"))

    # Jobs

    def create_processing_job(self, job: Json) -> Json:
        self.jobs[job["ProcessingJobName"]] = job
        self.statuses.setdefault(job["ProcessingJobName"], ["InProgress", "Completed"])
        return {"ProcessingJobArn": f"{ARN}:processing-job/{job['ProcessingJobName']}"}

    def describe_processing_job(self, given: Json) -> Json:
        name = given["ProcessingJobName"]
        if name not in self.jobs:
            raise Refusal("ValidationException", "Could not find requested job")
        status = next_of(self.statuses.setdefault(name, ["Completed"]))
        described = {key: value for key, value in self.jobs[name].items() if key != "Tags"} | {
            "ProcessingJobArn": f"{ARN}:processing-job/{name}",
            "ProcessingJobStatus": status,
            "CreationTime": TIME,
            "LastModifiedTime": TIME,
        }
        return described | ({"FailureReason": "the dataset is empty"} if status == "Failed" else {})

    def stop_processing_job(self, given: Json) -> None:
        if given["ProcessingJobName"] not in self.jobs:
            raise Refusal("ValidationException", "Could not find requested job")

    # Definitions

    def create_definition(self, definition: Json) -> Json:
        name = definition["JobDefinitionName"]
        if name in self.definitions:
            raise Refusal("ResourceInUse", f"Job definition {name} already exists")
        self.definitions[name] = definition
        return {"JobDefinitionArn": f"{ARN}:job-definition/{name}"}

    def describe_definition(self, given: Json) -> Json:
        name = given["JobDefinitionName"]
        if name not in self.definitions:
            raise Refusal("ResourceNotFound", f"Could not find job definition {name}")
        described = {key: value for key, value in self.definitions[name].items() if key != "Tags"}
        return described | {"JobDefinitionArn": f"{ARN}:job-definition/{name}", "CreationTime": TIME}

    def delete_definition(self, given: Json) -> None:
        if self.definitions.pop(given["JobDefinitionName"], None) is None:
            raise Refusal("ResourceNotFound", f"Could not find job definition {given['JobDefinitionName']}")

    # Schedules

    def create_monitoring_schedule(self, schedule: Json) -> Json:
        return self.changed_schedule(schedule, "Scheduled")

    def update_monitoring_schedule(self, schedule: Json) -> Json:
        return self.changed_schedule(schedule, "Scheduled")

    def changed_schedule(self, schedule: Json, status: str) -> Json:
        name = schedule["MonitoringScheduleName"]
        self.schedules[name] = schedule["MonitoringScheduleConfig"]
        self.schedule_statuses[name] = ["Pending", status]
        return {"MonitoringScheduleArn": f"{ARN}:monitoring-schedule/{name}"}

    def start_monitoring_schedule(self, given: Json) -> None:
        self.schedule_statuses[self.schedule(given)] = ["Pending", "Scheduled"]

    def stop_monitoring_schedule(self, given: Json) -> None:
        self.schedule_statuses[self.schedule(given)] = ["Pending", "Stopped"]

    def delete_monitoring_schedule(self, given: Json) -> None:
        self.schedule_statuses[self.schedule(given)] = ["Pending", "gone"]

    def schedule(self, given: Json) -> str:
        name = given["MonitoringScheduleName"]
        if name not in self.schedules:
            raise Refusal("ResourceNotFound", f"Monitoring Schedule {name} not found")
        return name

    def describe_monitoring_schedule(self, given: Json) -> Json:
        name = self.schedule(given)
        status = next_of(self.schedule_statuses.setdefault(name, ["Scheduled"]))
        if status == "gone":
            raise Refusal("ResourceNotFound", f"Monitoring Schedule {name} not found")
        return self.schedule_summary(name) | {
            "MonitoringScheduleStatus": status,
            "MonitoringScheduleConfig": self.schedules[name],
        }

    def schedule_summary(self, name: str) -> Json:
        config = self.schedules[name]
        kind = {"MonitoringType": config["MonitoringType"]} if "MonitoringType" in config else {}
        return kind | {
            "MonitoringScheduleName": name,
            "MonitoringScheduleArn": f"{ARN}:monitoring-schedule/{name}",
            "MonitoringScheduleStatus": "Scheduled",
            "CreationTime": TIME,
            "LastModifiedTime": TIME,
        }

    def list_monitoring_schedules(self, given: Json) -> Json:
        return {"MonitoringScheduleSummaries": [self.schedule_summary(name) for name in self.schedules]}

    def list_monitoring_executions(self, given: Json) -> Json:
        return {"MonitoringExecutionSummaries": self.executions.get(given["MonitoringScheduleName"], [])}

    def list_tags(self, given: Json) -> Json:
        return {"Tags": self.tags}

    # Alerts

    def list_monitoring_alerts(self, given: Json) -> Json:
        return self.paged({"MonitoringAlertSummaries": self.alerts})

    def list_monitoring_alert_history(self, given: Json) -> Json:
        return self.paged({"MonitoringAlertHistory": self.history})

    def update_monitoring_alert(self, given: Json) -> Json:
        arn = f"{ARN}:monitoring-schedule/{given['MonitoringScheduleName']}"
        return {"MonitoringScheduleArn": arn, "MonitoringAlertName": given["MonitoringAlertName"]}

    def paged(self, output: Json) -> Json:
        return output | ({"NextToken": self.next_token} if self.next_token else {})

    # Endpoints

    def describe_endpoint(self, given: Json) -> Json:
        name = given["EndpointName"]
        if name not in self.endpoints:
            raise Refusal("ValidationException", f'Could not find endpoint "{name}".')
        config, *statuses = self.endpoints[name]
        status = statuses[0]
        if len(statuses) > 1:
            self.endpoints[name] = [config, *statuses[1:]]
        return {
            "EndpointName": name,
            "EndpointArn": f"{ARN}:endpoint/{name}",
            "EndpointConfigName": config,
            "EndpointStatus": status,
            "CreationTime": TIME,
            "LastModifiedTime": TIME,
        }

    def update_endpoint(self, given: Json) -> Json:
        self.endpoints[given["EndpointName"]] = [given["EndpointConfigName"], "Updating", "InService"]
        return {"EndpointArn": f"{ARN}:endpoint/{given['EndpointName']}"}

    def delete_endpoint(self, given: Json) -> None:
        self.endpoints.pop(given["EndpointName"])

    def create_endpoint_config(self, config: Json) -> Json:
        self.endpoint_configs[config["EndpointConfigName"]] = config
        return {"EndpointConfigArn": f"{ARN}:endpoint-config/{config['EndpointConfigName']}"}

    def describe_endpoint_config(self, given: Json) -> Json:
        name = given["EndpointConfigName"]
        if name not in self.endpoint_configs:
            raise Refusal("ValidationException", f'Could not find endpoint configuration "{name}".')
        arn = f"{ARN}:endpoint-config/{name}"
        return self.endpoint_configs[name] | {"EndpointConfigArn": arn, "CreationTime": TIME}

    def delete_endpoint_config(self, given: Json) -> None:
        self.endpoint_configs.pop(given["EndpointConfigName"])

    def delete_model(self, given: Json) -> None:
        pass

    def runtime(self, request: Request) -> Answer:
        return Answer(
            body=self.prediction,
            headers={
                "content-type": request.headers.get("accept", "text/csv"),
                "x-amzn-invoked-production-variant": "AllTraffic",
            },
        )

    # Logs

    def describe_log_streams(self, given: Json) -> Json:
        job = given["logStreamNamePrefix"].removesuffix("/")
        if job not in self.log_lines:
            raise Refusal("ResourceNotFoundException", "The specified log group does not exist.")
        return {"logStreams": [{"logStreamName": f"{job}/algo-1-1767225600", "creationTime": int(TIME * 1000)}]}

    def get_log_events(self, given: Json) -> Json:
        lines = self.log_lines[given["logStreamName"].split("/")[0]]
        start = 0 if given.get("nextToken") is None else int(given["nextToken"].removeprefix("f/"))
        events = [
            {"timestamp": int(TIME * 1000) + number, "ingestionTime": int(TIME * 1000), "message": line}
            for number, line in enumerate(lines)
        ]
        fresh = [event for event in events[start:] if event["timestamp"] >= given.get("startTime", 0)]
        return {"events": fresh, "nextForwardToken": f"f/{len(lines)}", "nextBackwardToken": "b/0"}

    # Who calls, and as what

    def sts(self, _: Request) -> Answer:
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/notebook-role/session"
        result = f"<Arn>{arn}</Arn><UserId>AROAEXAMPLE:session</UserId><Account>{ACCOUNT}</Account>"
        return query_answer("GetCallerIdentity", result, "https://sts.amazonaws.com/doc/2011-06-15/")

    def iam(self, request: Request) -> Answer:
        name = request.input["RoleName"]
        role = (
            f"<Role><Path>/service-role/</Path><RoleName>{name}</RoleName><RoleId>AROAEXAMPLE</RoleId>"
            f"<Arn>arn:aws:iam::{ACCOUNT}:role/service-role/{name}</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></Role>"
        )
        return query_answer("GetRole", role, "https://iam.amazonaws.com/doc/2010-05-08/")

    # Objects

    def s3(self, request: Request) -> Answer:
        if request.operation not in ("ListBuckets", "CreateBucket") and request.bucket not in self.buckets:
            raise Refusal("NoSuchBucket", "The specified bucket does not exist", 404)
        action: dict[str, Callable[[Request], Answer]] = {
            "ListBuckets": self.list_buckets,
            "CreateBucket": self.create_bucket,
            "HeadBucket": lambda _: Answer(headers={"x-amz-bucket-region": REGION}),
            "PutObject": self.put_object,
            "GetObject": self.get_object,
            "HeadObject": self.head_object,
            "CreateMultipartUpload": lambda _: xml_answer(
                "<InitiateMultipartUploadResult><UploadId>upload-1</UploadId></InitiateMultipartUploadResult>"
            ),
            "UploadPart": lambda request: Answer(headers={"etag": f'"part-{request.query["partNumber"]}"'}),
            "CompleteMultipartUpload": lambda _: xml_answer(
                "<CompleteMultipartUploadResult><ETag>&quot;etag-2&quot;</ETag></CompleteMultipartUploadResult>"
            ),
            "AbortMultipartUpload": lambda _: Answer(status=204),
            "ListObjects": self.list_objects,
            "ListObjectsV2": self.list_objects,
        }
        return action[request.operation](request)

    def list_buckets(self, _: Request) -> Answer:
        buckets = "".join(
            f"<Bucket><Name>{name}</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>"
            for name in sorted(self.buckets)
        )
        owner = "<Owner><ID>owner</ID></Owner>"
        return xml_answer(f"<ListAllMyBucketsResult>{owner}<Buckets>{buckets}</Buckets></ListAllMyBucketsResult>")

    def create_bucket(self, request: Request) -> Answer:
        self.buckets.append(request.bucket)
        return Answer(headers={"location": f"/{request.bucket}"})

    def put_object(self, request: Request) -> Answer:
        self.objects[f"s3://{request.bucket}/{request.key}"] = request.body.decode()
        return Answer(headers={"etag": '"etag"'})

    def object(self, request: Request) -> str:
        address = f"s3://{request.bucket}/{request.key}"
        if address not in self.objects:
            raise Refusal("NoSuchKey", "The specified key does not exist.", 404)
        return self.objects[address]

    def get_object(self, request: Request) -> Answer:
        body = self.object(request)
        return Answer(body=body, headers={"content-length": str(len(body.encode())), "etag": '"etag"'})

    def head_object(self, request: Request) -> Answer:
        return Answer(headers={"content-length": str(len(self.object(request).encode())), "etag": '"etag"'})

    def list_objects(self, request: Request) -> Answer:
        prefix, bucket = request.query.get("prefix", ""), request.bucket
        keys = sorted(
            address.removeprefix(f"s3://{bucket}/") for address in self.objects if address.startswith(f"s3://{bucket}/")
        )
        after = request.query.get("marker") or request.query.get("continuation-token") or ""
        found = [key for key in keys if key.startswith(prefix) and key > after]
        shown = found[: self.page]
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;etag&quot;</ETag><Size>{len(self.objects[f's3://{bucket}/{key}'].encode())}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for key in shown
        )
        more = len(shown) < len(found)
        tokens = {"ListObjects": "NextMarker", "ListObjectsV2": "NextContinuationToken"}
        token = tokens[request.operation]
        paging = f"<{token}>{escape(shown[-1])}</{token}>" if more else ""
        return xml_answer(
            f"<ListBucketResult><Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix><MaxKeys>{self.page}</MaxKeys>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{paging}{contents}</ListBucketResult>"
        )


def next_of(statuses: list[str]) -> str:
    """The status of this look; the last one stays."""
    return statuses.pop(0) if len(statuses) > 1 else statuses[0]


def xml_answer(body: str, status: int = 200) -> Answer:
    return Answer(status=status, body=f"{XML}\n{body}", headers={"content-type": "application/xml"})


def query_answer(operation: str, result: str, namespace: str) -> Answer:
    return Answer(
        body=f'<{operation}Response xmlns="{namespace}"><{operation}Result>{result}</{operation}Result>'
        f"<ResponseMetadata><RequestId>request</RequestId></ResponseMetadata></{operation}Response>",
        headers={"content-type": "text/xml"},
    )


def refused(request: Request, refusal: Refusal) -> Answer:
    if request.method == "HEAD":
        return Answer(status=refusal.status)
    if request.service == "s3":
        return xml_answer(
            f"<Error><Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message></Error>", refusal.status
        )
    if request.service in ("sts", "iam"):
        error = f"<Error><Type>Sender</Type><Code>{refusal.code}</Code><Message>{refusal.message}</Message></Error>"
        return Answer(status=refusal.status, body=f"<ErrorResponse>{error}</ErrorResponse>")
    body = json.dumps({"__type": refusal.code, "message": refusal.message})
    headers = {"x-amzn-errortype": refusal.code} if request.service == "sagemaker-runtime" else {}
    return Answer(status=refusal.status, body=body, headers=headers)
