"""That botocore, asked to sign what the Rust SDK sent, comes to the same signatures."""

import hashlib
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from exchanges import Answer, Request
from services import REGION, Services

KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjE+//example=="
EMPTY_LIST = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass
class Sent:
    """A request as it came over the wire."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key.lower() == name)

    @property
    def service(self) -> str:
        found = AUTHORIZATION.fullmatch(self.header("authorization"))
        assert found, f"{self.method} {self.target} is not signed: {self.header('authorization')!r}"
        return found["service"]


@dataclass
class Recorder:
    """A server that keeps what it is sent, and answers so that a program goes on."""

    sent: list[Sent] = field(default_factory=list)
    services: Services = field(default_factory=Services)

    def answer(self, sent: Sent) -> Answer:
        request = Request(sent.service, "GetRole", sent.method, "", {}, {}, sent.body)
        if sent.service == "sts":
            return self.services.sts(request)
        if sent.service == "iam":
            return self.services.iam(request)
        if sent.service != "s3":
            return Answer(body="{}", headers={"content-type": "application/json"})
        if sent.target == "/":
            return self.services.list_buckets(request)
        path, _, query = sent.target.partition("?")
        return Answer(body=EMPTY_LIST if "prefix" in query and path.count("/") <= 2 else "")


@pytest.fixture
def recorder() -> Iterator[tuple[Recorder, str]]:
    recorder = Recorder()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            sent = Sent(self.command, self.path, list(self.headers.items()), body)
            recorder.sent.append(sent)
            answer = recorder.answer(sent)
            content = answer.body.encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = respond

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield recorder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def signature_of(sent: Sent, token: str | None, url: str) -> str:
    """The signature that botocore makes for a request, with the time and the headers that the sender signed."""
    found = AUTHORIZATION.fullmatch(sent.header("authorization"))
    assert found
    request = AWSRequest(method=sent.method, url=url + sent.target, data=sent.body)
    for name in found["headers"].split(";"):
        assert any(key.lower() == name for key, _ in sent.headers), f"{name} is signed and not sent"
        request.headers[name] = sent.header(name)
    auth_class = S3SigV4Auth if found["service"] == "s3" else SigV4Auth
    auth = auth_class(Credentials(KEY, SECRET, token), found["service"], found["region"])
    request.context["timestamp"] = sent.header("x-amz-date")
    canonical = auth.canonical_request(request)
    assert found["headers"] in canonical
    return auth.signature(auth.string_to_sign(request, canonical), request)


@pytest.mark.parametrize("token", [None, TOKEN], ids=["keys", "session token"])
def test_botocore_signs_the_same(recorder: tuple[Recorder, str], token: str | None) -> None:
    kept, url = recorder
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }
    if token:
        environment["AWS_SESSION_TOKEN"] = token
    program = os.environ["WATCHKEEPER_SIGNED_REQUESTS"]
    done = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr

    assert {sent.service for sent in kept.sent} == {"sts", "iam", "s3", "sagemaker", "logs"}
    assert len(kept.sent) > 30
    for sent in kept.sent:
        found = AUTHORIZATION.fullmatch(sent.header("authorization"))
        assert found
        what = f"{sent.method} {sent.target}"
        assert found["signature"] == signature_of(sent, token, url), what
        signed = found["headers"].split(";")
        wanted = {"host", "x-amz-date"} | ({"x-amz-security-token"} if token else set())
        if found["service"] == "s3":
            wanted.add("x-amz-content-sha256")
            assert sent.header("x-amz-content-sha256") == hashlib.sha256(sent.body).hexdigest(), what
        # S3 and STS want every header of theirs signed.
        wanted |= {name.lower() for name, _ in sent.headers if name.lower().startswith("x-amz-")}
        assert wanted <= set(signed), what
        assert sent.header("x-amz-security-token") == (token or ""), what
        assert signed == sorted(signed), what


def test_another_body_has_another_signature(recorder: tuple[Recorder, str]) -> None:
    """What is compared above can differ."""
    _, url = recorder
    auth = SigV4Auth(Credentials(KEY, SECRET), "sagemaker", REGION)
    request = AWSRequest(method="POST", url=url + "/", data=json.dumps({"a": 1}), headers={"host": "example"})
    auth.add_auth(request)
    headers = [(name, str(value)) for name, value in request.headers.items()]
    sent = Sent("POST", "/", headers, b'{"a": 1}')
    assert signature_of(sent, None, url) in request.headers["Authorization"]
    changed = Sent("POST", "/", headers, b'{"a": 2}')
    assert signature_of(changed, None, url) not in request.headers["Authorization"]
