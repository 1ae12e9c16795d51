"""An endpoint and a model quality schedule of it, whose captures and labels tests put where they belong."""

import datetime
import json
from typing import Any

from bucket import Bucket
from resources import ANALYZER, Request, definition, make_endpoint, schedule, settled_schedule, wait_until
from service import Service

Summary = dict[str, Any]
HOURLY = "cron(0 * ? * * *)"
# Its merger takes its time: `slow_merger.py`.
SLOW_ANALYZER = "222222222222.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-model-monitor-analyzer"
PROBABILITY = {"ProbabilityAttribute": "0", "ProbabilityThresholdAttribute": 0.5}


def between(start: datetime.datetime, end: datetime.datetime) -> tuple[str, ...]:
    """A range as the command line takes it."""
    return ("--from", f"{start:%Y-%m-%dT%H:%M:%SZ}", "--to", f"{end:%Y-%m-%dT%H:%M:%SZ}")


class Monitored(Bucket):
    """Endpoint, bucket, job definition and schedule have one name."""

    # What is monitored, and what names of its jobs begin with.
    kind, analyses = "ModelQuality", "model-quality-monitoring"

    def __init__(self, clients: Any, service: Service, prefix: str = "quality") -> None:
        super().__init__(clients, prefix)
        self.service = service
        make_endpoint(self.sagemaker, self.name, f"{self.uri}/capture")

    def capture(self, hour: datetime.datetime, lines: str, name: str = "00-00-000-a.jsonl") -> None:
        self.put(f"capture/{self.name}/AllTraffic/{hour:%Y/%m/%d/%H}/{name}", lines)

    def label(self, hour: datetime.datetime, body: str | bytes, name: str = "labels.jsonl") -> None:
        self.put(f"truth/{hour:%Y/%m/%d/%H}/{name}", body)

    def request(self, problem_type: str, **attributes: Any) -> Request:
        """The request for the job definition."""
        request = definition("ModelQuality", self.name, self.name, f"{self.uri}/results")
        request["ModelQualityAppSpecification"]["ProblemType"] = problem_type
        source = request["ModelQualityJobInput"]["EndpointInput"]
        del source["InferenceAttribute"]
        source |= {"LocalPath": "/opt/ml/processing/input_data"} | attributes
        request["ModelQualityJobInput"]["GroundTruthS3Input"] = {"S3Uri": f"{self.uri}/truth"}
        return request

    def monitor(
        self,
        problem_type: str = "BinaryClassification",
        constraints: str | None = None,
        environment: dict[str, str] | None = None,
        image: str = ANALYZER,
        **attributes: Any,
    ) -> str:
        request = self.request(problem_type, **(attributes or PROBABILITY))
        request["ModelQualityAppSpecification"]["ImageUri"] = image
        if constraints is not None:
            self.put("baseline/constraints.json", constraints)
            resource = {"ConstraintsResource": {"S3Uri": f"{self.uri}/baseline/constraints.json"}}
            request["ModelQualityBaselineConfig"] = resource
        if environment:
            request["ModelQualityAppSpecification"]["Environment"] = environment
        self.sagemaker.create_model_quality_job_definition(**request)
        self.make_schedule()
        return self.name

    def make_schedule(self) -> None:
        self.sagemaker.create_monitoring_schedule(**schedule(self.name, self.kind, self.name, HOURLY))
        settled_schedule(self.sagemaker, self.name)

    def executions(self) -> list[Summary]:
        """All of them, the newest first."""
        answer = self.sagemaker.list_monitoring_executions(MonitoringScheduleName=self.name, SortBy="CreationTime")
        return answer["MonitoringExecutionSummaries"]

    def run_hour(self, hour: datetime.datetime, *options: str, succeeds: bool = True) -> None:
        """Carries out the window of an hour by hand."""
        window = between(hour, hour + datetime.timedelta(hours=1))
        self.service.run("run", self.name, *window, *options, succeeds=succeeds)

    def run_tick(self, tick: datetime.datetime) -> Summary:
        """Carries out the tick of an hour that is long over, and gives the execution at its end."""
        before = len(self.executions())
        self.service.run("backfill", self.name, *between(tick, tick + datetime.timedelta(minutes=1)))
        wait_until(lambda: len(self.executions()) > before, f"the execution of {tick}")
        running = ("Pending", "InProgress", "Stopping")

        def ended() -> Summary | None:
            newest = self.executions()[0]
            return newest if newest["MonitoringExecutionStatus"] not in running else None

        return wait_until(ended, f"the end of the execution of {tick}")

    def job(self, arn: str) -> dict[str, Any]:
        return self.sagemaker.describe_processing_job(ProcessingJobName=arn.rpartition("/")[2])

    def execution_job(self, summary: Summary) -> dict[str, Any]:
        return self.job(summary["ProcessingJobArn"])

    def merge_job(self, summary: Summary) -> dict[str, Any]:
        """The first of the execution's two jobs; they share the last part of the name."""
        analysis = summary["ProcessingJobArn"].rpartition("/")[2]
        return self.job(analysis.replace(self.analyses, "groundtruth-merge"))

    def output(self, job: dict[str, Any]) -> str:
        (output,) = job["ProcessingOutputConfig"]["Outputs"]
        assert output["OutputName"] == "result"
        return output["S3Output"]["S3Uri"]

    def results_folder(self, summary: Summary) -> str:
        """The key below which the execution's analysis has put its results."""
        return self.output(self.execution_job(summary)).removeprefix(self.uri + "/") + "/"

    def document(self, summary: Summary, name: str) -> dict[str, Any]:
        """A document of the execution's analysis."""
        return json.loads(self.text(self.results_folder(summary) + name))

    def metrics(self, summary: Summary) -> dict[str, Any]:
        """The metrics by name, whatever the problem."""
        statistics = self.document(summary, "statistics.json")
        (section,) = [value for name, value in statistics.items() if name.endswith("_metrics")]
        return section | {"item_count": statistics["dataset"]["item_count"]}

    def merged(self) -> list[dict[str, Any]]:
        """All merged lines."""
        keys = [key for key in self.keys("results/merge/") if "/_" not in key]
        return [json.loads(line) for key in keys for line in self.text(key).splitlines()]
