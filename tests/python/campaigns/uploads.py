"""`uploads`: whatever clients write, of every service: objects of all kinds, and resources, metrics and log events."""

import datetime
import random
import time
from typing import Any

from botocore.exceptions import ClientError

from campaign import Campaign, Part, Work
from endpoints import ECHO, variant
from ledger import Finding, Ledger
from objects import OBJECT, ObjectWork, check_objects, check_uploads, state_of
from resources import ANALYZER, ROLE, cluster, endpoint_input, monitoring_output, schedule
from schedules import settled_schedules

BUCKET = "campaign-objects"
OBJECT_WORKERS = 3
SETTLING_SECONDS = 20


class Writes(Part):
    """All of them."""

    has_logs = True

    def prepare(self) -> None:
        self.s3 = self.client("s3")
        self.victim.make_bucket(BUCKET)
        key = self.client("kms").create_key()["KeyMetadata"]["KeyId"]
        self.objects = [ObjectWork(self.s3, self.ledger, BUCKET, n, key) for n in range(OBJECT_WORKERS)]
        self.resources = ResourceWork(self.client, self.ledger)
        self.data = DataWork(self.client, self.ledger, self.has_logs)

    def works(self) -> list[Work]:
        self.data.begin(self.campaign.round)
        return [*self.objects, self.resources, self.data]

    def check(self, everything: bool) -> None:
        check_objects(self.s3, self.ledger, BUCKET, self.chance, everything)
        check_uploads(self.objects[0], self.chance)
        self.resources.check(everything)
        self.data.check(everything)

    def look(self) -> None:
        """Objects and resources that no worker changes at this moment."""
        names = self.ledger.present(OBJECT)
        for name in self.chance.sample(names, min(len(names), 20)):
            before = str(self.ledger.things(OBJECT)[name])
            try:
                answer = self.s3.get_object(Bucket=BUCKET, Key=name.removeprefix(f"{BUCKET}/"))
                found = state_of(answer["Body"].read(), "?").split(" ")
            except self.s3.exceptions.NoSuchKey:
                found = ["absent"]
            known = self.ledger.things(OBJECT)[name]
            is_stable = not known.possible and str(known) == before
            # It may have been deleted since the names were asked for.
            told = ("absent", "absent") if known.settled is None else tuple(known.settled.split(" ")[::2])
            if is_stable and (found[0], found[-1]) != told:
                raise Finding(f"object {name}: read {found}, and clients were told {known}")
        self.client("sagemaker").list_models()


class ResourceWork:
    """Models, endpoint configurations, definitions, schedules, alarms and their tags: made, changed and removed."""

    def __init__(self, client: Any, ledger: Ledger) -> None:
        self.sagemaker, self.cloudwatch, self.ledger = client("sagemaker"), client("cloudwatch"), ledger
        # The definition that all schedules are of, and never goes.
        self.definition("always")
        self.kinds = {
            "model": (self.make_model, self.sagemaker.delete_model, "ModelName"),
            "endpoint-config": (
                self.make_config,
                self.sagemaker.delete_endpoint_config,
                "EndpointConfigName",
            ),
            "definition": (
                self.definition,
                self.sagemaker.delete_data_quality_job_definition,
                "JobDefinitionName",
            ),
            "schedule": (self.make_schedule, self.sagemaker.delete_monitoring_schedule, "MonitoringScheduleName"),
        }

    def __call__(self, chance: random.Random) -> None:
        if chance.random() < 0.2:
            return self.alarm(chance)
        kind = chance.choice(list(self.kinds))
        make, delete, member = self.kinds[kind]
        known = self.ledger.present(kind)
        if known and chance.random() < 0.3:
            name = chance.choice(known)
            with self.ledger.change(kind, name, None):
                delete(**{member: name})
        else:
            name = f"{kind}-{chance.getrandbits(48):012x}"
            with self.ledger.change(kind, name, name):
                make(name)

    def make_model(self, name: str) -> None:
        self.sagemaker.create_model(
            ModelName=name,
            PrimaryContainer={"Image": ECHO},
            ExecutionRoleArn=ROLE,
            Tags=[{"Key": "name", "Value": name}],
        )

    def make_config(self, name: str) -> None:
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant("any")])

    def definition(self, name: str) -> None:
        self.sagemaker.create_data_quality_job_definition(
            JobDefinitionName=name,
            DataQualityAppSpecification={"ImageUri": ANALYZER},
            DataQualityJobInput=endpoint_input("no-endpoint"),
            DataQualityJobOutputConfig=monitoring_output(f"s3://{BUCKET}/results"),
            JobResources=cluster(),
            RoleArn=ROLE,
        )

    def make_schedule(self, name: str) -> None:
        """Once a day, so that none of them comes due."""
        self.sagemaker.create_monitoring_schedule(**schedule(name, "DataQuality", "always", "cron(0 3 ? * * *)"))

    def alarm(self, chance: random.Random) -> None:
        name, threshold = f"alarm-{chance.randrange(20)}", float(chance.randrange(1000))
        with self.ledger.change("alarm", name, str(threshold)):
            self.cloudwatch.put_metric_alarm(
                AlarmName=name, MetricName="m", Namespace="n", Statistic="Sum", Period=60, EvaluationPeriods=1,
                Threshold=threshold, ComparisonOperator="GreaterThanThreshold",
            )  # fmt: skip

    def check(self, everything: bool) -> None:
        found = {}
        found["model"] = self.names("list_models", "Models", "ModelName")
        found["endpoint-config"] = self.names("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName")
        found["definition"] = self.names(
            "list_data_quality_job_definitions", "JobDefinitionSummaries", "MonitoringJobDefinitionName"
        )
        found["schedule"] = {*settled_schedules(self.sagemaker, SETTLING_SECONDS)}
        for kind, listed in found.items():
            # Others than this worker's are somebody else's to compare.
            names = {name for name in listed if name.startswith(f"{kind}-")}
            touched = [n for n, known in self.ledger.things(kind).items() if (known.touched or everything) and n in names]
            for name in touched:
                self.describe(kind, name)
            self.ledger.compare_all(kind, {name: name for name in names})
        alarms = self.cloudwatch.get_paginator("describe_alarms").paginate().search("MetricAlarms[]")
        self.ledger.compare_all("alarm", {alarm["AlarmName"]: str(alarm["Threshold"]) for alarm in alarms})
        self.ledger.forget("model")
        self.ledger.forget("endpoint-config")
        self.ledger.forget("definition")

    def names(self, operation: str, members: str, member: str) -> set[str]:
        pages = self.sagemaker.get_paginator(operation).paginate(PaginationConfig={"PageSize": 100})
        return {summary[member] for page in pages for summary in page[members]}

    def describe(self, kind: str, name: str) -> None:
        """What is listed can be read, too, and has what was made with it."""
        try:
            if kind == "model":
                arn = self.sagemaker.describe_model(ModelName=name)["ModelArn"]
                tags = self.sagemaker.list_tags(ResourceArn=arn)["Tags"]
                if tags != [{"Key": "name", "Value": name}]:
                    raise Finding(f"model {name} has lost its tags: {tags}")
            elif kind == "endpoint-config":
                self.sagemaker.describe_endpoint_config(EndpointConfigName=name)
            elif kind == "definition":
                self.sagemaker.describe_data_quality_job_definition(JobDefinitionName=name)
            else:
                self.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=name)
        except ClientError as error:
            raise Finding(f"{kind} {name} is listed and cannot be described: {error}") from error


class DataWork:
    """Metric data and log events: what was acknowledged is there once."""

    GROUP = "campaign"

    def __init__(self, client: Any, ledger: Ledger, has_logs: bool) -> None:
        self.cloudwatch, self.logs, self.ledger = client("cloudwatch"), client("logs"), ledger
        self.has_logs = has_logs
        if has_logs:
            self.logs.create_log_group(logGroupName=self.GROUP)
        self.streams: list[str] = []
        self.number = 0

    def begin(self, round: int) -> None:
        """A stream and a metric of their own for each round."""
        self.streams.append(f"round-{round}")
        self.number = 0
        if self.has_logs:
            self.logs.create_log_stream(logGroupName=self.GROUP, logStreamName=self.streams[-1])

    def __call__(self, chance: random.Random) -> None:
        stream, self.number = self.streams[-1], self.number + 1
        if not self.has_logs or chance.random() < 0.5:
            with self.ledger.change("metric", f"{stream}/{self.number}", "1.0"):
                self.cloudwatch.put_metric_data(
                    Namespace=f"campaign/{stream}",
                    MetricData=[{"MetricName": f"{self.number}", "Value": 1.0}],
                )
            return
        messages = [f"{stream}/{self.number}/{index}" for index in range(chance.randrange(1, 5))]
        with self.ledger.changes(("event", message, "1") for message in messages):
            now = int(time.time() * 1000)
            self.logs.put_log_events(
                logGroupName=self.GROUP,
                logStreamName=stream,
                logEvents=[{"timestamp": now, "message": message} for message in messages],
            )

    def check(self, everything: bool) -> None:
        metrics, events = {}, {}
        for stream in self.streams if everything else self.streams[-1:]:
            metrics |= self.metrics(stream)
            events |= self.events(stream) if self.has_logs else {}
        for kind, found in (("metric", metrics), ("event", events)):
            wanted = tuple(f"{stream}/" for stream in (self.streams if everything else self.streams[-1:]))
            for name in {name for name in self.ledger.things(kind) if name.startswith(wanted)} | found.keys():
                self.ledger.compare(kind, name, found.get(name))

    def metrics(self, stream: str) -> dict[str, str]:
        now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
        listed = self.cloudwatch.get_paginator("list_metrics").paginate(Namespace=f"campaign/{stream}").search("Metrics[]")
        names = [metric["MetricName"] for metric in listed]
        found = {}
        for start in range(0, len(names), 500):
            queries = [
                {
                    "Id": f"m{name}",
                    "MetricStat": {
                        "Metric": {"Namespace": f"campaign/{stream}", "MetricName": name},
                        "Period": 86400,
                        "Stat": "Sum",
                    },
                }
                for name in names[start : start + 500]
            ]
            pages = self.cloudwatch.get_paginator("get_metric_data").paginate(
                MetricDataQueries=queries, StartTime=now - day, EndTime=now + day
            )
            for result in pages.search("MetricDataResults[]"):
                found[f"{stream}/{result['Id'][1:]}"] = str(sum(result["Values"]))
        return found

    def events(self, stream: str) -> dict[str, str]:
        found: dict[str, int] = {}
        token: dict[str, str] = {}
        while True:
            answer = self.logs.get_log_events(
                logGroupName=self.GROUP, logStreamName=stream, startFromHead=True, limit=10000, **token
            )
            for event in answer["events"]:
                found[event["message"]] = found.get(event["message"], 0) + 1
            if token == {"nextToken": answer["nextForwardToken"]}:
                return {message: str(count) for message, count in found.items()}
            token = {"nextToken": answer["nextForwardToken"]}


class Uploads(Campaign):
    name = "uploads"
    parts = (Writes,)
