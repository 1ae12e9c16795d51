"""What the service refuses, by code and by text: clients test both."""

import datetime
from typing import Any

import botocore.config
import pytest
from botocore.exceptions import ClientError

import churn
from resources import definition, embedded_schedule, ended_job, make_endpoint, new_name, row_counter_job, schedule
from resources import settled_schedule, wait_until

# The client checks requests itself; what only the server can refuse has to reach it.
UNCHECKED = botocore.config.Config(parameter_validation=False, retries={"total_max_attempts": 1})
NAME_PATTERN = "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"


@pytest.fixture
def sagemaker(clients: Any) -> Any:
    return clients("sagemaker", config=UNCHECKED)


def error_of(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    response = caught.value.response
    assert response["ResponseMetadata"]["RequestId"], "an error without a request id"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return response["Error"]["Code"], response["Error"]["Message"]


@pytest.mark.parametrize(
    ("operation", "member", "code", "text"),
    [
        (
            "describe_processing_job",
            "ProcessingJobName",
            "ValidationException",
            "Could not find requested job with name: {name}",
        ),
        (
            "stop_processing_job",
            "ProcessingJobName",
            "ValidationException",
            "Could not find requested job with name: {name}",
        ),
        (
            "describe_monitoring_schedule",
            "MonitoringScheduleName",
            "ResourceNotFound",
            "Monitoring Schedule arn:aws:sagemaker:",
        ),
        ("start_monitoring_schedule", "MonitoringScheduleName", "ResourceNotFound", "not found"),
        ("stop_monitoring_schedule", "MonitoringScheduleName", "ResourceNotFound", "not found"),
        ("delete_monitoring_schedule", "MonitoringScheduleName", "ResourceNotFound", "not found"),
        ("describe_data_quality_job_definition", "JobDefinitionName", "ResourceNotFound", ""),
        ("delete_model_bias_job_definition", "JobDefinitionName", "ResourceNotFound", ""),
        ("describe_model", "ModelName", "ValidationException", 'Could not find model "arn:aws:sagemaker:'),
        ("delete_model", "ModelName", "ValidationException", "Could not find model"),
        ("describe_endpoint", "EndpointName", "ValidationException", 'Could not find endpoint "arn:aws:sagemaker:'),
        ("delete_endpoint", "EndpointName", "ValidationException", 'Could not find endpoint "arn:aws:sagemaker:'),
        (
            "describe_endpoint_config",
            "EndpointConfigName",
            "ValidationException",
            'Could not find endpoint configuration "arn:',
        ),
        (
            "delete_endpoint_config",
            "EndpointConfigName",
            "ValidationException",
            'Could not find endpoint configuration "arn:',
        ),
        ("list_monitoring_alerts", "MonitoringScheduleName", "ResourceNotFound", ""),
    ],
)
def test_a_missing_thing(sagemaker: Any, operation: str, member: str, code: str, text: str) -> None:
    name = new_name("missing")
    found, message = error_of(getattr(sagemaker, operation), **{member: name})
    assert found == code
    assert text.format(name=name) in message


def test_a_name_that_is_taken(sagemaker: Any) -> None:
    name, bucket = new_name("taken"), "s3://taken"
    make_endpoint(sagemaker, name, bucket)
    model = {
        "ModelName": name,
        "PrimaryContainer": {"Image": "image"},
        "ExecutionRoleArn": "arn:aws:iam::123456789012:role/r",
    }
    code, text = error_of(sagemaker.create_model, **model)
    assert code == "ValidationException" and text.startswith(
        'Cannot create already existing model "arn:aws:sagemaker:eu-west-1:'
    )
    variants = [{"VariantName": "v", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}]
    code, text = error_of(sagemaker.create_endpoint_config, EndpointConfigName=name, ProductionVariants=variants)
    assert code == "ValidationException" and text.startswith(
        'Cannot create already existing endpoint configuration "arn:'
    )
    code, text = error_of(sagemaker.create_endpoint, EndpointName=name.upper(), EndpointConfigName=name)
    assert code == "ValidationException" and text.startswith('Cannot create already existing endpoint "arn:')
    job = row_counter_job(name, [], f"{bucket}/out")
    arn = sagemaker.create_processing_job(**job)["ProcessingJobArn"]
    code, text = error_of(sagemaker.create_processing_job, **job)
    assert (code, text) == (
        "ResourceInUse",
        f"Job name must be unique within an AWS account and region, and a job with this name already exists ({arn})",
    )
    request = definition("DataQuality", name, name, bucket)
    sagemaker.create_data_quality_job_definition(**request)
    assert error_of(sagemaker.create_data_quality_job_definition, **request)[0] == "ResourceInUse"
    sagemaker.create_monitoring_schedule(**schedule(name, "DataQuality", name))
    assert error_of(sagemaker.create_monitoring_schedule, **schedule(name, "DataQuality", name))[0] == "ResourceInUse"
    settled_schedule(sagemaker, name)
    code, _ = error_of(sagemaker.delete_data_quality_job_definition, JobDefinitionName=name)
    assert code == "ValidationException", "a definition is locked by its schedule"


def test_a_violation_of_every_constraint(sagemaker: Any) -> None:
    def text_of(operation: str, **request: Any) -> str:
        code, text = error_of(getattr(sagemaker, operation), **request)
        assert code == "ValidationException"
        return text

    long = "x" * 64
    assert text_of("describe_processing_job", ProcessingJobName=long) == (
        f"1 validation error detected: Value '{long}' at 'processingJobName' failed to satisfy constraint: "
        "Member must have length less than or equal to 63"
    )
    assert text_of("describe_processing_job", ProcessingJobName="a_b") == (
        "1 validation error detected: Value 'a_b' at 'processingJobName' failed to satisfy constraint: "
        f"Member must satisfy regular expression pattern: {NAME_PATTERN}"
    )
    assert text_of("describe_processing_job") == (
        "1 validation error detected: Value null at 'processingJobName' failed to satisfy constraint: "
        "Member must not be null"
    )
    assert text_of("list_processing_jobs", MaxResults=101) == (
        "1 validation error detected: Value '101' at 'maxResults' failed to satisfy constraint: "
        "Member must have value less than or equal to 100"
    )
    assert text_of("list_processing_jobs", MaxResults=0).endswith("Member must have value greater than or equal to 1")
    text = text_of("list_monitoring_schedules", SortOrder="Sideways")
    assert text.startswith(
        "1 validation error detected: Value 'Sideways' at 'sortOrder' failed to satisfy constraint: "
    )
    assert text.endswith("Member must satisfy enum value set: [Ascending, Descending]")
    assert text_of("create_endpoint_config", EndpointConfigName="c", ProductionVariants=[]).endswith(
        "Member must have length greater than or equal to 1"
    )
    variants = [
        {"VariantName": "v", "ModelName": "ok", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"},
        {"VariantName": "v v", "ModelName": long, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"},
    ]
    text = text_of("create_endpoint_config", EndpointConfigName="c", ProductionVariants=variants)
    assert text.startswith("2 validation errors detected: ")
    assert "'productionVariants.2.member.variantName'" in text and "'productionVariants.2.member.modelName'" in text
    assert text.count("; ") == 1


def test_a_refused_schedule_leaves_nothing_behind(sagemaker: Any) -> None:
    name = "s" * 64
    request = embedded_schedule(name, "endpoint", "s3://b/out", "cron(0 * ? * * *)")
    code, text = error_of(sagemaker.create_monitoring_schedule, **request)
    assert code == "ValidationException" and "less than or equal to 63" in text
    assert sagemaker.list_monitoring_schedules(NameContains="s" * 60)["MonitoringScheduleSummaries"] == []


@pytest.mark.parametrize(
    ("expression", "times"),
    [
        ("cron(5 * ? * * *)", {}),
        ("cron(0 25 ? * * *)", {}),
        ("cron(0 0/25 ? * * *)", {}),
        ("rate(5 minutes)", {}),
        ("hourly", {}),
        ("NOW", {}),
        ("NOW", {"DataAnalysisStartTime": "-PT1H"}),
        ("NOW", {"DataAnalysisStartTime": "-PT25H", "DataAnalysisEndTime": "-PT0H"}),
        ("NOW", {"DataAnalysisStartTime": "an hour ago", "DataAnalysisEndTime": "-PT0H"}),
    ],
)
def test_an_expression_that_aws_refuses(sagemaker: Any, expression: str, times: dict[str, str]) -> None:
    name = new_name("expression")
    request = embedded_schedule(name, "endpoint", "s3://b/out", expression, **times)
    assert error_of(sagemaker.create_monitoring_schedule, **request)[0] == "ValidationException"


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 * ? * * *)",
        "cron(0 * * * ? *)",
        "cron(0 7 ? * * *)",
        "cron(0 07 ? * * *)",
        "cron(0 0/1 ? * * *)",
        "cron(0 23/24 ? * * *)",
    ],
)
def test_an_expression_that_aws_takes_is_given_back_as_it_came(sagemaker: Any, expression: str) -> None:
    name = new_name("expression")
    sagemaker.create_monitoring_schedule(**embedded_schedule(name, name, "s3://b/out", expression))
    described = settled_schedule(sagemaker, name)
    assert described["MonitoringScheduleConfig"]["ScheduleConfig"]["ScheduleExpression"] == expression
    assert "LastMonitoringExecutionSummary" not in described


def test_a_schedule_needs_one_definition(sagemaker: Any) -> None:
    name = new_name("definitions")
    both = embedded_schedule(name, "endpoint", "s3://b/out", "cron(0 * ? * * *)")
    both["MonitoringScheduleConfig"] |= {"MonitoringJobDefinitionName": name, "MonitoringType": "DataQuality"}
    none = {
        "MonitoringScheduleName": name,
        "MonitoringScheduleConfig": {"ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"}},
    }
    for request in (both, none, schedule(name, "DataQuality", name + "-missing")):
        assert error_of(sagemaker.create_monitoring_schedule, **request)[0] == "ValidationException"


def test_stopping_what_has_ended(sagemaker: Any, clients: Any) -> None:
    name = new_name("ended")
    clients("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    sagemaker.create_processing_job(**row_counter_job(name, [], f"s3://{name}/out"))
    status = ended_job(sagemaker, name)["ProcessingJobStatus"]
    code, text = error_of(sagemaker.stop_processing_job, ProcessingJobName=name)
    assert (code, text) == (
        "ValidationException",
        f"The request was rejected because the processing job is in status {status}.",
    )


def test_paging(sagemaker: Any) -> None:
    prefix = new_name("paging")
    for number in range(12):
        sagemaker.create_model(
            ModelName=f"{prefix}-{number:02}",
            PrimaryContainer={"Image": "image"},
            ExecutionRoleArn="arn:aws:iam::123456789012:role/r",
        )
    first = sagemaker.list_models(NameContains=prefix.upper())
    assert [model["ModelName"][-2:] for model in first["Models"]] == [f"{number:02}" for number in range(11, 1, -1)]
    second = sagemaker.list_models(NameContains=prefix.upper(), NextToken=first["NextToken"])
    assert [model["ModelName"][-2:] for model in second["Models"]] == ["01", "00"]
    assert "NextToken" not in second
    names = sagemaker.get_paginator("list_models").paginate(
        NameContains=prefix, SortBy="Name", SortOrder="Ascending", MaxResults=5
    )
    assert [model["ModelName"][-2:] for page in names for model in page["Models"]] == [
        f"{number:02}" for number in range(12)
    ]
    assert error_of(sagemaker.list_models, NextToken="token of another service")[0] == "ValidationException"


def test_names_are_found_without_regard_to_case(sagemaker: Any) -> None:
    name = new_name("Mixed-Case")
    arn = sagemaker.create_model(
        ModelName=name, PrimaryContainer={"Image": "image"}, ExecutionRoleArn="arn:aws:iam::123456789012:role/r"
    )["ModelArn"]
    assert arn.endswith(":model/" + name.lower())
    assert sagemaker.describe_model(ModelName=name.lower())["ModelName"] == name


def test_tags(sagemaker: Any) -> None:
    name = new_name("tags")
    make_endpoint(sagemaker, name, "s3://b/capture")
    arn = sagemaker.describe_endpoint(EndpointName=name)["EndpointArn"]
    tags = [{"Key": f"key-{number:02}", "Value": str(number)} for number in range(50)]
    sagemaker.add_tags(ResourceArn=arn, Tags=tags)
    answer = sagemaker.list_tags(ResourceArn=arn, MaxResults=50)
    assert sorted(answer["Tags"], key=lambda tag: tag["Key"]) == tags and "NextToken" not in answer
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "key-07", "Value": "replaced"}])
    assert {"Key": "key-07", "Value": "replaced"} in sagemaker.list_tags(ResourceArn=arn)["Tags"]
    with pytest.raises(ClientError):
        sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "one-more", "Value": ""}])
    code, _ = error_of(sagemaker.list_tags, ResourceArn=arn + "-missing")
    assert code == "ValidationException"


def test_what_is_no_service_of_ours_is_refused_by_name(sagemaker: Any, clients: Any) -> None:
    code, text = error_of(sagemaker.list_pipelines)
    assert code == "UnknownOperationException" and "ListPipelines" in text
    with pytest.raises(ClientError) as caught:
        clients("dynamodb", config=UNCHECKED).list_tables()
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"


def test_an_endpoint_that_is_not_there_cannot_be_asked(clients: Any) -> None:
    name = new_name("missing")
    runtime = clients("sagemaker-runtime", config=UNCHECKED)
    with pytest.raises(ClientError) as caught:
        runtime.invoke_endpoint(EndpointName=name, Body=b"1,2", ContentType="text/csv")
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationError"
    assert error["Message"].startswith(f"Endpoint {name} of account ") and error["Message"].endswith(" not found.")


def test_small_services_refuse_in_their_own_words(clients: Any) -> None:
    name = new_name("missing")
    logs, kms, ecr = (clients(service, config=UNCHECKED) for service in ("logs", "kms", "ecr"))
    code, text = error_of(logs.describe_log_streams, logGroupName=name)
    assert (code, text) == ("ResourceNotFoundException", "The specified log group does not exist.")
    logs.create_log_group(logGroupName=name)
    assert error_of(logs.create_log_group, logGroupName=name)[0] == "ResourceAlreadyExistsException"
    code, text = error_of(logs.get_log_events, logGroupName=name, logStreamName="none")
    assert (code, text) == ("ResourceNotFoundException", "The specified log stream does not exist.")
    assert error_of(kms.describe_key, KeyId="alias/" + name)[0] == "NotFoundException"
    assert error_of(ecr.describe_repositories, repositoryNames=[name])[0] == "RepositoryNotFoundException"


def test_a_stranger_is_refused_by_every_service(clients: Any) -> None:
    calls = {
        "sagemaker": "list_models",
        "logs": "describe_log_groups",
        "cloudwatch": "list_metrics",
        "kms": "list_keys",
        "sts": "get_caller_identity",
        "ecr": "describe_repositories",
    }
    for service, call in calls.items():
        stranger = clients(service, aws_access_key_id="AKIAUNKNOWNUNKNOWN00", aws_secret_access_key="x" * 40)
        with pytest.raises(ClientError) as caught:
            getattr(stranger, call)()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)
        known = ("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId")
        assert caught.value.response["Error"]["Code"] in known, service


def test_a_schedule_is_kept_while_its_execution_runs(sagemaker: Any, clients: Any) -> None:
    name = new_name("running")
    s3 = clients("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    make_endpoint(sagemaker, name, f"s3://{name}/capture")
    time = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=30)
    s3.put_object(Bucket=name, Key="capture/" + churn.capture_key(name, time), Body=churn.capture(3, time).encode())
    now = {"DataAnalysisStartTime": "-PT2H", "DataAnalysisEndTime": "-PT0H"}
    sagemaker.create_monitoring_schedule(
        **embedded_schedule(name, name, f"s3://{name}/out", "NOW", "--seconds", "600", **now)
    )

    def running() -> Any:
        summaries = sagemaker.list_monitoring_executions(MonitoringScheduleName=name)["MonitoringExecutionSummaries"]
        return summaries and summaries[0].get("ProcessingJobArn")

    job = wait_until(running, "the execution's job").rpartition("/")[2]
    code, _ = error_of(sagemaker.delete_monitoring_schedule, MonitoringScheduleName=name)
    assert code == "ValidationException"
    sagemaker.stop_monitoring_schedule(MonitoringScheduleName=name)
    sagemaker.stop_processing_job(ProcessingJobName=job)
    assert ended_job(sagemaker, job)["ProcessingJobStatus"] == "Stopped"

    def stopped() -> bool:
        (summary,) = sagemaker.list_monitoring_executions(MonitoringScheduleName=name)["MonitoringExecutionSummaries"]
        return summary["MonitoringExecutionStatus"] == "Stopped"

    wait_until(stopped, "the execution Stopped")
    sagemaker.delete_monitoring_schedule(MonitoringScheduleName=name)
    assert len(sagemaker.list_monitoring_executions(MonitoringScheduleName=name)["MonitoringExecutionSummaries"]) == 1
