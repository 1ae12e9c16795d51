"""`jobs`: processing jobs of a program and of the built-in analyzer, jobs that are stopped, batch transform jobs, and
asynchronous invocations. Each that was acknowledged ends as it would have without the kill, with its results once.

The state of a job is its status and the SHA-256 of its results; what is asked for is known before.
"""

import hashlib
import random
from typing import Any

from botocore.exceptions import ClientError

import churn
from campaign import Campaign, Part, Work, pause
from endpoints import deploy, in_service, objects
from ledger import Finding
from resources import (
    REGISTRY,
    baseline_job,
    ended_job,
    ended_transform,
    processing_input,
    row_counter_job,
    transform_job,
    wait_until,
)

BUCKET = "campaign-jobs"
ENDPOINT = "later"
SUMMING_JOB = f"{REGISTRY}/summing-job:1"
PROCESSING, TRANSFORM, ASYNC = "processing job", "transform job", "asynchronous invocation"
ENDLESS = "runs until it is stopped"
RUNNING = ("InProgress", "Stopping")
SECONDS_TO_END = 120


class AllJobs(Part):
    """All kinds of jobs."""

    configuration = "runner.parallel_jobs = 2\n"

    def prepare(self) -> None:
        self.s3, self.sagemaker = self.client("s3"), self.client("sagemaker")
        self.runtime = self.client("sagemaker-runtime")
        self.victim.make_bucket(BUCKET)
        self.inputs = [self.chance.randbytes(size) for size in (10, 5000, 100_000)]
        for number, body in enumerate(self.inputs):
            self.s3.put_object(Bucket=BUCKET, Key=f"in/{number}/data", Body=body)
        rows = "".join(f"{number},{number * 7 % 31}\n" for number in range(200))
        self.s3.put_object(Bucket=BUCKET, Key="rows/a.csv", Body=rows.encode())
        self.rows = rows.encode()
        self.s3.upload_file(str(churn.BASELINE), BUCKET, "baseline/baseline.csv")
        output = {"OutputConfig": {"S3OutputPath": f"s3://{BUCKET}/answers"}}
        deploy(self.sagemaker, ENDPOINT, AsyncInferenceConfig=output)
        # What an undisturbed job makes of the same data.
        self.sagemaker.create_processing_job(**self.baseline("undisturbed"))
        self.analysed = self.end_of("undisturbed")
        if not self.analysed.startswith("Completed statistics"):
            raise Finding(f"an undisturbed job ended as {self.analysed}")
        self.compared: set[str] = set()
        self.excused: set[str] = set()

    def works(self) -> list[Work]:
        return [self.sum, self.sum, self.stop_one, self.analyse_or_transform, self.invoke]

    def pause(self, chance: random.Random) -> None:
        """Between two jobs."""
        pause(chance, 0.2, 1.0)

    def new_name(self, chance: random.Random, kind: str) -> str:
        return f"{kind}-{chance.getrandbits(48):012x}"

    def summing(self, name: str, number: int, seconds: float) -> dict[str, Any]:
        given = processing_input("data", f"s3://{BUCKET}/in/{number}/")
        request = row_counter_job(name, [given], f"s3://{BUCKET}/out/{name}", f"{seconds}")
        request["AppSpecification"]["ImageUri"] = SUMMING_JOB
        return request

    def baseline(self, name: str) -> dict[str, Any]:
        return baseline_job(name, f"s3://{BUCKET}/baseline/", f"s3://{BUCKET}/out/{name}")

    def sum(self, chance: random.Random) -> None:
        name, number = self.new_name(chance, "sum"), chance.randrange(len(self.inputs))
        line = hashlib.sha256(self.inputs[number]).hexdigest() + "  -\n"
        state = f"Completed sum {hashlib.sha256(line.encode()).hexdigest()}"
        with self.ledger.change(PROCESSING, name, state):
            self.sagemaker.create_processing_job(**self.summing(name, number, chance.choice((0, 0.05, 0.3))))
        self.pause(chance)

    def stop_one(self, chance: random.Random) -> None:
        name = self.new_name(chance, "endless")
        with self.ledger.change(PROCESSING, name, ENDLESS):
            self.sagemaker.create_processing_job(**self.summing(name, 0, 1000))
        pause(chance, 0, 0.6)
        self.stop(name)
        self.pause(chance)

    def stop(self, name: str) -> None:
        with self.ledger.change(PROCESSING, name, "Stopped"):
            self.sagemaker.stop_processing_job(ProcessingJobName=name)

    def analyse_or_transform(self, chance: random.Random) -> None:
        if chance.random() < 0.5:
            name = self.new_name(chance, "baseline")
            with self.ledger.change(PROCESSING, name, self.analysed):
                self.sagemaker.create_processing_job(**self.baseline(name))
        else:
            name = self.new_name(chance, "transform")
            request = transform_job(name, ENDPOINT, f"s3://{BUCKET}/rows/", f"s3://{BUCKET}/out/{name}")
            state = f"Completed a.csv.out {hashlib.sha256(self.rows).hexdigest()}"
            with self.ledger.change(TRANSFORM, name, state):
                self.sagemaker.create_transform_job(**request)
        self.pause(chance)

    def invoke(self, chance: random.Random) -> None:
        number = chance.randrange(len(self.inputs))
        answer = self.runtime.invoke_endpoint_async(
            EndpointName=ENDPOINT, InputLocation=f"s3://{BUCKET}/in/{number}/data", ContentType="text/csv"
        )
        state = hashlib.sha256(self.inputs[number]).hexdigest()
        self.ledger.acknowledge(ASYNC, answer["OutputLocation"], state)
        pause(chance, 0, 0.3)

    # What came of them.

    def check(self, everything: bool) -> None:
        in_service(self.sagemaker, ENDPOINT)
        for name, known in self.ledger.things(PROCESSING).items():
            if name not in self.compared and known.allows(ENDLESS):
                self.stop_if_endless(name)
        for kind, end_of in ((PROCESSING, self.end_of), (TRANSFORM, self.end_of_transform), (ASYNC, self.answer)):
            for name in self.ledger.things(kind):
                if name not in self.compared or everything:
                    self.ledger.compare(kind, name, end_of(name))
                    self.compared.add(name)
        if everything:
            self.check_lists()
        wait_until(lambda: self.victim.job_folders() == [], "the removal of the folders of all jobs")

    def stop_if_endless(self, name: str) -> None:
        """A job that was not asked to stop, or whose request to stop had no answer, is asked now."""
        job = self.describe(self.sagemaker.describe_processing_job, ProcessingJobName=name)
        if job is not None and job["ProcessingJobStatus"] == "InProgress":
            self.ledger.compare(PROCESSING, name, ENDLESS)
            self.stop(name)

    def end_of(self, name: str) -> str | None:
        """Waits for the end."""
        if self.describe(self.sagemaker.describe_processing_job, ProcessingJobName=name) is None:
            return None
        job = ended_job(self.sagemaker, name, SECONDS_TO_END)
        return self.outcome(PROCESSING, name, job["ProcessingJobStatus"], job)

    def end_of_transform(self, name: str) -> str | None:
        if self.describe(self.sagemaker.describe_transform_job, TransformJobName=name) is None:
            return None
        job = ended_transform(self.sagemaker, name, SECONDS_TO_END)
        return self.outcome(TRANSFORM, name, job["TransformJobStatus"], job)

    def outcome(self, kind: str, name: str, status: str, job: dict[str, Any]) -> str:
        if status == "Failed":
            return self.failed(kind, name, job)
        return "Stopped" if status == "Stopped" else f"{status} {self.results(name)}"

    def failed(self, kind: str, name: str, job: dict[str, Any]) -> str:
        """The state of a job that failed; where the fault explains that, it is put down as what clients know."""
        reason, state = job.get("FailureReason", ""), f"Failed {job.get('FailureReason')}"
        ended = job.get("ProcessingEndTime") or job.get("TransformEndTime") or job["LastModifiedTime"]
        if self.campaign.excuses(reason, job["CreationTime"].timestamp(), ended.timestamp()):
            self.excused.add(name)
            self.ledger.doubt(kind, name, state)
        return state

    def look(self) -> None:
        known = sorted(self.compared.intersection(self.ledger.present(PROCESSING)))
        for name in self.chance.sample(known, min(len(known), 5)):
            self.sagemaker.describe_processing_job(ProcessingJobName=name)

    def figures(self) -> str:
        return f"jobs that failed for the fault's sake: {len(self.excused)}"

    def describe(self, call: Any, **member: str) -> Any:
        try:
            return call(**member)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
                return None
            raise

    def results(self, name: str) -> str:
        """Names and checksums of all that the job has put."""
        found = sorted(objects(self.s3, BUCKET, f"out/{name}/").items(), reverse=True)
        return " ".join(f"{key.removeprefix(f'out/{name}/')} {hashlib.sha256(body).hexdigest()}" for key, body in found)

    def answer(self, location: str) -> str:
        key = location.removeprefix(f"s3://{BUCKET}/")

        def found() -> dict[str, bytes] | None:
            there = objects(self.s3, BUCKET, key)
            return there if list(there) == [key] else None

        return hashlib.sha256(wait_until(found, f"the answer {location}")[key]).hexdigest()

    def check_lists(self) -> None:
        """No job but those that were asked for, and none that is under way."""
        pages = self.sagemaker.get_paginator("list_processing_jobs").paginate()
        listed = {job["ProcessingJobName"]: job["ProcessingJobStatus"] for job in pages.search("ProcessingJobSummaries[]")}
        own = {name for name in listed if name.startswith(("sum-", "endless-", "baseline-"))}
        strangers = own - self.ledger.things(PROCESSING).keys()
        running = [name for name in own if listed[name] in RUNNING]
        if strangers or running:
            raise Finding(f"jobs that nobody asked for: {sorted(strangers)}; that run still: {running}")


class Jobs(Campaign):
    name = "jobs"
    parts = (AllJobs,)
    longest_seconds = 3.0
