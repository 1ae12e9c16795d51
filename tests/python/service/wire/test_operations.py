"""Every operation that the service offers is called with a valid request, and its answer held to botocore's model."""

import datetime
import gzip
import json
from typing import Any

import boto3
import botocore.session
import pytest

import churn
from endpoints import create_model, delete, deploy, in_service, server, variant
from resources import (
    ROLE,
    baseline_job,
    definition,
    embedded_schedule,
    ended_execution,
    ended_job,
    ended_transform,
    make_endpoint,
    new_name,
    row_counter_job,
    schedule,
    settled_schedule,
    transform_job,
    wait_until,
)
from response_shapes import ResponseChecker

KINDS = ("DataQuality", "ModelQuality", "ModelBias", "ModelExplainability")

# What is offered of tiers 1 to 3, by the names of the service model.
OPERATIONS = {
    "sagemaker": """
        CreateProcessingJob DescribeProcessingJob StopProcessingJob ListProcessingJobs DeleteProcessingJob
        CreateMonitoringSchedule UpdateMonitoringSchedule DescribeMonitoringSchedule StartMonitoringSchedule
        StopMonitoringSchedule DeleteMonitoringSchedule ListMonitoringSchedules ListMonitoringExecutions
        CreateDataQualityJobDefinition DescribeDataQualityJobDefinition DeleteDataQualityJobDefinition
        ListDataQualityJobDefinitions CreateModelQualityJobDefinition DescribeModelQualityJobDefinition
        DeleteModelQualityJobDefinition ListModelQualityJobDefinitions CreateModelBiasJobDefinition
        DescribeModelBiasJobDefinition DeleteModelBiasJobDefinition ListModelBiasJobDefinitions
        CreateModelExplainabilityJobDefinition DescribeModelExplainabilityJobDefinition
        DeleteModelExplainabilityJobDefinition ListModelExplainabilityJobDefinitions
        ListTags AddTags DeleteTags CreateModel DescribeModel DeleteModel ListModels
        CreateEndpointConfig DescribeEndpointConfig DeleteEndpointConfig ListEndpointConfigs
        CreateEndpoint DescribeEndpoint UpdateEndpoint DeleteEndpoint ListEndpoints UpdateEndpointWeightsAndCapacities
        CreateTransformJob DescribeTransformJob StopTransformJob ListTransformJobs
        ListMonitoringAlerts UpdateMonitoringAlert ListMonitoringAlertHistory""",
    "sagemaker-runtime": "InvokeEndpoint InvokeEndpointWithResponseStream InvokeEndpointAsync",
    "s3": """
        ListBuckets HeadBucket CreateBucket DeleteBucket GetBucketLocation PutObject HeadObject ListObjects
        ListObjectsV2 CreateMultipartUpload UploadPart UploadPartCopy CompleteMultipartUpload
        AbortMultipartUpload ListParts ListMultipartUploads DeleteObject DeleteObjects CopyObject
        GetObjectAttributes PutBucketTagging GetBucketTagging PutBucketVersioning GetBucketVersioning
        PutBucketEncryption GetBucketEncryption PutBucketPolicy""",
    "logs": """
        CreateLogGroup CreateLogStream PutLogEvents DescribeLogGroups DescribeLogStreams GetLogEvents FilterLogEvents
        PutRetentionPolicy DeleteRetentionPolicy DeleteLogGroup""",
    "cloudwatch": """
        PutMetricData GetMetricStatistics GetMetricData ListMetrics PutMetricAlarm DescribeAlarms DeleteAlarms
        DescribeAlarmHistory SetAlarmState PutDashboard GetDashboard ListDashboards DeleteDashboards""",
    "kms": """
        CreateKey DescribeKey CreateAlias GetKeyPolicy PutKeyPolicy ListKeys ListAliases EnableKey DisableKey
        ScheduleKeyDeletion CancelKeyDeletion EnableKeyRotation DisableKeyRotation GetKeyRotationStatus RotateKeyOnDemand
        ListKeyRotations UpdateAlias DeleteAlias Encrypt Decrypt ReEncrypt GenerateDataKey
        GenerateDataKeyWithoutPlaintext""",
    "sts": "GetCallerIdentity AssumeRole GetSessionToken",
    "iam": "GetRole SimulatePrincipalPolicy CreateRole AttachRolePolicy",
    "ecr": "CreateRepository DescribeRepositories GetAuthorizationToken",
}


def assert_all_answered(checker: ResponseChecker, service: str) -> None:
    answered = {name for of_service, name in checker.answered if of_service == service}
    assert set(OPERATIONS[service].split()) - answered == set()


@pytest.fixture
def bucket(clients: Any, route: str) -> str:
    name = new_name("operations")
    clients("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name


def test_sagemaker(clients: Any, checker: ResponseChecker, bucket: str) -> None:
    sagemaker, name, uri = clients("sagemaker"), new_name("walk"), f"s3://{bucket}"
    clients("s3").upload_file(str(churn.BASELINE), bucket, "dataset/baseline.csv")
    time = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=30)
    key = "capture/" + churn.capture_key(name, time)
    clients("s3").put_object(Bucket=bucket, Key=key, Body=churn.capture(200, time).encode())

    # Processing jobs.
    arn = sagemaker.create_processing_job(**baseline_job(name, f"{uri}/dataset/", f"{uri}/baseline"))[
        "ProcessingJobArn"
    ]
    assert ended_job(sagemaker, name)["ProcessingJobStatus"] == "Completed"
    sagemaker.list_processing_jobs(NameContains=name)
    slow = row_counter_job(name + "-slow", [], f"{uri}/slow", "--seconds", "600")
    del slow["ProcessingInputs"]
    sagemaker.create_processing_job(**slow)
    sagemaker.stop_processing_job(ProcessingJobName=name + "-slow")
    assert ended_job(sagemaker, name + "-slow")["ProcessingJobStatus"] == "Stopped"
    sagemaker.delete_processing_job(ProcessingJobName=name + "-slow")

    # Tags.
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]

    # Endpoints.
    make_endpoint(sagemaker, name, f"{uri}/capture")
    assert sagemaker.describe_model(ModelName=name)["ModelName"] == name
    config = sagemaker.describe_endpoint_config(EndpointConfigName=name)
    capture = sagemaker.describe_endpoint(EndpointName=name)["DataCaptureConfig"]
    assert capture["CaptureStatus"] == "Started" and len(capture) == 5
    sent_back = {part: config[part] for part in ("ProductionVariants", "DataCaptureConfig")}
    sagemaker.create_endpoint_config(EndpointConfigName=name + "-2", **sent_back)
    sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=name + "-2")
    wait_until(lambda: sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService", "the update")
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredWeight": 2.0}]
    )
    wait_until(lambda: sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService", "the weights")
    for listing in (sagemaker.list_models, sagemaker.list_endpoint_configs, sagemaker.list_endpoints):
        listing(NameContains=name)

    # Batch transform jobs.
    clients("s3").put_object(Bucket=bucket, Key="transform/rows.csv", Body=b"1,2\n3,4\n")
    sagemaker.create_transform_job(**transform_job(name, name, f"{uri}/transform/", f"{uri}/transformed"))
    assert ended_transform(sagemaker, name)["TransformJobStatus"] == "Completed"
    create_model(sagemaker, f"{name}-slow", server(START_SECONDS="60"))
    slow = transform_job(f"{name}-slow", f"{name}-slow", f"{uri}/transform/", f"{uri}/slow")
    sagemaker.create_transform_job(**slow)
    sagemaker.stop_transform_job(TransformJobName=f"{name}-slow")
    assert ended_transform(sagemaker, f"{name}-slow")["TransformJobStatus"] == "Stopped"
    sagemaker.list_transform_jobs(NameContains=name)

    # Job definitions, schedules, executions, alerts.
    for kind in KINDS:
        own = f"{name}-{kind}"
        getattr(sagemaker, f"create_{snake(kind)}_job_definition")(**definition(kind, own, name, f"{uri}/results"))
        getattr(sagemaker, f"describe_{snake(kind)}_job_definition")(JobDefinitionName=own)
        getattr(sagemaker, f"list_{snake(kind)}_job_definitions")(NameContains=name)
        sagemaker.create_monitoring_schedule(**schedule(own, kind, own))
        settled_schedule(sagemaker, own)
    sagemaker.create_monitoring_schedule(
        **embedded_schedule(
            name, name, f"{uri}/rows", "NOW", DataAnalysisStartTime="-PT2H", DataAnalysisEndTime="-PT0H"
        )
    )
    assert ended_execution(sagemaker, name)["MonitoringExecutionStatus"] == "Completed"
    changed = schedule(f"{name}-DataQuality", "DataQuality", f"{name}-DataQuality", "cron(0 5 ? * * *)")
    sagemaker.update_monitoring_schedule(**changed)
    settled_schedule(sagemaker, f"{name}-DataQuality")
    sagemaker.stop_monitoring_schedule(MonitoringScheduleName=f"{name}-DataQuality")
    settled_schedule(sagemaker, f"{name}-DataQuality")
    sagemaker.start_monitoring_schedule(MonitoringScheduleName=f"{name}-DataQuality")
    settled_schedule(sagemaker, f"{name}-DataQuality")
    (alert,) = sagemaker.list_monitoring_alerts(MonitoringScheduleName=name)["MonitoringAlertSummaries"]
    sagemaker.update_monitoring_alert(
        MonitoringScheduleName=name,
        MonitoringAlertName=alert["MonitoringAlertName"],
        DatapointsToAlert=1,
        EvaluationPeriod=2,
    )
    sagemaker.list_monitoring_alert_history(MonitoringScheduleName=name)
    sagemaker.list_monitoring_executions(EndpointName=name)
    assert len(sagemaker.list_monitoring_schedules(NameContains=name)["MonitoringScheduleSummaries"]) == 5

    # The end.
    for kind in KINDS:
        own = f"{name}-{kind}"
        sagemaker.delete_monitoring_schedule(MonitoringScheduleName=own)
        wait_until(lambda own=own: not schedule_exists(sagemaker, own), f"the end of schedule {own}")
        getattr(sagemaker, f"delete_{snake(kind)}_job_definition")(JobDefinitionName=own)
    delete(sagemaker, name)
    sagemaker.delete_endpoint_config(EndpointConfigName=name)
    sagemaker.delete_model(ModelName=name)
    assert_all_answered(checker, "sagemaker")


def test_runtime(clients: Any, checker: ResponseChecker, bucket: str) -> None:
    sagemaker, runtime, name = clients("sagemaker"), clients("sagemaker-runtime"), new_name("walk")
    clients("s3").put_object(Bucket=bucket, Key="in", Body=b"1,2")
    create_model(sagemaker, name)
    sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[variant(name)],
        AsyncInferenceConfig={"OutputConfig": {"S3OutputPath": f"s3://{bucket}/out"}},
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    in_service(sagemaker, name)
    location = runtime.invoke_endpoint_async(EndpointName=name, InputLocation=f"s3://{bucket}/in")["OutputLocation"]
    assert location.startswith(f"s3://{bucket}/out/")
    plain = deploy(sagemaker, new_name("walk"))
    assert runtime.invoke_endpoint(EndpointName=plain, Body=b"1,2", ContentType="text/csv")["Body"].read() == b"1,2"
    events = runtime.invoke_endpoint_with_response_stream(EndpointName=plain, Body=b"1,2")["Body"]
    assert b"".join(event["PayloadPart"]["Bytes"] for event in events) == b"1,2"
    delete(sagemaker, name)
    delete(sagemaker, plain)
    assert_all_answered(checker, "sagemaker-runtime")


def snake(kind: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind).lstrip("_")


def schedule_exists(sagemaker: Any, name: str) -> bool:
    try:
        sagemaker.describe_monitoring_schedule(MonitoringScheduleName=name)
    except sagemaker.exceptions.ResourceNotFound:
        return False
    return True


def test_s3(clients: Any, checker: ResponseChecker, bucket: str) -> None:
    s3 = clients("s3")
    assert bucket in [known["Name"] for known in s3.list_buckets()["Buckets"]]
    s3.head_bucket(Bucket=bucket)
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == "eu-west-1"
    s3.put_object(Bucket=bucket, Key="one", Body=b"1")
    s3.head_object(Bucket=bucket, Key="one")
    s3.get_object_attributes(Bucket=bucket, Key="one", ObjectAttributes=["ETag", "ObjectSize", "StorageClass"])
    s3.copy_object(Bucket=bucket, Key="two", CopySource={"Bucket": bucket, "Key": "one"})
    s3.list_objects(Bucket=bucket, Delimiter="/")
    s3.list_objects_v2(Bucket=bucket, Prefix="t")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    first = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"x" * (5 << 20))["ETag"]
    second = s3.upload_part_copy(
        Bucket=bucket, Key="parts", UploadId=upload, PartNumber=2, CopySource={"Bucket": bucket, "Key": "one"}
    )["CopyPartResult"]["ETag"]
    s3.list_parts(Bucket=bucket, Key="parts", UploadId=upload)
    s3.list_multipart_uploads(Bucket=bucket)
    parts = [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": second}]
    s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
    other = s3.create_multipart_upload(Bucket=bucket, Key="never")["UploadId"]
    s3.abort_multipart_upload(Bucket=bucket, Key="never", UploadId=other)
    tags = {"TagSet": [{"Key": "a", "Value": "1"}]}
    s3.put_bucket_tagging(Bucket=bucket, Tagging=tags)
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags["TagSet"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.get_bucket_versioning(Bucket=bucket)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.get_bucket_encryption(Bucket=bucket)
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy
    s3.delete_object(Bucket=bucket, Key="one")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "two"}, {"Key": "parts"}]})
    s3.delete_bucket(Bucket=bucket)
    assert_all_answered(checker, "s3")


def test_logs(clients: Any, checker: ResponseChecker) -> None:
    logs, group = clients("logs"), "/walk/" + new_name("group")
    now = int(datetime.datetime.now(datetime.UTC).timestamp() * 1000)
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="stream")
    logs.put_log_events(
        logGroupName=group,
        logStreamName="stream",
        logEvents=[{"timestamp": now, "message": "one"}, {"timestamp": now, "message": "two"}],
    )
    assert [known["logGroupName"] for known in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]] == [
        group
    ]
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="str", orderBy="LogStreamName")
    assert "nextToken" not in streams
    page = logs.get_log_events(logGroupName=group, logStreamName="stream", startFromHead=True)
    assert [event["message"] for event in page["events"]] == ["one", "two"]
    assert [
        event["message"] for event in logs.filter_log_events(logGroupName=group, filterPattern="two")["events"]
    ] == ["two"]
    logs.put_retention_policy(logGroupName=group, retentionInDays=30)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 30
    logs.delete_retention_policy(logGroupName=group)
    assert "retentionInDays" not in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
    logs.delete_log_group(logGroupName=group)
    assert_all_answered(checker, "logs")


def test_cloudwatch(clients: Any, checker: ResponseChecker) -> None:
    cloudwatch, namespace = clients("cloudwatch"), new_name("Walk")
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    hour_ago = now - datetime.timedelta(hours=1)
    dimensions = [{"Name": "Endpoint", "Value": "e"}]
    datum = {
        "MetricName": "m",
        "Dimensions": dimensions,
        "Timestamp": now - datetime.timedelta(minutes=5),
        "Value": 3.0,
    }
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[datum])
    statistics = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName="m",
        Dimensions=dimensions,
        StartTime=hour_ago,
        EndTime=now,
        Period=300,
        Statistics=["Sum", "Average", "Minimum", "Maximum", "SampleCount"],
    )
    assert [point["Sum"] for point in statistics["Datapoints"]] == [3.0]
    metric = {"Namespace": namespace, "MetricName": "m", "Dimensions": dimensions}
    queries = [
        {"Id": "a", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Maximum"}},
        {"Id": "b", "Expression": "a * 2"},
    ]
    data = cloudwatch.get_metric_data(MetricDataQueries=queries, StartTime=hour_ago, EndTime=now)
    assert {result["Id"]: result["Values"] for result in data["MetricDataResults"]} == {"a": [3.0], "b": [6.0]}
    assert [known["MetricName"] for known in cloudwatch.list_metrics(Namespace=namespace)["Metrics"]] == ["m"]
    cloudwatch.put_metric_alarm(
        AlarmName=namespace,
        EvaluationPeriods=1,
        Period=3600,
        Statistic="Maximum",
        Threshold=2.0,
        ComparisonOperator="GreaterThanThreshold",
        **metric,
    )
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[namespace])["MetricAlarms"]
    assert alarm["Threshold"] == 2.0
    cloudwatch.set_alarm_state(AlarmName=namespace, StateValue="OK", StateReason="by hand")
    cloudwatch.describe_alarm_history(AlarmName=namespace)
    cloudwatch.delete_alarms(AlarmNames=[namespace])
    body = json.dumps({"widgets": []})
    cloudwatch.put_dashboard(DashboardName=namespace, DashboardBody=body)
    assert cloudwatch.get_dashboard(DashboardName=namespace)["DashboardBody"] == body
    cloudwatch.list_dashboards(DashboardNamePrefix=namespace)
    cloudwatch.delete_dashboards(DashboardNames=[namespace])
    assert_all_answered(checker, "cloudwatch")


@pytest.mark.parametrize("protocol", ["query", "smithy-rpc-v2-cbor"])
def test_cloudwatch_by_the_protocols_of_other_clients(clients: Any, checker: ResponseChecker, protocol: str) -> None:
    # A client speaks the best of the protocols that its model allows; here the model allows one.
    session = botocore.session.get_session()
    loader = session.get_component("data_loader")
    metadata = loader.load_service_model("cloudwatch", "service-2")["metadata"]
    metadata["protocols"], metadata["protocol"] = [protocol], protocol
    other = boto3.Session(botocore_session=session).client("cloudwatch")
    assert other.meta.service_model.resolved_protocol == protocol
    checker.watch(other)
    namespace = new_name("Other")
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    datum = {
        "MetricName": "m",
        "Dimensions": [{"Name": "a", "Value": "1"}],
        "Timestamp": now,
        "Value": 7.5,
        "Unit": "Count",
    }
    other.put_metric_data(Namespace=namespace, MetricData=[datum])
    (metric,) = other.list_metrics(Namespace=namespace)["Metrics"]
    statistics = other.get_metric_statistics(
        StartTime=now - datetime.timedelta(minutes=10),
        EndTime=now + datetime.timedelta(minutes=10),
        Period=60,
        Statistics=["Average"],
        **metric,
    )
    assert [(point["Average"], point["Unit"]) for point in statistics["Datapoints"]] == [(7.5, "Count")]
    with pytest.raises(other.exceptions.ClientError):
        other.get_dashboard(DashboardName="nothing")


def test_a_large_body_comes_compressed(clients: Any) -> None:
    cloudwatch, namespace = clients("cloudwatch"), new_name("Large")
    requests = []
    cloudwatch.meta.events.register("before-send.*.*", lambda request, **_: requests.append(request))
    data = [{"MetricName": f"metric-{number}", "Value": float(number)} for number in range(500)]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
    assert len(gzip.decompress(requests[0].body)) > 10 * 1024, "the client compresses from 10 KiB on"
    pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace=namespace)
    assert sum(len(page["Metrics"]) for page in pages) == 500


def test_kms(clients: Any, checker: ResponseChecker) -> None:
    kms, alias = clients("kms"), "alias/" + new_name("walk")
    key = kms.create_key(Description="walk")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    assert kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"] == key
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    assert kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"] == policy
    assert key in [known["KeyId"] for known in kms.list_keys()["Keys"]]
    assert alias in [known["AliasName"] for known in kms.list_aliases(KeyId=key)["Aliases"]]
    kms.disable_key(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Enabled"] is False
    kms.enable_key(KeyId=key)
    kms.enable_key_rotation(KeyId=key)
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is True
    kms.disable_key_rotation(KeyId=key)
    blob = kms.encrypt(KeyId=alias, Plaintext=b"walk")["CiphertextBlob"]
    kms.rotate_key_on_demand(KeyId=key)
    assert len(kms.list_key_rotations(KeyId=key)["Rotations"]) == 1
    blob = kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"walk"
    assert len(kms.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"]) == 32
    kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256")
    kms.update_alias(AliasName=alias, TargetKeyId=key)
    kms.delete_alias(AliasName=alias)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    kms.cancel_key_deletion(KeyId=key)
    assert_all_answered(checker, "kms")


def test_identities(clients: Any, checker: ResponseChecker) -> None:
    sts, iam = clients("sts"), clients("iam")
    identity = sts.get_caller_identity()
    account = identity["Account"]
    assert len(account) == 12 and f"arn:aws:sts::{account}:assumed-role/" in identity["Arn"]
    sts.assume_role(RoleArn=ROLE, RoleSessionName="session")
    sts.get_session_token()
    role = iam.get_role(RoleName="anything")["Role"]
    assert role["Arn"] == f"arn:aws:iam::{account}:role/anything"
    statement = role["AssumeRolePolicyDocument"]["Statement"][0]
    assert "sagemaker.amazonaws.com" in json.dumps(statement["Principal"]) and statement["Action"] == "sts:AssumeRole"
    results = iam.simulate_principal_policy(PolicySourceArn=role["Arn"], ActionNames=["ecr:GetAuthorizationToken"])
    assert [result["EvalDecision"] for result in results["EvaluationResults"]] == ["allowed"]
    iam.create_role(RoleName=new_name("role"), AssumeRolePolicyDocument=json.dumps(role["AssumeRolePolicyDocument"]))
    iam.attach_role_policy(RoleName="anything", PolicyArn="arn:aws:iam::aws:policy/AmazonSageMakerFullAccess")
    assert_all_answered(checker, "sts")
    assert_all_answered(checker, "iam")


def test_ecr(clients: Any, checker: ResponseChecker) -> None:
    ecr, name = clients("ecr"), new_name("repository")
    repository = ecr.create_repository(repositoryName=name)["repository"]
    assert repository["repositoryUri"].endswith(f".dkr.ecr.eu-west-1.amazonaws.com/{name}")
    assert ecr.describe_repositories(repositoryNames=[name])["repositories"] == [repository]
    ecr.get_authorization_token()
    with pytest.raises(ecr.exceptions.RepositoryAlreadyExistsException):
        ecr.create_repository(repositoryName=name)
    assert_all_answered(checker, "ecr")
