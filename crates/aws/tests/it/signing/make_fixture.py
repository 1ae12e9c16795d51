"""Writes botocore.jsonl: requests signed by botocore, the referee of our signatures.

Usage: python3 make_fixture.py > botocore.jsonl      (botocore 1.43.11, Apache-2.0)
"""

import base64
import datetime
import json
import random
import sys
from urllib.parse import quote, urlsplit

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

choose = random.Random(20261126)
SERVICES = ["sagemaker", "sagemaker", "logs", "monitoring", "kms", "sts", "iam", "ecr", "s3", "s3"]
REGIONS = ["us-east-1", "eu-central-1", "ap-southeast-2", "us-gov-west-1"]
WORDS = ["a", "churn", "data capture", "ä", "日本", "x~y", "a+b", "100%", "q=1&r", "..", ".", "", "v-1_2.3", "*'()!", "k:v@w,;$"]
VALUES = ["text/csv", "application/x-amz-json-1.1", "a  b   c", "  padded\t", "", "k=v; w=\"a  b\"", "über", "x,y", "%41"]


def path_of(service):
    kind = choose.random()
    if kind < 0.3:
        return "/"
    parts = [quote(choose.choice(WORDS), safe="-_.~") for _ in range(choose.randint(1, 4))]
    if kind < 0.5:
        return "/endpoints/" + (parts[0] or "e") + "/invocations"
    return "/" + "/".join(parts) + choose.choice(["", "/"])


def query_of():
    pairs = []
    for _ in range(choose.choice([0, 0, 1, 2, 4])):
        name = quote(choose.choice(WORDS) or "empty", safe="-_.~")
        value = quote(choose.choice(WORDS), safe="-_.~")
        pairs.append(name if choose.random() < 0.1 else f"{name}={value}")
    return "&".join(pairs)


def headers_of(request):
    for index in range(choose.choice([0, 1, 2, 3])):
        name = choose.choice(["Content-Type", "X-Amz-Target", "x-amz-meta-note", "X-Amzn-SageMaker-Custom-Attributes", "Accept", "X-Own"])
        if name.lower() not in {known.lower() for known in request.headers.keys()}:
            request.headers[name] = choose.choice(VALUES)
            # A header that is there twice.
            if name == "X-Own" and choose.random() < 0.5:
                request.headers.add_header(name, choose.choice(VALUES))


def case():
    service = choose.choice(SERVICES)
    region = choose.choice(REGIONS)
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=choose.randrange(31_536_000))
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: moment.replace(tzinfo=None) if remove_tzinfo else moment
    token = choose.choice([None, None, "FwoGZXIvYXdzE//token+with/signs=="])
    credentials = Credentials("AKIA" + "".join(choose.choices("ABCDEFGHIJKLMNOP234567", k=16)),
                              "".join(choose.choices("abcdefghijklmnopqrstuvwxyzABC0123456789/+", k=choose.choice([16, 40, 64]))), token)
    presigned = choose.random() < 0.3
    method = choose.choice(["GET", "POST", "PUT", "DELETE"])
    # botocore moves the body of a request that it presigns into the query.
    body = b"" if presigned or method in ("GET", "DELETE") else choose.choice([b"", b"{}", b'{"MonitoringScheduleName": "churn"}', bytes(choose.randrange(256) for _ in range(40)), "Action=GetRole&RoleName=ä".encode()])
    host = choose.choice(["127.0.0.1:8080", f"{service}.{region}.amazonaws.com", "localhost:1", "bucket.localhost:8080"])
    # Over TLS botocore leaves the body of S3 requests unsigned when something else protects it.
    scheme = choose.choice(["http", "https"])
    query = query_of()
    if presigned:
        # botocore keeps one value a name when it presigns.
        query = "&".join({pair.split("=")[0]: pair for pair in query.split("&")}.values())
    path = path_of(service)
    request = AWSRequest(method=method, url=f"{scheme}://{host}{path}" + (f"?{query}" if query else ""), data=body)
    headers_of(request)
    if not presigned and choose.random() < 0.1:
        # botocore then signs with this header in place of X-Amz-Date.
        request.headers["Date"] = "x"
    if service == "s3" and choose.random() < 0.5:
        request.headers["Content-MD5"] = "1B2M2Y8AsgTpgAmY7PhCfg=="
        request.context["has_streaming_input"] = True
    given = {"method": method, "path": path, "query": query, "headers": [["host", host]] + [[n, v] for n, v in request.headers.items()]}
    if presigned:
        expires = choose.choice([1, 60, 3600, 604800])
        signer = (botocore.auth.S3SigV4QueryAuth if service == "s3" else botocore.auth.SigV4QueryAuth)(credentials, service, region, expires=expires)
    else:
        expires = None
        signer = (botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth)(credentials, service, region)
    signer.add_auth(request)
    url = urlsplit(request.url)
    headers = list(request.headers.items())
    if "host" not in {name.lower() for name, _ in headers}:
        headers.insert(0, ("host", host))
    return {
        "given": given,
        "method": method, "path": url.path, "query": url.query, "headers": [[n, v] for n, v in headers],
        "body": base64.b64encode(body).decode(), "service": service, "region": region, "moment": int(moment.timestamp()),
        "access_key_id": credentials.access_key, "secret_access_key": credentials.secret_key, "session_token": token,
        "expires": expires,
    }


for _ in range(400):
    json.dump(case(), sys.stdout, ensure_ascii=False, separators=(",", ":"))
    print()
