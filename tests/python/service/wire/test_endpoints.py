"""The life of an endpoint as its clients see it: created, updated under load, rolled back, restarted and deleted."""

import io
import json
import tarfile
import threading
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import WaiterError

from endpoints import (
    LINEAR,
    MODEL_SERVER,
    UNMAPPED,
    archive,
    capture_config,
    captured_records,
    constant,
    create_endpoint,
    create_model,
    delete,
    deploy,
    description,
    exists,
    in_parallel,
    in_service,
    refusal,
    server,
    settled_endpoint,
    update,
    variant,
)
from resources import new_name, wait_until

ROUTES = ("endpoint", "proxy")
QUICK = {"Delay": 1, "MaxAttempts": 60}


@pytest.fixture
def route() -> str:
    """One, but for the tests that say otherwise."""
    return "endpoint"


@pytest.fixture
def sagemaker(clients: Any) -> Any:
    return clients("sagemaker")


@pytest.fixture
def runtime(clients: Any) -> Any:
    return clients("sagemaker-runtime")


@pytest.fixture
def bucket(clients: Any) -> str:
    name = new_name("endpoints")
    clients("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name


class Load:
    """Requests that never stop, and what became of them."""

    def __init__(self, runtime: Any, endpoint: str, workers: int = 4) -> None:
        self.runtime, self.endpoint = runtime, endpoint
        self.answers: list[bytes] = []
        self.failures: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(workers)]

    def _ask(self) -> None:
        while not self._over.is_set():
            try:
                answer = self.runtime.invoke_endpoint(EndpointName=self.endpoint, Body=b"1\n", ContentType="text/csv")
                assert answer["ResponseMetadata"]["RetryAttempts"] == 0
                self.answers.append(answer["Body"].read().strip())
            except Exception as error:  # noqa: BLE001
                self.failures.append(repr(error))

    def more(self, count: int = 20) -> None:
        """Returns when so many more were answered."""
        enough = len(self.answers) + count
        wait_until(lambda: len(self.answers) >= enough or self.failures, f"{count} more answers")

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        self.more()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=60)
            assert not thread.is_alive()
        assert self.failures == []


@pytest.mark.parametrize("route", ROUTES)
def test_the_life_of_an_endpoint(sagemaker: Any, runtime: Any, clients: Any, bucket: str) -> None:
    name = new_name("Life")
    create_endpoint(sagemaker, name, capture=capture_config(f"s3://{bucket}/capture", 30))
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig=QUICK)
    described = sagemaker.describe_endpoint(EndpointName=name)
    assert described["EndpointName"] == described["EndpointConfigName"] == name
    assert described["EndpointArn"].endswith(f":endpoint/{name.lower()}")
    capture = described["DataCaptureConfig"]
    assert capture["EnableCapture"] is True and capture["CaptureStatus"] == "Started"
    assert capture["CurrentSamplingPercentage"] == 30 and capture["DestinationS3Uri"] == f"s3://{bucket}/capture"
    (running,) = described["ProductionVariants"]
    assert (running["VariantName"], running["CurrentWeight"], running["DesiredWeight"]) == ("AllTraffic", 1.0, 1.0)
    assert (running["CurrentInstanceCount"], running["DesiredInstanceCount"]) == (1, 1)
    assert "FailureReason" not in described
    assert runtime.invoke_endpoint(EndpointName=name.lower(), Body=b"1,2")["Body"].read() == b"1,2"

    # The group is there as soon as the endpoint is in service.
    group = f"/aws/sagemaker/Endpoints/{name}"
    groups = clients("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert [known["logGroupName"] for known in groups] == [group]

    sagemaker.delete_endpoint(EndpointName=name)
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig=QUICK)
    error = refusal(runtime.invoke_endpoint, EndpointName=name, Body=b"1,2")["Error"]
    assert error["Code"] == "ValidationError" and name.lower() in error["Message"].lower()
    assert sagemaker.describe_endpoint_config(EndpointConfigName=name)["EndpointConfigName"] == name
    # The name is free again.
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    in_service(sagemaker, name)
    delete(sagemaker, name)


def test_what_an_endpoint_was_made_of_may_go(sagemaker: Any, runtime: Any) -> None:
    name = deploy(sagemaker, new_name("own"), constant(0.25))
    sagemaker.delete_endpoint_config(EndpointConfigName=name)
    sagemaker.delete_model(ModelName=name)
    assert float(runtime.invoke_endpoint(EndpointName=name, Body=b"1", ContentType="text/csv")["Body"].read()) == 0.25
    in_service(sagemaker, name)
    delete(sagemaker, name)


def test_updates_under_load_refuse_nothing(sagemaker: Any, runtime: Any, clients: Any, bucket: str) -> None:
    name = deploy(sagemaker, new_name("update"), constant(0.5))
    uri = f"s3://{bucket}/capture"
    with Load(runtime, name) as load:
        for step, value in enumerate((1.5, 2.5, 3.5)):
            create_model(sagemaker, f"{name}-{step}", constant(value))
            update(sagemaker, name, f"{name}-{step}", variant(f"{name}-{step}"), capture=capture_config(uri))
            assert in_service(sagemaker, name)["EndpointConfigName"] == f"{name}-{step}"
            # What is asked from here on is answered by the new model.
            answer = runtime.invoke_endpoint(EndpointName=name, Body=b"1\n", ContentType="text/csv")
            assert float(answer["Body"].read()) == value
            load.more()
    assert set(map(float, load.answers)) == {0.5, 1.5, 2.5, 3.5}
    delete(sagemaker, name)
    # All requests were captured but those of the first model, which was there before the capture.
    after = sum(float(answer) != 0.5 for answer in load.answers) + 3
    captured_records(clients("s3"), bucket, f"capture/{name}/AllTraffic/", after)


def test_an_update_that_cannot_be_is_rolled_back(sagemaker: Any, runtime: Any) -> None:
    name = deploy(sagemaker, new_name("rollback"), constant(0.5))
    create_model(sagemaker, f"{name}-2", {"Image": UNMAPPED})
    with Load(runtime, name) as load:
        update(sagemaker, name, f"{name}-2", variant(f"{name}-2"))
        described = in_service(sagemaker, name)
        load.more()
    assert described["EndpointConfigName"] == name
    assert "unknown-model:7" in described["FailureReason"] and "images" in described["FailureReason"]
    assert set(map(float, load.answers)) == {0.5}
    # The next update is an update like any other.
    create_model(sagemaker, f"{name}-3", constant(3.5))
    update(sagemaker, name, f"{name}-3", variant(f"{name}-3"))
    described = in_service(sagemaker, name)
    assert described["EndpointConfigName"] == f"{name}-3" and "FailureReason" not in described
    delete(sagemaker, name)


def test_an_image_that_nothing_stands_for(sagemaker: Any, runtime: Any) -> None:
    name = new_name("unmapped")
    create_endpoint(sagemaker, name, {"Image": UNMAPPED})
    with pytest.raises(WaiterError):
        sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig=QUICK)
    failed = sagemaker.describe_endpoint(EndpointName=name)
    assert failed["EndpointStatus"] == "Failed"
    assert UNMAPPED in failed["FailureReason"] and "images" in failed["FailureReason"]
    names = [known["EndpointName"] for known in sagemaker.list_endpoints(StatusEquals="Failed")["Endpoints"]]
    assert name in names
    assert refusal(runtime.invoke_endpoint, EndpointName=name, Body=b"1")["Error"]["Code"] == "ValidationError"
    delete(sagemaker, name)


@pytest.mark.parametrize(
    ("files", "place"),
    [(None, "nothing-here.tar.gz"), (b"this is no archive", "model.tar.gz"), ("outside", "model.tar.gz")],
    ids=["missing", "no archive", "a path that leads outside"],
)
def test_an_archive_that_cannot_be_used(
    sagemaker: Any, clients: Any, bucket: str, files: str | bytes | None, place: str
) -> None:
    if files is not None:
        body = files if isinstance(files, bytes) else archive({"../../../outside": "escaped"})
        clients("s3").put_object(Bucket=bucket, Key=place, Body=body)
    name, uri = new_name("archive"), f"s3://{bucket}/{place}"
    create_endpoint(sagemaker, name, server() | {"ModelDataUrl": uri})
    failed = settled_endpoint(sagemaker, name)
    assert failed["EndpointStatus"] == "Failed", failed
    assert place in failed["FailureReason"] or "outside" in failed["FailureReason"], failed
    delete(sagemaker, name)


def test_a_process_has_what_the_contract_says(sagemaker: Any, runtime: Any, clients: Any, bucket: str) -> None:
    model = archive({"model.json": "{}", "code/inference.py": "# code"})
    clients("s3").put_object(Bucket=bucket, Key="model.tar.gz", Body=model)
    url = f"https://{bucket}.s3-eu-west-1.amazonaws.com/model.tar.gz"
    name = deploy(sagemaker, new_name("contract"), server(COLUMN="Churn") | {"ModelDataUrl": url})
    seen = description(runtime, name)
    assert seen["arguments"] == ["serve"]
    assert seen["files"] == {"model.json": "{}", "code/inference.py": "# code"}
    assert seen["environment"]["COLUMN"] == "Churn"
    assert seen["environment"]["SM_MODEL_DIR"].endswith("/opt/ml/model")
    assert not any("SAGEMAKER_BATCH" in variable for variable in seen["environment"])

    logs, group = clients("logs"), f"/aws/sagemaker/Endpoints/{name}"
    (stream,) = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="AllTraffic/")["logStreams"]

    def lines() -> list[str]:
        page = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
        return [event["message"] for event in page["events"]]

    wait_until(lambda: any("model server starts with serve" in line for line in lines()), "the first line of the log")
    delete(sagemaker, name)


def test_a_chain_of_containers(sagemaker: Any, runtime: Any, clients: Any, bucket: str) -> None:
    linear = {"intercept": 1.0, "coefficients": [2.0, 3.0]}
    clients("s3").put_object(Bucket=bucket, Key="m/model.tar.gz", Body=archive({"model.json": json.dumps(linear)}))
    first = {"Image": LINEAR, "ModelDataUrl": f"s3://{bucket}/m/model.tar.gz", "ContainerHostname": "linear"}
    chain = [first, server(SUFFIX="!") | {"ContainerHostname": "second"}, server(SUFFIX="?")]
    name = deploy(sagemaker, new_name("chain"), chain)
    answer = runtime.invoke_endpoint(EndpointName=name, Body=b"10,100", ContentType="text/csv")["Body"].read()
    number, ends = answer.replace(b"\n", b"")[:-2], answer.replace(b"\n", b"")[-2:]
    assert float(number) == 321.0 and ends == b"!?"
    delete(sagemaker, name)


def test_while_a_model_starts(sagemaker: Any, clients: Any) -> None:
    runtime = clients("sagemaker-runtime", config=Config(retries={"total_max_attempts": 1}))
    name = new_name("slow")
    create_endpoint(sagemaker, name, server(START_SECONDS="2.5"))
    described = sagemaker.describe_endpoint(EndpointName=name)
    assert described["EndpointStatus"] == "Creating"
    response = refusal(runtime.invoke_endpoint, EndpointName=name, Body=b"1")
    assert response["Error"]["Code"] == "ModelNotReadyException"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
    error = refusal(sagemaker.update_endpoint, EndpointName=name, EndpointConfigName=name)["Error"]
    assert error["Code"] == "ValidationException"
    assert error["Message"] == f'Cannot update in-progress endpoint "{described["EndpointArn"]}".'
    in_service(sagemaker, name)
    assert runtime.invoke_endpoint(EndpointName=name, Body=b"1")["Body"].read() == b"1"
    delete(sagemaker, name)


def test_a_model_that_does_not_start(sagemaker: Any, clients: Any) -> None:
    name = new_name("fails")
    create_endpoint(sagemaker, name, server(START_FAILURE="the weights are missing"))
    failed = settled_endpoint(sagemaker, name, 100)
    assert failed["EndpointStatus"] == "Failed" and "the weights are missing" in failed["FailureReason"]
    logged = clients("logs").filter_log_events(logGroupName=f"/aws/sagemaker/Endpoints/{name}")["events"]
    assert any("the weights are missing" in event["message"] for event in logged)
    delete(sagemaker, name)


def test_weights_and_capture_change_without_a_new_process(
    sagemaker: Any, runtime: Any, clients: Any, bucket: str
) -> None:
    name = new_name("kept")
    create_model(sagemaker, name, server())
    update_of = {"EndpointName": name}
    variants = [variant(name, "One", 1.0), variant(name, "Two", 1.0)]
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    in_service(sagemaker, name)

    def processes() -> dict[str, int]:
        return {one: description(runtime, name, TargetVariant=one)["process"] for one in ("One", "Two")}

    before = processes()
    sagemaker.update_endpoint_weights_and_capacities(
        **update_of,
        DesiredWeightsAndCapacities=[
            {"VariantName": "One", "DesiredWeight": 0.0},
            {"VariantName": "Two", "DesiredWeight": 1.0},
        ],
    )
    in_service(sagemaker, name)
    answers = [runtime.invoke_endpoint(EndpointName=name, Body=b"1") for _ in range(20)]
    assert {answer["InvokedProductionVariant"] for answer in answers} == {"Two"}
    running = {one["VariantName"]: one for one in sagemaker.describe_endpoint(**update_of)["ProductionVariants"]}
    assert running["One"]["CurrentWeight"] == 0.0 and running["Two"]["CurrentWeight"] == 1.0

    update(sagemaker, name, f"{name}-2", *variants, capture=capture_config(f"s3://{bucket}/capture"))
    in_service(sagemaker, name)
    assert processes() == before
    captured_records(clients("s3"), bucket, f"capture/{name}/", 2)
    delete(sagemaker, name)


def test_the_share_of_a_variant(sagemaker: Any, runtime: Any) -> None:
    name = new_name("shares")
    create_model(sagemaker, name)
    variants = [variant(name, "One", 1.0), variant(name, "Three", 3.0)]
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    in_service(sagemaker, name)
    count = 600

    def invoked(_: int) -> str:
        return runtime.invoke_endpoint(EndpointName=name, Body=b"1")["InvokedProductionVariant"]

    share = in_parallel(invoked, range(count)).count("Three")
    # Six standard deviations of a fair choice by the weights.
    assert abs(share - 450) <= 6 * (count * 0.75 * 0.25) ** 0.5
    named = [runtime.invoke_endpoint(EndpointName=name, Body=b"1", TargetVariant="One") for _ in range(5)]
    assert {answer["InvokedProductionVariant"] for answer in named} == {"One"}
    error = refusal(runtime.invoke_endpoint, EndpointName=name, Body=b"1", TargetVariant="Two")["Error"]
    assert error["Code"] == "ValidationError" and "Two" in error["Message"]
    delete(sagemaker, name)


def test_a_link_in_an_archive_leads_nowhere(sagemaker: Any, clients: Any, runtime: Any, bucket: str) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        link = tarfile.TarInfo("secret")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    clients("s3").put_object(Bucket=bucket, Key="model.tar.gz", Body=stream.getvalue())
    name = new_name("link")
    create_endpoint(sagemaker, name, {"Image": MODEL_SERVER, "ModelDataUrl": f"s3://{bucket}/model.tar.gz"})
    settled = settled_endpoint(sagemaker, name)
    # Refused, or left out: either way the file outside cannot be read through it.
    if settled["EndpointStatus"] == "InService":
        assert description(runtime, name)["files"] == {}
    else:
        assert "secret" in settled["FailureReason"]
    delete(sagemaker, name)


def test_only_what_is_there_can_be_deleted(sagemaker: Any) -> None:
    name = new_name("nothing")
    assert not exists(sagemaker, name)
    error = refusal(sagemaker.delete_endpoint, EndpointName=name)["Error"]
    assert error["Code"] == "ValidationException" and error["Message"].startswith('Could not find endpoint "arn:')
    error = refusal(sagemaker.update_endpoint, EndpointName=name, EndpointConfigName=name)["Error"]
    assert error["Code"] == "ValidationException"
    create_model(sagemaker, name)
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant(name)])
    error = refusal(sagemaker.update_endpoint, EndpointName=name, EndpointConfigName=name)["Error"]
    assert error["Code"] == "ValidationException" and error["Message"].startswith('Could not find endpoint "arn:')


def test_explanations_are_not_pretended(sagemaker: Any) -> None:
    """Plain predictions in place of explanations would mislead."""
    name = new_name("explained")
    create_model(sagemaker, name)
    baseline = {"ShapBaselineConfig": {"MimeType": "text/csv", "ShapBaseline": "1,2"}}
    sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[variant(name)],
        ExplainerConfig={"ClarifyExplainerConfig": {"ShapConfig": baseline}},
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    failed = settled_endpoint(sagemaker, name)
    assert failed["EndpointStatus"] == "Failed" and "ExplainerConfig" in failed["FailureReason"]
    delete(sagemaker, name)


def test_a_shadow_variant_is_asked_as_well(sagemaker: Any, runtime: Any, clients: Any, bucket: str) -> None:
    name = new_name("shadow")
    create_model(sagemaker, f"{name}-1", constant(1.0))
    create_model(sagemaker, f"{name}-2", constant(2.0))
    sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[variant(f"{name}-1", "Production")],
        ShadowProductionVariants=[variant(f"{name}-2", "Shadow")],
        DataCaptureConfig=capture_config(f"s3://{bucket}/capture"),
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    assert "ShadowProductionVariants" in in_service(sagemaker, name)
    for _ in range(5):
        answer = runtime.invoke_endpoint(EndpointName=name, Body=b"1", ContentType="text/csv")
        assert answer["InvokedProductionVariant"] == "Production" and float(answer["Body"].read()) == 1.0
    for which, value in (("Production", 1.0), ("Shadow", 2.0)):
        records = captured_records(clients("s3"), bucket, f"capture/{name}/{which}/", 5)
        assert {float(record["captureData"]["endpointOutput"]["data"]) for record in records} == {value}
    delete(sagemaker, name)
