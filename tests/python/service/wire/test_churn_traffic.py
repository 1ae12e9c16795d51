"""The recorded runs of AWS's churn monitor, from requests to a deployed endpoint: captured, monitored and judged."""

import json
from typing import Any

import pytest

import churn
from endpoints import (
    archive,
    capture_config,
    captured_records,
    churn_model,
    delete,
    deploy,
    in_parallel,
    last_hours,
    objects,
    probability,
)
from resources import REGISTRY, baseline_job, definition, ended_execution, ended_job, new_name, schedule


@pytest.fixture
def route() -> str:
    """Thousands of requests: one way in is enough."""
    return "endpoint"


def test_the_recorded_runs_come_out(clients: Any) -> None:
    sagemaker, s3, runtime, name = clients("sagemaker"), clients("s3"), clients("sagemaker-runtime"), new_name("churn")
    uri, model = f"s3://{name}", churn_model()
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.upload_file(str(churn.BASELINE), name, "input/baseline.csv")
    sagemaker.create_processing_job(**baseline_job(name, f"{uri}/input/", f"{uri}/baseline"))
    s3.put_object(Bucket=name, Key="model.tar.gz", Body=archive({"model.json": json.dumps(model)}))
    container = {"Image": f"{REGISTRY}/sagemaker-xgboost:0.90-1-cpu-py3", "ModelDataUrl": f"{uri}/model.tar.gz"}
    deploy(sagemaker, name, container, capture_config(f"{uri}/capture"))
    assert ended_job(sagemaker, name)["ProcessingJobStatus"] == "Completed"
    request = definition("DataQuality", name, name, f"{uri}/results")
    request["DataQualityBaselineConfig"] = {"BaseliningJobName": name}
    sagemaker.create_data_quality_job_definition(**request)

    def ask(row: str) -> None:
        answer = runtime.invoke_endpoint(EndpointName=name, Body=row.encode(), ContentType="text/csv")
        score = float(answer["Body"].read())
        assert abs(score - probability(model, row)) < 1e-9 and score not in (0, 1)

    # Each run's traffic begins with that of the next smaller one, so one endpoint gets them all in turn.
    runs = sorted(churn.violations_of_every_run(), key=lambda run: run["rows"])
    rows, sent = churn.traffic(runs[-1]["rows"]), 0
    for run in runs:
        in_parallel(ask, rows[sent : run["rows"]])
        sent = run["rows"]
        captured_records(s3, name, f"capture/{name}/AllTraffic/", sent)
        monitor = f"{name}-{sent}"
        sagemaker.create_monitoring_schedule(**schedule(monitor, "DataQuality", name, "NOW", **last_hours()))
        assert ended_execution(sagemaker, monitor)["MonitoringExecutionStatus"] == "CompletedWithViolations"
        found = objects(s3, name, f"results/{name}/{monitor}/")
        documents = {key.rpartition("/")[2]: json.loads(body) for key, body in found.items() if key.endswith(".json")}
        assert documents["statistics.json"]["dataset"]["item_count"] == sent
        violations = documents["constraint_violations.json"]["violations"]
        # One run had a violation more than its data explains.
        assert len(violations) == 60
        for observed in run["first_ten_observed"]:
            assert observed in violations
        percents = {part for known in violations for part in known["description"].split() if part.endswith("%")}
        assert f"{run['percent']}%" in percents
        sagemaker.delete_monitoring_schedule(MonitoringScheduleName=monitor)
    assert len(runs) == 6
    delete(sagemaker, name)
