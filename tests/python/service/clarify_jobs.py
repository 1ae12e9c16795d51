"""Clarify jobs and monitors as boto3 asks for them."""

import json
from typing import Any

from botocore.exceptions import ClientError

import adult
from bucket import Bucket
from endpoints import capture_record, create_model
from monitored import Monitored
from quality import label_record
from resources import (
    ROLE,
    Request,
    cluster,
    definition,
    ended_job,
    new_name,
    processing_input,
    processing_output,
    wait_until,
)
from service import Service

LOCAL = "/opt/ml/processing/input"


def model_container(bucket: Bucket) -> Request:
    """A container of the census model, whose archive is put into the bucket."""
    bucket.put("model/model.tar.gz", adult.model_archive())
    return {"Image": adult.IMAGE, "ModelDataUrl": f"{bucket.uri}/model/model.tar.gz"}


class Analyzed(Bucket):
    """A bucket and a model of one name, whose jobs analyse the census data."""

    def __init__(self, clients: Any, prefix: str = "clarify", **environment: str) -> None:
        super().__init__(clients, prefix)
        create_model(self.sagemaker, self.name, model_container(self) | {"Environment": environment})
        self.put("data/dataset.jsonl", adult.DATASET)

    def document(self, key: str) -> Any:
        return json.loads(self.text(key))

    def config(self, base: Request, **predictor: Any) -> Request:
        """A configuration that asks our model. Its name is what tells our endpoints from those of other tests."""
        return base | {"predictor": base["predictor"] | {"model_name": self.name} | predictor}

    def request(self, config: Request, baseline: str | None = None, **more: Any) -> Request:
        """The request for a job; its results are below a folder of its name."""
        job = new_name("job")
        self.put(f"{job}/config/analysis_config.json", json.dumps(config))
        inputs = [
            processing_input("dataset", f"{self.uri}/data", LocalPath=f"{LOCAL}/data"),
            processing_input(
                "analysis_config", f"{self.uri}/{job}/config/analysis_config.json", LocalPath=f"{LOCAL}/config"
            ),
        ]
        request = {
            "ProcessingJobName": job,
            "ProcessingOutputConfig": processing_output(f"{self.uri}/{job}/results"),
            "ProcessingResources": cluster(),
            "AppSpecification": {"ImageUri": adult.CLARIFY},
            "RoleArn": ROLE,
        }
        if baseline is not None:
            self.put(f"{job}/baseline/analysis.json", baseline)
            folder = "/opt/ml/processing/baseline"
            inputs.append(processing_input("baseline", f"{self.uri}/{job}/baseline/analysis.json", LocalPath=folder))
            request["Environment"] = {"baseline_constraints": f"{folder}/analysis.json"}
        return request | {"ProcessingInputs": inputs} | more

    def start(self, config: Request, **more: Any) -> str:
        request = self.request(config, **more)
        self.sagemaker.create_processing_job(**request)
        return request["ProcessingJobName"]

    def run(self, config: Request, **more: Any) -> Request:
        """Runs a job to its end, by which it has left no endpoint."""
        job = ended_job(self.sagemaker, self.start(config, **more))
        self.assert_no_endpoint()
        return job

    def completed(self, config: Request, **more: Any) -> Request:
        job = self.run(config, **more)
        assert job["ProcessingJobStatus"] == "Completed", job
        return job

    def failed(self, config: Request, **more: Any) -> str:
        """Why the job fails; it has no results then."""
        job = self.run(config, **more)
        assert job["ProcessingJobStatus"] == "Failed", job
        assert self.keys(f"{job['ProcessingJobName']}/results") == []
        return job["FailureReason"]

    def own_endpoints(self) -> list[str]:
        """The endpoints that jobs have made of our model."""
        endpoints = self.sagemaker.list_endpoints(NameContains=self.name, MaxResults=100)["Endpoints"]
        return [one["EndpointName"] for one in endpoints]

    def own_shadows(self) -> list[str]:
        """The same, and their configurations."""
        configs = self.sagemaker.list_endpoint_configs(NameContains="sm-clarify", MaxResults=100)["EndpointConfigs"]
        names = [config["EndpointConfigName"] for config in configs]
        return self.own_endpoints() + [name for name in names if self.is_ours(name)]

    def is_ours(self, config: str) -> bool:
        try:
            found = self.sagemaker.describe_endpoint_config(EndpointConfigName=config)
        except ClientError:
            return False  # another test's, and gone by now
        return found["ProductionVariants"][0]["ModelName"] == self.name

    def assert_no_endpoint(self) -> None:
        wait_until(lambda: not self.own_shadows(), f"the end of the endpoints of {self.name}", 10)


class ClarifyMonitored(Monitored):
    """The same with a bias or an explainability schedule."""

    def __init__(self, clients: Any, service: Service, kind: str) -> None:
        super().__init__(clients, service, kind.lower())
        self.kind = kind
        self.analyses = {
            "ModelBias": "model-bias-monitoring",
            "ModelExplainability": "model-explainability-monitoring",
        }[kind]

    def clarify_request(self, config: Request, baseline: str | None = None, **attributes: Any) -> Request:
        """The request for the job definition; configuration and baseline are put where it says."""
        request = definition(self.kind, self.name, self.name, f"{self.uri}/results")
        self.put("config/analysis_config.json", json.dumps(config))
        request[f"{self.kind}AppSpecification"]["ConfigUri"] = f"{self.uri}/config/analysis_config.json"
        source = request[f"{self.kind}JobInput"]["EndpointInput"]
        source.pop("InferenceAttribute", None)
        source |= {"LocalPath": "/opt/ml/processing/input_data"} | attributes
        if self.kind == "ModelBias":
            request["ModelBiasJobInput"]["GroundTruthS3Input"] = {"S3Uri": f"{self.uri}/truth"}
        if baseline is not None:
            self.put("baseline/analysis.json", baseline)
            resource = {"ConstraintsResource": {"S3Uri": f"{self.uri}/baseline/analysis.json"}}
            request[f"{self.kind}BaselineConfig"] = resource
        return request

    def watch(self, config: Request, baseline: str | None = None, **attributes: Any) -> None:
        self.define(self.clarify_request(config, baseline, **attributes))
        self.make_schedule()

    def define(self, request: Request) -> None:
        operation = {
            "ModelBias": self.sagemaker.create_model_bias_job_definition,
            "ModelExplainability": self.sagemaker.create_model_explainability_job_definition,
        }[self.kind]
        operation(**request)

    def results(self, summary: dict[str, Any]) -> list[str]:
        """The names of an execution's files."""
        folder = self.results_folder(summary)
        return sorted(key.removeprefix(folder) for key in self.keys(folder))


def live_capture(number: int) -> Request:
    """A captured request of the recorded window."""
    place = number % len(adult.ROWS)
    row = adult.ROWS[place]
    answer = {"predicted_label": row["predicted_label"], "score": row["score"]}
    part = {"observedContentType": "application/jsonlines", "encoding": "JSON"}
    features = json.dumps({"features": row["features"]}, separators=(",", ":"))
    metadata = {"eventId": f"e{number}", "inferenceId": str(place), "inferenceTime": "2021-05-26T00:30:00Z"}
    return capture_record(part, features, json.dumps(answer) + "\n", metadata)


def live_captures(count: int = adult.CAPTURES) -> str:
    return "".join(json.dumps(live_capture(number)) + "\n" for number in range(count))


def live_labels() -> str:
    """A label as a document of its own, as the notebook uploads them."""
    records = (
        label_record(str(row["row"]), json.dumps({"label": row["ground_truth"]}), "JSON") for row in adult.ROWS
    )
    return "".join(json.dumps(record) + "\n" for record in records)
