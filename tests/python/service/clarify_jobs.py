"""Clarify jobs and monitors as boto3 asks for them."""

import json
from typing import Any

from botocore.exceptions import ClientError

import adult
from endpoints import create_model
from monitored import Monitored
from resources import ROLE, Request, cluster, definition, ended_job, new_name, processing_output, wait_until
from service import Service

LOCAL = "/opt/ml/processing/input"


def clarify_input(name: str, uri: str, folder: str) -> Request:
    return {
        "InputName": name,
        "S3Input": {"S3Uri": uri, "LocalPath": folder, "S3DataType": "S3Prefix", "S3InputMode": "File"},
    }


class Analyzed:
    """A bucket and a model of one name, whose jobs analyse the census data."""

    def __init__(self, clients: Any, prefix: str = "clarify", **environment: str) -> None:
        self.name = new_name(prefix)
        self.connect(clients)
        self.uri = f"s3://{self.name}"
        self.s3.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        self.put("model/model.tar.gz", adult.model_archive())
        container = {"Image": adult.IMAGE, "ModelDataUrl": f"{self.uri}/model/model.tar.gz", "Environment": environment}
        create_model(self.sagemaker, self.name, container)
        self.put("data/dataset.jsonl", adult.DATASET)

    def connect(self, clients: Any) -> None:
        """Makes clients; once more when the service has got another address."""
        self.sagemaker, self.s3 = clients("sagemaker"), clients("s3")

    def put(self, key: str, body: str | bytes) -> None:
        self.s3.put_object(Bucket=self.name, Key=key, Body=body.encode() if isinstance(body, str) else body)

    def keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [known["Key"] for page in pages for known in page.get("Contents", [])]

    def document(self, key: str) -> Any:
        return json.loads(self.s3.get_object(Bucket=self.name, Key=key)["Body"].read())

    def config(self, base: Request, **predictor: Any) -> Request:
        """A configuration that asks our model. Its name is what tells our endpoints from those of other tests."""
        return base | {"predictor": base["predictor"] | {"model_name": self.name} | predictor}

    def request(self, config: Request, baseline: str | None = None, **more: Any) -> Request:
        """The request for a job; its results are below a folder of its name."""
        job = new_name("job")
        self.put(f"{job}/config/analysis_config.json", json.dumps(config))
        inputs = [
            clarify_input("dataset", f"{self.uri}/data", f"{LOCAL}/data"),
            clarify_input("analysis_config", f"{self.uri}/{job}/config/analysis_config.json", f"{LOCAL}/config"),
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
            inputs.append(clarify_input("baseline", f"{self.uri}/{job}/baseline/analysis.json", folder))
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

    def own_shadows(self) -> list[str]:
        """The endpoints that jobs have made of our model, and their configurations."""
        endpoints = self.sagemaker.list_endpoints(NameContains=self.name, MaxResults=100)["Endpoints"]
        configs = self.sagemaker.list_endpoint_configs(NameContains="sm-clarify", MaxResults=100)["EndpointConfigs"]
        names = [config["EndpointConfigName"] for config in configs]
        return [one["EndpointName"] for one in endpoints] + [name for name in names if self.is_ours(name)]

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
        folder = self.output(self.execution_job(summary)).removeprefix(self.uri + "/") + "/"
        return sorted(key.removeprefix(folder) for key in self.keys(folder))


def live_capture(number: int, event: str) -> Request:
    """A captured request of the recorded window."""
    row = adult.ROWS[number % len(adult.ROWS)]
    answer = {"predicted_label": row["predicted_label"], "score": row["score"]}
    part = {"observedContentType": "application/jsonlines", "encoding": "JSON"}
    features = json.dumps({"features": row["features"]}, separators=(",", ":"))
    return {
        "captureData": {
            "endpointInput": part | {"mode": "INPUT", "data": features},
            "endpointOutput": part | {"mode": "OUTPUT", "data": json.dumps(answer) + "\n"},
        },
        "eventMetadata": {
            "eventId": event,
            "inferenceId": str(number % len(adult.ROWS)),
            "inferenceTime": "2021-05-26T00:30:00Z",
        },
        "eventVersion": "0",
    }


def live_captures() -> str:
    return "".join(json.dumps(live_capture(number, f"e{number}")) + "\n" for number in range(adult.CAPTURES))


def live_labels() -> str:
    """A label as a document of its own, as the notebook uploads them."""
    records = (
        {
            "groundTruthData": {"data": json.dumps({"label": row["ground_truth"]}), "encoding": "JSON"},
            "eventMetadata": {"eventId": str(row["row"])},
            "eventVersion": "0",
        }
        for row in adult.ROWS
    )
    return "".join(json.dumps(record) + "\n" for record in records)
