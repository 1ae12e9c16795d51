"""Keys of objects that want to be something else: paths, ends of texts, markup, and the longest there are."""

import json
import re
import urllib.parse
import xml.etree.ElementTree
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from endpoints import refusal
from raw_requests import Answer, Request, Signing, sign
from resources import ended_job, new_name, processing_input, row_counter_job
from surfaces import BUCKET, Attacked, data_files
from wire_clients import Clients

LARGE = 100_000  # beyond what is kept within the row of an object: such a body is a file
KEYS = {
    "up": "../../../../tmp/attacked",
    "up in the middle": "a/../../b",
    "dots": "..",
    "dot": ".",
    "absolute": "/etc/passwd",
    "absolute twice": "//etc//passwd",
    "a file of the service": "../../metadata.db",
    "backslashes": "..\\..\\windows",
    "encoded dots": "%2e%2e/%2e%2e/x",
    "end of line": "a\r\nSet-Cookie: x\r\n\r\nb",
    "bell": "a\x07\x1b[31mred\x1b]0;title\x07",
    "markup": "</Key><Key>x</Key><!--&amp;\"'",
    "cdata": "]]><x/>",
    "statement": "'; DROP TABLE objects; --",
    "pattern": "%_%\\%*?[]{}",
    "blank": " ",
    "blanks around": " a ",
    "tilde": "~root/.ssh",
    "option": "-rf",
    "turned": "a\u202egpj.exe",
    "composed": "\u00e9",
    "decomposed": "e\u0301",
    "no width": "a\u200bb",
    "beyond the plane": "\U0001f4a3" * 100,
    "last characters": "\uffff\ufffe\ufffd",
    "1024 bytes": "k" * 1024,
    "1024 bytes of a long path": "a/" * 512,
    "1024 bytes in 256 characters": "\U0001f4a3" * 256,
}


def path_of(key: str) -> str:
    return f"/{BUCKET}/{quote(key, safe='-_.~/')}"


def put(attacked: Attacked, key: str, body: bytes) -> Answer:
    return attacked.call("PUT", path_of(key), "s3", body=body)


def listed(attacked: Attacked, prefix: str) -> list[str]:
    query = f"encoding-type=url&list-type=2&prefix={quote(prefix, safe='')}"
    answer = attacked.call("GET", f"/{BUCKET}", "s3", query=query)
    assert answer.status == 200, answer
    root = xml.etree.ElementTree.fromstring(answer.body)
    keys = [element.text or "" for element in root.iter() if element.tag.endswith("}Key")]
    return [urllib.parse.unquote_plus(key) for key in keys]


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("size", [10, LARGE])
def test_a_key_is_a_key_and_nothing_else(attacked: Attacked, key: str, size: int) -> None:
    outside = Path("/tmp/attacked")
    before = set(data_files(attacked.service.data))
    body = (key.encode() * size)[:size]
    assert put(attacked, key, body).status == 200
    answer = attacked.call("GET", path_of(key), "s3")
    assert (answer.status, answer.body) == (200, body)
    assert "set-cookie" not in answer.headers
    assert listed(attacked, key) == [key]
    assert not outside.exists()
    # Its body is a file that is named by a number, or none.
    made = [path for path in data_files(attacked.service.data / "objects") if path not in before]
    assert len(made) == (size == LARGE), made
    assert all(re.fullmatch(r"[0-9a-f-]+", path.name) for path in made), made
    assert attacked.call("DELETE", path_of(key), "s3").status == 204
    assert listed(attacked, key) == []


def test_keys_that_look_alike_are_not_the_same(attacked: Attacked) -> None:
    composed, decomposed = KEYS["composed"], KEYS["decomposed"]
    keys = {
        composed: b"1",
        decomposed: b"2",
        "A": b"3",
        "a": b"4",
        "a/": b"5",
        "a//": b"6",
        "a/.": b"7",
        "a/b/..": b"8",
    }
    for key, body in keys.items():
        assert put(attacked, key, body).status == 200
    for key, body in keys.items():
        assert attacked.call("GET", path_of(key), "s3").body == body, key
        attacked.call("DELETE", path_of(key), "s3")


@pytest.mark.parametrize("key", ["k" * 1025, "\U0001f4a3" * 257, "a/" * 513])
def test_a_key_that_is_too_long(attacked: Attacked, key: str) -> None:
    answer = put(attacked, key, b"x")
    assert answer.status == 400 and b"<Code>KeyTooLongError</Code>" in answer.body


@pytest.mark.parametrize("path", ["a%00b", "%00", "a%ffb", "%c0%ae%c0%ae/x", "%ed%a0%80"])
def test_keys_that_are_no_text(attacked: Attacked, path: str) -> None:
    """NUL, and bytes that are no UTF-8, overlong dots among them: no key holds them, and nobody has to take them."""
    for method in ("PUT", "GET", "DELETE"):
        request = Request(method, f"/{BUCKET}/{path}", "s3", headers=(("Host", attacked.wire.netloc),))
        answer = attacked.wire.send(sign(request, Signing(attacked.key)))
        assert answer.status == 400, (method, answer)
    listing = attacked.call("GET", f"/{BUCKET}", "s3", query=f"list-type=2&prefix={path}")
    assert listing.status in (200, 400, 403) and b"<Key>" not in listing.body, listing


@pytest.mark.parametrize(
    "bucket", ["..", ".", "a", "A-b-c", "a_b", "a..b", "192.168.0.1", "xn--a", "-ab", "ab-", "a" * 64, "%2e%2e"]
)
def test_buckets_that_are_none(attacked: Attacked, bucket: str) -> None:
    answer = attacked.call("PUT", f"/{bucket}", "s3")
    assert answer.status == 400 and b"InvalidBucketName" in answer.body, answer


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("key", "../../../../../../tmp/attacked-job"),
        ("key", "a/../../../../../tmp/attacked-job"),
        ("key", "a/./b"),
        ("local", "/opt/ml/processing/../../../../tmp/attacked-job"),
        ("local", "/etc"),
        ("local", "/opt/ml/processing/input/../../../.."),
        ("output", "/opt/ml/processing/output/../../../../etc"),
        ("output", "/etc"),
        ("output", "/"),
    ],
)
def test_no_path_of_a_job_leads_out_of_its_folder(attacked: Attacked, place: str, value: str) -> None:
    """Keys become files of a job: one that would lie elsewhere fails the job before anything is made."""
    clients = Clients(attacked.service)
    s3, sagemaker = clients("s3"), clients("sagemaker")
    name = new_name("paths")
    key = f"{name}/{value}" if place == "key" else f"{name}/data.csv"
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"1,2\n")
    source = processing_input("data", f"s3://{BUCKET}/{name}/")
    request = row_counter_job(name, [source], f"s3://{BUCKET}/{name}-out")
    if place == "local":
        source["S3Input"]["LocalPath"] = value
    if place == "output":
        request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["LocalPath"] = value
    if place == "key":
        sagemaker.create_processing_job(**request)
        job = ended_job(sagemaker, name)
        assert job["ProcessingJobStatus"] == "Failed", job
        assert value in job["FailureReason"], job["FailureReason"]
    else:
        error = refusal(sagemaker.create_processing_job, **request)["Error"]
        assert error["Code"] == "ValidationException" and "LocalPath must be an absolute path" in error["Message"]
    assert not Path("/tmp/attacked-job").exists()


def test_names_in_lists_are_texts_not_patterns(attacked: Attacked) -> None:
    """What clients search for is neither a pattern nor a piece of a statement."""
    clients = Clients(attacked.service)
    sagemaker, logs = clients("sagemaker"), clients("logs")
    assert sagemaker.list_endpoints()["Endpoints"], "there is something to be found"
    for text in ("-", "a"):
        assert sagemaker.list_endpoints(NameContains=text)["Endpoints"]

    def found(**members: Any) -> Answer:
        return attacked.ask("sagemaker", "SageMaker.ListEndpoints", json.dumps(members).encode())

    for text in (
        "%",
        "_",
        "attacked%",
        "attacked_endpoint",
        "' OR 1=1 --",
        "x' UNION SELECT body FROM access_keys --",
        "\\",
        "*",
        "a*",
    ):
        answer = found(NameContains=text)
        if answer.status == 200:
            assert json.loads(answer.body)["Endpoints"] == [], text
        else:
            assert answer.status == 400, (text, answer)
    for token in ("' OR 1=1 --", "AAAA", "%00", "x" * 8192, "\u0000", "eyJhIjoxfQ=="):
        assert found(NextToken=token).status == 400, token
    assert logs.describe_log_groups(logGroupNamePrefix="/aws/sagemaker/")["logGroups"]
    assert logs.describe_log_groups(logGroupNamePrefix="/aws_sagemaker")["logGroups"] == []
