"""KMS keys: their rotation, what they encrypt in the states that AWS documents, and what is readable on the disk."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.config
import pytest

from endpoints import capture_config, captured, constant, delete, deploy, inference_ids, refusal, unique_id
from resources import baseline_job, ended_job, new_name, wait_until
from service import CONFIGURATION, Service
from wire_clients import Clients

ONCE = botocore.config.Config(retries={"total_max_attempts": 1})
UNCHECKED = botocore.config.Config(parameter_validation=False, retries={"total_max_attempts": 1})


@pytest.fixture
def route() -> str:
    """One: keys do not depend on the way in."""
    return "endpoint"


@pytest.fixture
def kms(clients: Any) -> Any:
    return clients("kms", config=ONCE)


@pytest.fixture
def key(kms: Any) -> str:
    return kms.create_key()["KeyMetadata"]["KeyId"]


@pytest.fixture
def bucket(clients: Any) -> str:
    name = new_name("keys")
    clients("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name


def code_of(call: Any, **request: Any) -> str:
    response = refusal(call, **request)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return response["Error"]["Code"]


def encryption(key: str) -> dict[str, str]:
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}


def test_what_was_encrypted_before_a_rotation_is_read_after_it(clients: Any, kms: Any, key: str, bucket: str) -> None:
    s3 = clients("s3")
    bodies = {size: secrets.token_bytes(size) for size in (10, 200_000)}
    first = kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    secret = kms.encrypt(KeyId=key, Plaintext=b"of the first material")["CiphertextBlob"]
    materials = [first]
    for rotation in range(3):
        for size, body in bodies.items():
            s3.put_object(Bucket=bucket, Key=f"{rotation}-{size}", Body=body, **encryption(key))
        assert kms.rotate_key_on_demand(KeyId=key)["KeyId"].endswith(key)
        materials.append(kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"])
    assert len(set(materials)) == 4
    for rotation in range(3):
        for size, body in bodies.items():
            assert s3.get_object(Bucket=bucket, Key=f"{rotation}-{size}")["Body"].read() == body
    opened = kms.decrypt(CiphertextBlob=secret)
    assert (opened["Plaintext"], opened["KeyMaterialId"]) == (b"of the first material", first)
    made = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert made["KeyMaterialId"] == materials[-1]

    rotations = kms.list_key_rotations(KeyId=key)["Rotations"]
    assert [entry["KeyMaterialId"] for entry in rotations] == materials[1:]
    assert {entry["RotationType"] for entry in rotations} == {"ON_DEMAND"}
    assert all(entry["RotationDate"] for entry in rotations)
    pages = kms.get_paginator("list_key_rotations").paginate(
        KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL", PaginationConfig={"PageSize": 1}
    )
    listed = [entry for page in pages for entry in page["Rotations"]]
    assert [entry["KeyMaterialId"] for entry in listed] == materials
    assert [entry["KeyMaterialState"] for entry in listed] == ["NON_CURRENT"] * 3 + ["CURRENT"]
    assert "RotationDate" not in listed[0] and "RotationType" not in listed[0]
    assert code_of(kms.list_key_rotations, KeyId=key, Marker="none of ours") == "InvalidMarkerException"
    assert "OnDemandRotationStartDate" not in kms.get_key_rotation_status(KeyId=key)


def test_the_plan_of_rotations(clients: Any, kms: Any, key: str) -> None:
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyRotationEnabled"], "NextRotationDate" in status) == (False, False)
    kms.enable_key_rotation(KeyId=key)
    yearly = kms.get_key_rotation_status(KeyId=key)
    assert (yearly["KeyRotationEnabled"], yearly["RotationPeriodInDays"]) == (True, 365)
    created = kms.describe_key(KeyId=key)["KeyMetadata"]["CreationDate"]
    assert 0 <= (yearly["NextRotationDate"] - created).total_seconds() - 365 * 86400 < 60
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    kms.rotate_key_on_demand(KeyId=key)
    status = kms.get_key_rotation_status(KeyId=key)
    assert status["RotationPeriodInDays"] == 90
    assert 0 <= (status["NextRotationDate"] - created).total_seconds() - 90 * 86400 < 60
    unchecked = clients("kms", config=UNCHECKED)
    for days in (89, 2561):
        assert code_of(unchecked.enable_key_rotation, KeyId=key, RotationPeriodInDays=days) == "ValidationException"
    kms.disable_key(KeyId=key)
    status = kms.get_key_rotation_status(KeyId=key)
    assert status["KeyRotationEnabled"] is True
    for call in (kms.enable_key_rotation, kms.disable_key_rotation, kms.rotate_key_on_demand):
        assert code_of(call, KeyId=key) == "DisabledException"
    kms.enable_key(KeyId=key)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyRotationEnabled"], "NextRotationDate" in status) == (False, False)
    for call in (kms.enable_key_rotation, kms.disable_key_rotation, kms.rotate_key_on_demand, kms.enable_key):
        assert code_of(call, KeyId=key) == "KMSInvalidStateException"
    kms.cancel_key_deletion(KeyId=key)
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 90)
    missing = "00000000-0000-0000-0000-000000000000"
    for call in (kms.rotate_key_on_demand, kms.list_key_rotations, kms.get_key_rotation_status):
        assert code_of(call, KeyId=missing) == "NotFoundException"


def test_a_key_is_rotated_on_demand_25_times(kms: Any, key: str) -> None:
    for _ in range(25):
        kms.rotate_key_on_demand(KeyId=key)
    assert code_of(kms.rotate_key_on_demand, KeyId=key) == "LimitExceededException"
    assert len(kms.list_key_rotations(KeyId=key)["Rotations"]) == 25


def test_secrets_of_clients(kms: Any, key: str) -> None:
    arn = kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    context = {"purpose": "test", "department": "1"}
    sealed = kms.encrypt(KeyId=arn, Plaintext=b"secret", EncryptionContext=context)
    assert (sealed["KeyId"], sealed["EncryptionAlgorithm"]) == (arn, "SYMMETRIC_DEFAULT")
    blob = sealed["CiphertextBlob"]
    assert b"secret" not in blob
    # The order of a context's pairs means nothing.
    reordered = dict(reversed(context.items()))
    opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=reordered)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"secret", arn)
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context, KeyId=key)["Plaintext"] == b"secret"
    for wrong in ({}, {"purpose": "test"}, context | {"more": ""}):
        assert code_of(kms.decrypt, CiphertextBlob=blob, EncryptionContext=wrong) == "InvalidCiphertextException"
    changed = blob[:-1] + bytes([blob[-1] ^ 1])
    assert code_of(kms.decrypt, CiphertextBlob=changed, EncryptionContext=context) == "InvalidCiphertextException"
    assert code_of(kms.decrypt, CiphertextBlob=b"none of ours") == "InvalidCiphertextException"
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    assert code_of(kms.decrypt, CiphertextBlob=blob, EncryptionContext=context, KeyId=other) == "IncorrectKeyException"

    alias = "alias/" + new_name("other")
    kms.create_alias(AliasName=alias, TargetKeyId=other)
    again = kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext=context, DestinationKeyId=alias)
    assert again["SourceKeyId"] == arn and again["KeyId"].endswith(other)
    assert again["SourceKeyMaterialId"] != again["DestinationKeyMaterialId"]
    assert kms.decrypt(CiphertextBlob=again["CiphertextBlob"], KeyId=alias)["Plaintext"] == b"secret"

    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_128")
    assert len(data_key["Plaintext"]) == 16
    assert kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"]
    assert len(kms.generate_data_key(KeyId=key, NumberOfBytes=1024)["Plaintext"]) == 1024
    hidden = kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256")
    assert "Plaintext" not in hidden
    assert len(kms.decrypt(CiphertextBlob=hidden["CiphertextBlob"])["Plaintext"]) == 32
    assert code_of(kms.generate_data_key, KeyId=key) == "ValidationException"
    assert code_of(kms.generate_data_key, KeyId=key, KeySpec="AES_256", NumberOfBytes=1) == "ValidationException"
    assert code_of(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True) == "DryRunOperationException"


@pytest.mark.parametrize(
    ("switch", "code"),
    [("disable_key", "DisabledException"), ("schedule_key_deletion", "KMSInvalidStateException")],
)
def test_a_key_that_is_off(clients: Any, kms: Any, key: str, bucket: str, switch: str, code: str) -> None:
    s3 = clients("s3", config=ONCE)
    s3.put_object(Bucket=bucket, Key="kept", Body=b"kept", **encryption(key))
    s3.put_object(Bucket=bucket, Key="copied", Body=b"plain")
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    of_other = kms.encrypt(KeyId=other, Plaintext=b"x")["CiphertextBlob"]
    getattr(kms, switch)(KeyId=key)
    for call, request in (
        (kms.encrypt, {"KeyId": key, "Plaintext": b"x"}),
        (kms.decrypt, {"CiphertextBlob": blob}),
        (kms.generate_data_key, {"KeyId": key, "KeySpec": "AES_256"}),
        (kms.generate_data_key_without_plaintext, {"KeyId": key, "KeySpec": "AES_256"}),
        (kms.re_encrypt, {"CiphertextBlob": blob, "DestinationKeyId": other}),
        (kms.re_encrypt, {"CiphertextBlob": of_other, "DestinationKeyId": key}),
    ):
        assert code_of(call, **request) == code
    write = {"Bucket": bucket, "Key": "new", **encryption(key)}
    assert code_of(s3.get_object, Bucket=bucket, Key="kept") == f"KMS.{code}"
    assert code_of(s3.put_object, Body=b"x", **write) == f"KMS.{code}"
    assert code_of(s3.create_multipart_upload, **write) == f"KMS.{code}"
    source = {"Bucket": bucket, "Key": "copied"}
    assert code_of(s3.copy_object, CopySource=source, **write) == f"KMS.{code}"
    assert code_of(s3.copy_object, CopySource=source | {"Key": "kept"}, Bucket=bucket, Key="copy") == f"KMS.{code}"
    # What is known of it is not secret, and it can be deleted.
    assert s3.head_object(Bucket=bucket, Key="kept")["ContentLength"] == 4
    s3.delete_object(Bucket=bucket, Key="kept")


def test_aliases_move(kms: Any, key: str) -> None:
    alias, other = "alias/" + new_name("moved"), kms.create_key()["KeyMetadata"]["KeyId"]
    assert code_of(kms.update_alias, AliasName=alias, TargetKeyId=key) == "NotFoundException"
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    blob = kms.encrypt(KeyId=alias, Plaintext=b"x")["CiphertextBlob"]
    kms.update_alias(AliasName=alias, TargetKeyId=other)
    assert kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"] == other
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    kms.delete_alias(AliasName=alias)
    assert code_of(kms.describe_key, KeyId=alias) == "NotFoundException"
    assert code_of(kms.delete_alias, AliasName=alias) == "NotFoundException"


def files_with(folder: Path, mark: str) -> list[Path]:
    """The files that hold a text as it is."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if mark.encode() in path.read_bytes()]


def test_objects_are_unreadable_at_rest(service: Service, clients: Any, key: str, bucket: str) -> None:
    s3, mark, shown = clients("s3"), secrets.token_hex(20), secrets.token_hex(20)
    for size in (100, 300_000):
        s3.put_object(Bucket=bucket, Key=f"{size}", Body=(mark + " ").ljust(size, ".").encode(), **encryption(key))
        s3.put_object(Bucket=bucket, Key=f"plain {size}", Body=(shown + " ").ljust(size, ".").encode())
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", **encryption(key))["UploadId"]
    part = {"Bucket": bucket, "Key": "parts", "UploadId": upload, "PartNumber": 1}
    etag = s3.upload_part(Body=mark.encode() * 200_000, **part)["ETag"]
    assert files_with(service.data, mark) == [], "a part"
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload=parts)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "plain 100"}, **encryption(key))
    assert files_with(service.data, mark) == []
    assert len(files_with(service.data, shown)) >= 2, "what is not encrypted is found: the search works"
    assert s3.get_object(Bucket=bucket, Key="300000")["Body"].read().startswith(mark.encode())


def test_outputs_of_jobs_are_unreadable_at_rest(service: Service, clients: Any, key: str, bucket: str) -> None:
    s3, sagemaker = clients("s3"), clients("sagemaker")
    mark, shown = "m" + secrets.token_hex(20), "s" + secrets.token_hex(20)
    for text, options in ((mark, encryption(key)), (shown, {})):
        rows = "name,count\n" + "".join(f"{text}{number % 3},{number}\n" for number in range(200))
        s3.put_object(Bucket=bucket, Key=f"in/{text}/data.csv", Body=rows.encode(), **options)
        name = new_name("at-rest")
        job = baseline_job(name, f"s3://{bucket}/in/{text}/", f"s3://{bucket}/out/{text}")
        if options:
            job["ProcessingOutputConfig"]["KmsKeyId"] = key
        sagemaker.create_processing_job(**job)
        ended = ended_job(sagemaker, name)
        assert ended["ProcessingJobStatus"] == "Completed", ended.get("FailureReason")
    # A value is its text with a digit behind it; names of keys have the text as well, and are not encrypted.
    for document in ("statistics.json", "constraints.json"):
        read = s3.get_object(Bucket=bucket, Key=f"out/{mark}/{document}")
        assert read["ServerSideEncryption"] == "aws:kms" and read["SSEKMSKeyId"].endswith(key)
    assert f"{mark}0" in s3.get_object(Bucket=bucket, Key=f"out/{mark}/statistics.json")["Body"].read().decode()
    wait_until(lambda: service.job_folders() == [], "the end of the jobs' folders")
    assert files_with(service.data, f"{mark}0") == []
    assert files_with(service.data, f"{shown}0") != []


def test_captures_are_unreadable_at_rest(service: Service, clients: Any, key: str, bucket: str) -> None:
    sagemaker, runtime, s3 = clients("sagemaker"), clients("sagemaker-runtime"), clients("s3")
    mark, shown = secrets.token_hex(20), secrets.token_hex(20)
    for text, options in ((mark, {"KmsKeyId": key}), (shown, {})):
        capture = capture_config(f"s3://{bucket}/{'encrypted' if options else 'plain'}", **options)
        name = deploy(sagemaker, new_name("at-rest"), capture=capture)
        for _ in range(50):
            runtime.invoke_endpoint(EndpointName=name, Body=text.encode(), ContentType="text/csv")["Body"].read()
        delete(sagemaker, name)
    lines = captured(s3, bucket, "encrypted/")
    assert len(lines) == 50
    assert files_with(service.data, mark) == []
    assert files_with(service.data, shown) != []


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[Service]:
    """A service whose captures stay in the journal until it is started again."""
    settings = '[capture]\ndurability = "durable"\nflush_seconds = 600\n'
    service = Service(tmp_path, f"{CONFIGURATION}\n{settings}").start()
    yield service
    if service.is_running():
        service.stop()


def test_journals_of_captures_are_unreadable_at_rest(durable: Service) -> None:
    clients, name = Clients(durable), new_name("journal")
    clients("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    key = clients("kms").create_key()["KeyMetadata"]["KeyId"]
    mark, shown, asked = secrets.token_hex(20), secrets.token_hex(20), []
    for text, options in ((mark, {"KmsKeyId": key}), (shown, {})):
        endpoint = f"{name}-{'encrypted' if options else 'plain'}"
        deploy(clients("sagemaker"), endpoint, constant(0.5), capture_config(f"s3://{name}/capture", **options))
        for _ in range(20):
            asked.append(unique_id())
            request = {"EndpointName": endpoint, "Body": text.encode(), "ContentType": "text/csv"}
            clients("sagemaker-runtime").invoke_endpoint(InferenceId=asked[-1], **request)["Body"].read()
    durable.kill()
    assert len(list((durable.data / "capture").glob("*.journal"))) > 0
    assert files_with(durable.data, mark) == []
    assert [path.suffix for path in files_with(durable.data, shown)] == [".journal"]
    s3 = Clients(durable.start())("s3")
    found = wait_until(lambda: lines if len(lines := captured(s3, name, "capture/")) == 40 else None, "the captures")
    assert sorted(inference_ids(found)) == sorted(asked)
    assert files_with(durable.data, mark) == []
