"""S3 as boto3 uses it: what is written is read back, byte for byte, in every way that clients ask for it."""

import datetime
import hashlib
import os
import ssl
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3.s3.transfer
import botocore
import botocore.config
import pytest
from botocore.exceptions import ClientError

from resources import new_name, wait_until
from service import Service

MIB = 1 << 20
ODD_KEYS = ["a b", "a+b", "a//b", "ä/ö€", "per%cent", "q?x=1&y=2", "trailing/", "../up", "semi;colon", "quote'\"<>&"]


@pytest.fixture
def s3(clients: Any) -> Any:
    return clients("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = new_name("objects")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name


def code_of(call: Any, **request: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_buckets(s3: Any, bucket: str) -> None:
    listed = {known["Name"]: known["CreationDate"] for known in s3.list_buckets()["Buckets"]}
    assert abs(listed[bucket] - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=1)
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == "eu-west-1"
    location = {"LocationConstraint": "eu-west-1"}
    assert code_of(s3.create_bucket, Bucket=bucket, CreateBucketConfiguration=location) == (
        "BucketAlreadyOwnedByYou",
        409,
    )
    assert code_of(s3.create_bucket, Bucket="No_Bucket", CreateBucketConfiguration=location)[1] == 400
    with pytest.raises(ClientError) as caught:
        s3.head_bucket(Bucket=bucket + "-missing")
    assert caught.value.response["Error"] == {"Code": "404", "Message": "Not Found"}
    assert code_of(s3.head_bucket, Bucket=bucket, ExpectedBucketOwner="999999999999") == ("403", 403)
    assert code_of(s3.get_object, Bucket=bucket, Key="k", ExpectedBucketOwner="999999999999") == ("AccessDenied", 403)
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert code_of(s3.delete_bucket, Bucket=bucket) == ("BucketNotEmpty", 409)
    for call in (s3.get_object, s3.put_object):
        assert code_of(call, Bucket=bucket + "-missing", Key="k") == ("NoSuchBucket", 404)


def test_a_write_that_is_refused_before_its_body(clients: Any, bucket: str) -> None:
    """Its connection ends, and says so: the next request does not get lost on it."""
    s3 = clients("s3", config=botocore.config.Config(retries={"total_max_attempts": 1}))
    for _ in range(100):
        with pytest.raises(ClientError) as caught:
            s3.put_object(Bucket=bucket + "-missing", Key="k", Body=b"x")
        assert caught.value.response["Error"]["Code"] == "NoSuchBucket"
        assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["connection"] == "close"
        assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == "eu-west-1"


def test_the_default_bucket_exists_from_the_start(s3: Any, service: Service) -> None:
    account = service.default_account()
    assert f"sagemaker-eu-west-1-{account}" in [known["Name"] for known in s3.list_buckets()["Buckets"]]


def test_an_object_keeps_what_it_was_given(s3: Any, bucket: str) -> None:
    body = os.urandom(70_000)
    written = s3.put_object(
        Bucket=bucket,
        Key="data.bin",
        Body=body,
        ContentType="text/csv; charset=utf-8",
        ContentEncoding="identity",
        CacheControl="no-cache",
        ContentDisposition="attachment",
        Metadata={"Mixed-Case": "value", "note": "x y"},
    )
    assert written["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    head = s3.head_object(Bucket=bucket, Key="data.bin", ChecksumMode="ENABLED")
    got = s3.get_object(Bucket=bucket, Key="data.bin", ChecksumMode="ENABLED")
    assert got["Body"].read() == body
    for answer in (head, got):
        assert answer["ContentLength"] == len(body)
        assert answer["ContentType"] == "text/csv; charset=utf-8"
        assert answer["ContentEncoding"] == "identity"
        assert answer["CacheControl"] == "no-cache"
        assert answer["ContentDisposition"] == "attachment"
        assert answer["Metadata"] == {"mixed-case": "value", "note": "x y"}
        assert answer["ETag"] == written["ETag"]
        assert answer["ChecksumCRC32"] == written["ChecksumCRC32"]
        assert answer["AcceptRanges"] == "bytes"
    assert abs(head["LastModified"] - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=1)


def test_a_wrong_checksum_is_refused(s3: Any, bucket: str) -> None:
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"text", ChecksumCRC32="AAAAAA==") == ("BadDigest", 400)
    assert code_of(s3.head_object, Bucket=bucket, Key="k") == ("404", 404)


def test_ranges_and_conditions(s3: Any, bucket: str) -> None:
    body = bytes(range(256)) * 400
    etag = s3.put_object(Bucket=bucket, Key="k", Body=body)["ETag"]
    for text, start, end in (
        ("bytes=0-9", 0, 10),
        ("bytes=100-", 100, len(body)),
        ("bytes=-7", len(body) - 7, len(body)),
    ):
        part = s3.get_object(Bucket=bucket, Key="k", Range=text)
        assert part["Body"].read() == body[start:end]
        assert part["ContentRange"] == f"bytes {start}-{end - 1}/{len(body)}"
        assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert code_of(s3.get_object, Bucket=bucket, Key="k", Range=f"bytes={len(body)}-") == ("InvalidRange", 416)
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=etag)["Body"].read() == body
    assert code_of(s3.get_object, Bucket=bucket, Key="k", IfMatch='"0"') == ("PreconditionFailed", 412)
    assert code_of(s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=etag) == ("304", 304)
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"", IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert code_of(s3.get_object, Bucket=bucket, Key="none") == ("NoSuchKey", 404)
    s3.put_object(Bucket=bucket, Key="new", Body=b"n", IfNoneMatch="*")


@pytest.mark.parametrize("key", ODD_KEYS)
def test_odd_keys(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [known["Key"] for known in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert [known["Key"] for known in s3.list_objects(Bucket=bucket, Prefix=key[:1])["Contents"]] == [key]
    s3.copy_object(Bucket=bucket, Key="copy of " + key, CopySource={"Bucket": bucket, "Key": key})
    assert s3.get_object(Bucket=bucket, Key="copy of " + key)["Body"].read() == key.encode()
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}, {"Key": "copy of " + key}]})
    assert {known["Key"] for known in deleted["Deleted"]} == {key, "copy of " + key}
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_transfers_of_many_parts(s3: Any, bucket: str, tmp_path: Path) -> None:
    body = os.urandom(33 * MIB + 17)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(body)
    s3.upload_file(str(source), bucket, "large")
    head = s3.head_object(Bucket=bucket, Key="large")
    parts = [hashlib.md5(body[start : start + 8 * MIB]).digest() for start in range(0, len(body), 8 * MIB)]
    assert head["ETag"] == f'"{hashlib.md5(b"".join(parts)).hexdigest()}-{len(parts)}"'
    s3.download_file(bucket, "large", str(target))
    assert target.read_bytes() == body
    s3.copy(
        {"Bucket": bucket, "Key": "large"},
        bucket,
        "copy",
        Config=boto3.s3.transfer.TransferConfig(multipart_threshold=8 * MIB),
    )
    assert s3.get_object(Bucket=bucket, Key="copy", Range="bytes=-20")["Body"].read() == body[-20:]


def test_uploads_in_parts(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", ContentType="text/plain")["UploadId"]
    request = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    # The parts come in any order, and a part that comes again replaces the one before.
    second = s3.upload_part(PartNumber=2, Body=b"tail", **request)["ETag"]
    s3.upload_part(PartNumber=1, Body=b"x" * 5 * MIB, **request)
    first = s3.upload_part(PartNumber=1, Body=b"y" * 5 * MIB, **request)["ETag"]
    listed = s3.list_parts(MaxParts=1, **request)
    assert [part["PartNumber"] for part in listed["Parts"]] == [1] and listed["IsTruncated"]
    assert [known["UploadId"] for known in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    parts = [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": '"0"'}]
    assert code_of(s3.complete_multipart_upload, MultipartUpload={"Parts": parts}, **request) == ("InvalidPart", 400)
    parts[1]["ETag"] = second
    s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **request)
    got = s3.get_object(Bucket=bucket, Key="parts")
    assert got["Body"].read() == b"y" * 5 * MIB + b"tail" and got["ContentType"] == "text/plain"
    assert code_of(s3.upload_part, PartNumber=1, Body=b"", **request) == ("NoSuchUpload", 404)
    small = s3.create_multipart_upload(Bucket=bucket, Key="small")["UploadId"]
    request = {"Bucket": bucket, "Key": "small", "UploadId": small}
    etags = [s3.upload_part(PartNumber=number, Body=b"s", **request)["ETag"] for number in (1, 2)]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
    assert code_of(s3.complete_multipart_upload, MultipartUpload={"Parts": parts}, **request) == ("EntityTooSmall", 400)
    s3.abort_multipart_upload(**request)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_listings_page_by_page(s3: Any, bucket: str) -> None:
    keys = sorted(f"{folder}/{number:03}" for folder in ("a", "b", "c") for number in range(70)) + ["top"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=b"."), keys))
    for operation in ("list_objects", "list_objects_v2"):
        paginator = s3.get_paginator(operation)
        pages = list(paginator.paginate(Bucket=bucket, PaginationConfig={"PageSize": 50}))
        assert [item["Key"] for page in pages for item in page["Contents"]] == keys
        assert len(pages) == 5
        pages = list(paginator.paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 2}))
        assert [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])] == ["a/", "b/", "c/"]
        assert [item["Key"] for page in pages for item in page.get("Contents", [])] == ["top"]
        pages = list(paginator.paginate(Bucket=bucket, Prefix="b/0", PaginationConfig={"PageSize": 1000}))
        assert [item["Key"] for page in pages for item in page["Contents"]] == keys[70:140]
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, StartAfter="c/068")["Contents"]] == [
        "c/069",
        "top",
    ]
    assert [item["Key"] for item in s3.list_objects(Bucket=bucket, Marker="c/068")["Contents"]] == ["c/069", "top"]
    assert s3.list_objects_v2(Bucket=bucket, Prefix="none")["KeyCount"] == 0
    deleted = boto3.resource("s3").Bucket(bucket).objects.filter(Prefix="a/").delete()
    assert sum(len(answer["Deleted"]) for answer in deleted) == 70
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=1)["Contents"][0]["Key"] == "b/000"


def test_copies(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=b"text", ContentType="text/plain", Metadata={"a": "1"})
    s3.copy_object(Bucket=bucket, Key="kept", CopySource=f"{bucket}/from")
    kept = s3.head_object(Bucket=bucket, Key="kept")
    assert (kept["ContentType"], kept["Metadata"]) == ("text/plain", {"a": "1"})
    s3.copy_object(
        Bucket=bucket,
        Key="replaced",
        CopySource=f"{bucket}/from",
        MetadataDirective="REPLACE",
        Metadata={"b": "2"},
        ContentType="text/csv",
    )
    replaced = s3.head_object(Bucket=bucket, Key="replaced")
    assert (replaced["ContentType"], replaced["Metadata"]) == ("text/csv", {"b": "2"})
    assert code_of(s3.copy_object, Bucket=bucket, Key="x", CopySource=f"{bucket}/none") == ("NoSuchKey", 404)


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_addresses(clients: Any, bucket: str, route: str, version: str, service: Service) -> None:
    s3 = clients("s3", config=botocore.config.Config(signature_version=version, s3={"addressing_style": "path"}))

    def ask(url: str, body: bytes | None = None) -> tuple[int, bytes]:
        # By proxy the address is one of AWS, and the same proxy leads to it.
        request = urllib.request.Request(url, data=body, method="GET" if body is None else "PUT")
        if body is not None:
            request.add_header("Content-Type", "")
        opener = opener_of(route)
        try:
            with opener.open(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a b"}, ExpiresIn=60)
    assert ("X-Amz-Signature" in put) == (version == "s3v4")
    assert ask(put, b"by address")[0] == 200
    get = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b"}, ExpiresIn=60)
    assert ask(get) == (200, b"by address")
    status, body = ask(get.replace("a%20b", "other"))
    assert status == 403 and b"<Code>SignatureDoesNotMatch</Code>" in body
    late = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b"}, ExpiresIn=1)
    wait_until(lambda: ask(late)[0] != 200, "the end of the address")
    status, body = ask(late)
    assert status == 403 and b"<Code>AccessDenied</Code>" in body and b"Request has expired" in body


def opener_of(route: str) -> urllib.request.OpenerDirector:
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if route == "proxy":
        context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
        proxy = urllib.request.ProxyHandler({"https": os.environ["HTTPS_PROXY"]})
        handlers = [proxy, urllib.request.HTTPSHandler(context=context)]
    return urllib.request.build_opener(*handlers)


def test_unsigned_and_wrongly_signed_requests_are_refused(
    clients: Any, bucket: str, monkeypatch: pytest.MonkeyPatch, service: Service
) -> None:
    anonymous = clients("s3", config=botocore.config.Config(signature_version=botocore.UNSIGNED))
    assert code_of(anonymous.list_objects_v2, Bucket=bucket)[1] == 403
    wrong = clients("s3", aws_secret_access_key="x" * 40, aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"])
    assert code_of(wrong.list_objects_v2, Bucket=bucket) == ("SignatureDoesNotMatch", 403)
    unknown = clients("s3", aws_access_key_id="AKIAUNKNOWNUNKNOWN00", aws_secret_access_key="x" * 40)
    assert code_of(unknown.list_objects_v2, Bucket=bucket) == ("InvalidAccessKeyId", 403)


def test_encryption_with_a_key(clients: Any, bucket: str) -> None:
    s3, kms = clients("s3"), clients("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    alias = "alias/" + new_name("objects")
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    body = os.urandom(100_000)
    for name, key_id in (("by-arn", key), ("by-alias", alias)):
        s3.put_object(Bucket=bucket, Key=name, Body=body, ServerSideEncryption="aws:kms", SSEKMSKeyId=key_id)
        head = s3.head_object(Bucket=bucket, Key=name)
        assert head["ServerSideEncryption"] == "aws:kms" and head["SSEKMSKeyId"] == key
        assert s3.get_object(Bucket=bucket, Key=name)["Body"].read() == body
    assert s3.get_object(Bucket=bucket, Key="by-arn", Range="bytes=70000-70009")["Body"].read() == body[70000:70010]
    kms.disable_key(KeyId=key)
    code, status = code_of(s3.get_object, Bucket=bucket, Key="by-arn")
    assert code == "KMS.DisabledException" and status == 400
    kms.enable_key(KeyId=key)
    assert s3.get_object(Bucket=bucket, Key="by-arn")["Body"].read() == body
    request = {"Bucket": bucket, "Key": "x", "Body": b"", "ServerSideEncryption": "aws:kms"}
    assert code_of(s3.put_object, SSEKMSKeyId="alias/none-of-ours", **request)[0] == "KMS.NotFoundException"
