"""Monitoring executions over captured traffic: any window by the command line, once by `NOW`, of batch manifests."""

import datetime
import json
import re
from typing import Any


import churn
from monitored import between
from resources import (
    ANALYZER,
    definition,
    embedded_schedule,
    ended_execution,
    ended_job,
    baseline_job,
    make_endpoint,
    new_name,
    schedule,
    settled_schedule,
    wait_until,
)
from service import Service

HOUR = datetime.datetime(2021, 5, 18, 1, tzinfo=datetime.UTC)


class Churn:
    """An endpoint whose traffic of one hour is captured, and its baseline."""

    def __init__(self, clients: Any, hour: datetime.datetime) -> None:
        self.sagemaker, self.s3, self.name = clients("sagemaker"), clients("s3"), new_name("churn")
        self.uri = f"s3://{self.name}"
        self.s3.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        make_endpoint(self.sagemaker, self.name, f"{self.uri}/capture")
        self.s3.upload_file(str(churn.BASELINE), self.name, "input/baseline.csv")
        self.sagemaker.create_processing_job(**baseline_job(self.name, f"{self.uri}/input/", f"{self.uri}/baseline"))
        self.capture(hour)
        assert ended_job(self.sagemaker, self.name)["ProcessingJobStatus"] == "Completed"

    def capture(self, hour: datetime.datetime, rows: int = churn.RUN["rows"]) -> None:
        time = hour + datetime.timedelta(minutes=20)
        key = "capture/" + churn.capture_key(self.name, time)
        self.s3.put_object(Bucket=self.name, Key=key, Body=churn.capture(rows, time).encode())

    def monitor(self, expression: str, **times: str) -> str:
        """A data quality schedule of the endpoint; gives its name."""
        request = definition("DataQuality", self.name, self.name, f"{self.uri}/results")
        request["DataQualityBaselineConfig"] = {"BaseliningJobName": self.name}
        self.sagemaker.create_data_quality_job_definition(**request)
        self.sagemaker.create_monitoring_schedule(**schedule(self.name, "DataQuality", self.name, expression, **times))
        return self.name

    def document(self, uri: str, name: str) -> dict[str, Any]:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return json.loads(self.s3.get_object(Bucket=bucket, Key=f"{key}/{name}")["Body"].read())

    def execution_job(self, summary: dict[str, Any]) -> dict[str, Any]:
        return self.sagemaker.describe_processing_job(ProcessingJobName=summary["ProcessingJobArn"].rpartition("/")[2])


def run(service: Service, name: str, start: datetime.datetime, end: datetime.datetime) -> str:
    ended = service.run("run", name, *between(start, end), succeeds=False)
    assert ended.returncode in (0, 1), ended.stderr
    return ended.stdout


def test_the_churn_hour_has_the_violations_of_the_golden(clients: Any, service: Service) -> None:
    example = Churn(clients, HOUR)
    sagemaker, name = example.sagemaker, example.monitor("cron(0 * ? * * *)")
    settled_schedule(sagemaker, name)
    printed = run(service, name, HOUR, HOUR + datetime.timedelta(hours=1))
    assert "CompletedWithViolations" in printed and "60" in printed

    (summary,) = sagemaker.list_monitoring_executions(MonitoringScheduleName=name)["MonitoringExecutionSummaries"]
    assert summary["MonitoringExecutionStatus"] == "CompletedWithViolations"
    assert summary["EndpointName"] == name and summary["MonitoringType"] == "DataQuality"
    assert summary["MonitoringJobDefinitionName"] == name
    described = sagemaker.describe_monitoring_schedule(MonitoringScheduleName=name)
    assert described["LastMonitoringExecutionSummary"]["ProcessingJobArn"] == summary["ProcessingJobArn"]

    job = example.execution_job(summary)
    assert re.fullmatch(r"data-quality-monitoring-\d{12}-[0-9a-f]{24}", job["ProcessingJobName"])
    assert job["ExitMessage"] == "CompletedWithViolations: Job completed successfully with 60 violations."
    assert job["MonitoringScheduleArn"] == described["MonitoringScheduleArn"]
    inputs = {given["InputName"]: given["S3Input"] for given in job["ProcessingInputs"]}
    assert inputs["baseline"]["S3Uri"] == f"{example.uri}/baseline/statistics.json"
    assert inputs["baseline"]["LocalPath"] == "/opt/ml/processing/baseline/stats"
    assert inputs["constraints"]["LocalPath"] == "/opt/ml/processing/baseline/constraints"
    assert inputs["endpoint_input_1"]["S3Uri"].startswith(f"{example.uri}/capture/{name}/AllTraffic")
    for given in inputs.values():
        assert {"S3DataType", "S3InputMode", "S3DataDistributionType", "S3CompressionType"} <= given.keys()
    (output,) = job["ProcessingOutputConfig"]["Outputs"]
    assert output["OutputName"] == "result"
    uri = output["S3Output"]["S3Uri"]
    # A run by hand may have the hour of another for its own: its results stand apart below the hour.
    assert re.fullmatch(rf"{example.uri}/results/{name}/{name}/\d{{4}}/\d\d/\d\d/\d\d(/[^/]+)?", uri)
    variables = job["Environment"]
    assert json.loads(variables["dataset_format"]) == {
        "sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}
    }
    assert variables["start_time"] == "2021-05-18T01:00:00Z" and variables["end_time"] == "2021-05-18T02:00:00Z"
    assert variables["sagemaker_endpoint_name"] == variables["sagemaker_monitoring_schedule_name"] == name
    assert variables["monitoring_input_type"] == "ENDPOINT_INPUT"

    churn.assert_violations(example.document(uri, "constraint_violations.json"))
    assert example.document(uri, "statistics.json")["dataset"]["item_count"] == churn.RUN["rows"]

    metrics_and_alarms(clients, name)
    alerts(sagemaker, name)
    settings_of_a_later_run(example, service)


def metrics_and_alarms(clients: Any, name: str) -> None:
    cloudwatch = clients("cloudwatch")
    namespace = "aws/sagemaker/Endpoints/data-metrics"
    dimensions = [{"Name": "Endpoint", "Value": name}, {"Name": "MonitoringSchedule", "Value": name}]
    window = {"StartTime": HOUR, "EndTime": HOUR + datetime.timedelta(hours=1), "Period": 3600}
    for spelling in (namespace, "/" + namespace):
        pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace=spelling, Dimensions=dimensions)
        names = {metric["MetricName"] for page in pages for metric in page["Metrics"]}
        assert {"feature_data_Day Mins", "feature_non_null_Day Mins", "feature_baseline_drift_Day Mins"} <= names
        points = cloudwatch.get_metric_statistics(
            Namespace=spelling,
            MetricName="feature_non_null_Day Mins",
            Dimensions=dimensions,
            Statistics=["Sum"],
            **window,
        )["Datapoints"]
        assert [point["Sum"] for point in points] == [churn.RUN["rows"]]
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace=namespace,
        MetricName="feature_baseline_drift_Day Mins",
        Dimensions=dimensions,
        Statistic="Average",
        Period=600,
        EvaluationPeriods=1,
        Threshold=0.1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="breaching",
    )
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert alarm["StateValue"] == "ALARM", "what is missing counts as breaching"
    cloudwatch.delete_alarms(AlarmNames=[name])


def alerts(sagemaker: Any, name: str) -> None:
    (alert,) = sagemaker.list_monitoring_alerts(MonitoringScheduleName=name)["MonitoringAlertSummaries"]
    assert alert["AlertStatus"] == "InAlert"
    (change,) = sagemaker.list_monitoring_alert_history(MonitoringScheduleName=name)["MonitoringAlertHistory"]
    assert change["AlertStatus"] == "InAlert" and change["MonitoringAlertName"] == alert["MonitoringAlertName"]


def settings_of_a_later_run(example: Churn, service: Service) -> None:
    """The window of the next hour is empty; the one after has few records."""
    sagemaker, name = example.sagemaker, example.name
    run_without_data = service.run(
        "run", name, "--from", "2021-05-18T02:00:00Z", "--to", "2021-05-18T03:00:00Z", succeeds=False
    )
    assert "Job inputs had no data" in run_without_data.stdout + run_without_data.stderr
    newest = sagemaker.list_monitoring_executions(MonitoringScheduleName=name, SortBy="CreationTime")[
        "MonitoringExecutionSummaries"
    ]
    assert newest[0]["MonitoringExecutionStatus"] == "Failed" and "ProcessingJobArn" not in newest[0]
    assert newest[0]["FailureReason"] == "Job inputs had no data"
    failed = sagemaker.list_monitoring_executions(MonitoringScheduleName=name, StatusEquals="Failed")
    assert len(failed["MonitoringExecutionSummaries"]) == 1


def test_now_runs_once_and_then_stops(clients: Any) -> None:
    now = datetime.datetime.now(datetime.UTC)
    captured = now.replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=1)
    example = Churn(clients, captured)
    name = example.monitor("NOW", DataAnalysisStartTime="-PT2H", DataAnalysisEndTime="-PT0H")
    summary = ended_execution(example.sagemaker, name)
    assert summary["MonitoringExecutionStatus"] == "CompletedWithViolations", summary
    uri = example.execution_job(summary)["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
    hour = example.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=name)["CreationTime"].astimezone(
        datetime.UTC
    )
    assert re.fullmatch(rf"{example.uri}/results/{name}/{name}/{hour:%Y/%m/%d}/\d\d", uri)
    churn.assert_violations(example.document(uri, "constraint_violations.json"))
    wait_until(
        lambda: (
            example.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=name)["MonitoringScheduleStatus"]
            == "Stopped"
        ),
        "the schedule Stopped after its one run",
    )
    assert (
        len(example.sagemaker.list_monitoring_executions(MonitoringScheduleName=name)["MonitoringExecutionSummaries"])
        == 1
    )
    example.sagemaker.delete_monitoring_schedule(MonitoringScheduleName=name)


def test_a_window_takes_the_hours_it_meets(clients: Any, service: Service) -> None:
    sagemaker, s3, name = clients("sagemaker"), clients("s3"), new_name("window")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    make_endpoint(sagemaker, name, f"s3://{name}/capture/")
    for hour in range(4):
        time = HOUR + datetime.timedelta(hours=hour, minutes=10)
        # A destination that ends in a slash has its captures behind two, as on AWS.
        key = "capture//" + churn.capture_key(name, time)
        s3.put_object(Bucket=name, Key=key, Body=churn.capture(hour + 1, time).encode())
    sagemaker.create_monitoring_schedule(**embedded_schedule(name, name, f"s3://{name}/out", "cron(0 * ? * * *)"))
    settled_schedule(sagemaker, name)
    assert "Completed" in run(service, name, HOUR + datetime.timedelta(hours=1), HOUR + datetime.timedelta(hours=3))
    summary = ended_execution(sagemaker, name)
    job = sagemaker.describe_processing_job(ProcessingJobName=summary["ProcessingJobArn"].rpartition("/")[2])
    assert job["ExitMessage"] == "Completed: 5 rows in 2 files", job


def test_a_backfill_runs_every_tick_of_a_range(clients: Any, service: Service) -> None:
    sagemaker, s3, name = clients("sagemaker"), clients("s3"), new_name("backfill")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    make_endpoint(sagemaker, name, f"s3://{name}/capture")
    for hour in range(3):
        time = HOUR + datetime.timedelta(hours=hour, minutes=10)
        s3.put_object(
            Bucket=name, Key="capture/" + churn.capture_key(name, time), Body=churn.capture(hour + 1, time).encode()
        )
    sagemaker.create_monitoring_schedule(**embedded_schedule(name, name, f"s3://{name}/out", "cron(0 * ? * * *)"))
    settled_schedule(sagemaker, name)
    service.run("backfill", name, "--from", "2021-05-18T02:00:00Z", "--to", "2021-05-18T05:00:00Z")

    def ended() -> Any:
        found = sagemaker.list_monitoring_executions(
            MonitoringScheduleName=name, SortBy="ScheduledTime", SortOrder="Ascending"
        )
        found = found["MonitoringExecutionSummaries"]
        return (
            len(found) == 3 and {summary["MonitoringExecutionStatus"] for summary in found} == {"Completed"} and found
        )

    executions = wait_until(ended, "three executions")
    assert [summary["ScheduledTime"].hour for summary in executions] == [2, 3, 4]


def test_manifests_of_a_batch_transform_job(clients: Any) -> None:
    sagemaker, s3, name = clients("sagemaker"), clients("s3"), new_name("batch")
    uri = f"s3://{name}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.upload_file(str(churn.BASELINE), name, "input/baseline.csv")
    sagemaker.create_processing_job(**baseline_job(name, f"{uri}/input/", f"{uri}/baseline"))
    assert ended_job(sagemaker, name)["ProcessingJobStatus"] == "Completed"
    hour = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=30)
    current = (churn.ROOT / "examples/churn/current.csv").read_bytes()
    s3.put_object(Bucket=name, Key="transform/a.csv", Body=current)
    # One manifest for a prefix, one for a single object: its prefix is the object itself.
    s3.put_object(Bucket=name, Key="transform/b.csv", Body=current)
    manifests = {"one": [{"prefix": f"{uri}/transform/"}, "a.csv"], "two": [{"prefix": f"{uri}/transform/b.csv"}, ""]}
    for number, manifest in manifests.items():
        s3.put_object(
            Bucket=name, Key=f"batch/input/{hour:%Y/%m/%d/%H}/{number}.json", Body=json.dumps(manifest).encode()
        )
    request = definition("DataQuality", name, name, f"{uri}/results")
    request["DataQualityBaselineConfig"] = {"BaseliningJobName": name}
    request["DataQualityJobInput"] = {
        "BatchTransformInput": {
            "DataCapturedDestinationS3Uri": f"{uri}/batch",
            "DatasetFormat": {"Csv": {"Header": True}},
            "LocalPath": "/opt/ml/processing/input/batch",
        }
    }
    sagemaker.create_data_quality_job_definition(**request)
    now = {"DataAnalysisStartTime": "-PT2H", "DataAnalysisEndTime": "-PT0H"}
    sagemaker.create_monitoring_schedule(**schedule(name, "DataQuality", name, "NOW", **now))
    summary = ended_execution(sagemaker, name)
    assert summary["MonitoringExecutionStatus"] == "CompletedWithViolations", summary
    assert "EndpointName" not in summary
    job = sagemaker.describe_processing_job(ProcessingJobName=summary["ProcessingJobArn"].rpartition("/")[2])
    output = job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
    assert re.fullmatch(rf"{uri}/results/{name}/\d{{4}}/\d\d/\d\d/\d\d", output)
    assert job["Environment"]["monitoring_input_type"] == "BATCH_TRANSFORM_INPUT"
    assert "csv" in json.loads(job["Environment"]["dataset_format"])
    key = output.removeprefix(uri + "/")
    statistics = json.loads(s3.get_object(Bucket=name, Key=f"{key}/statistics.json")["Body"].read())
    assert statistics["dataset"]["item_count"] == 2000
    namespace = "aws/sagemaker/ModelMonitoring/data-metrics"
    metrics = clients("cloudwatch").list_metrics(
        Namespace=namespace, Dimensions=[{"Name": "MonitoringSchedule", "Value": name}]
    )
    assert {len(metric["Dimensions"]) for metric in metrics["Metrics"]} == {1}


def test_the_analyzer_checks_by_hand(clients: Any) -> None:
    """The same image started as a plain job, with variables written by hand: no schedule, no window."""
    example = Churn(clients, HOUR)
    sagemaker, name = example.sagemaker, new_name("by-hand")
    inputs = {
        "endpoint": f"{example.uri}/capture/{example.name}/AllTraffic/",
        "stats": f"{example.uri}/baseline/statistics.json",
        "constraints": f"{example.uri}/baseline/constraints.json",
    }
    request = baseline_job(name, "", f"{example.uri}/by-hand")
    request["AppSpecification"]["ImageUri"] = ANALYZER + ":latest"
    request["ProcessingInputs"] = [
        {
            "InputName": key,
            "S3Input": {
                "S3Uri": uri,
                "LocalPath": f"/opt/ml/processing/{key}",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        }
        for key, uri in inputs.items()
    ]
    request["Environment"] = {
        "dataset_format": '{"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}}',
        "dataset_source": "/opt/ml/processing/endpoint",
        "output_path": "/opt/ml/processing/output",
        "baseline_statistics": "/opt/ml/processing/stats/statistics.json",
        "baseline_constraints": "/opt/ml/processing/constraints/constraints.json",
        "publish_cloudwatch_metrics": "Disabled",
    }
    sagemaker.create_processing_job(**request)
    job = ended_job(sagemaker, name)
    assert job["ExitMessage"] == "CompletedWithViolations: Job completed successfully with 60 violations.", job
    churn.assert_violations(example.document(f"{example.uri}/by-hand", "constraint_violations.json"))
