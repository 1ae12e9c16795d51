#!/usr/bin/env python3
"""Large objects beside the disk, small ones beside other S3 servers, and the service with a great deal in it.

    cargo xtask bench load [--only CASE]... [--rounds N] [--s3s-fs PROGRAM] [--moto PROGRAM] [--data DIR]

large    an object of 1 GiB is put in parts, as SDKs do, and in one request, and got; and written and read by `dd`, each
         durable and each read from the disk
small    objects of 200 B and 20 kB are put and got over 16 connections, beside moto's server and `s3s-fs`
full     ten thousand schedules, a million executions, a million objects: listing, describing and the scheduler's rounds

Method. Everything shares the machine's cores and one disk. Requests of `large` go through a socket of this program, the body
from a file in memory by `sendfile`, so that the client costs little; requests of `small` are sent by wrk, all signed
beforehand, the same ones to every server (each with its own `Host`). Rounds go A B A B after one that is not counted; a
ratio is that within a round; the median of the rounds counts. The rows of `full` are copies of rows that the service itself
made, put into its database while it is stopped.

Exit status 1 when a claim does not hold. `small` needs wrk, moto (`pip install 'moto[server]'`) and s3s-fs
(`cargo install s3s-fs --features binary`).
"""

import argparse
import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hosting import free_port, wait_for
from service import CONFIGURATION, KEY, Service, claim, copies, definition, failures, schedule, wait_until

GIBIBYTE = 1 << 30
#: Bytes of a part, and how many are put at the same time: between what the SDKs of Python and Rust and the command line do.
PART, PARTS_AT_ONCE = 16 << 20, 4
#: The least share of the disk's own throughput.
LEAST_OF_DISK = 0.6
#: The most milliseconds of a median.
MOST_MILLISECONDS = 20.0
SMALL = {"200 B": 200, "20 kB": 20_000}
REQUESTS = 2000
SCHEDULES, EXECUTIONS, OBJECTS = 10_000, 1_000_000, 1_000_000
#: A schedule whose next tick is far off, and one that has had its only one.
WAITS, HAS_RUN = "bench-waits-000000", "bench-has-run"


class Unsigned(S3SigV4Auth):
    """Signs all of a request but its body."""

    def payload(self, request: AWSRequest) -> str:
        return "UNSIGNED-PAYLOAD"


class Server:
    """An S3 server with a key."""

    def __init__(self, name: str, port: int, key: str, secret: str) -> None:
        self.name, self.port, self.credentials = name, port, Credentials(key, secret)

    def signed(self, method: str, path: str, body: bytes | None = b"") -> dict[str, str]:
        """The headers of a request; of a body that is not given nothing is signed."""
        url = f"http://127.0.0.1:{self.port}{path}"
        request = AWSRequest(method=method, url=url, data=body, headers={"Host": f"127.0.0.1:{self.port}"})
        signer = Unsigned if body is None else S3SigV4Auth
        signer(self.credentials, "s3", "us-east-1").add_auth(request)
        return dict(request.headers.items())

    def call(self, method: str, path: str, body: bytes = b"") -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body=body, headers=self.signed(method, path, body=body))
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status < 300, (self.name, method, path, answer.status, text[:500])
        connection.close()
        return text


def of_service(service: Service) -> Server:
    variables = service.variables
    return Server("Watchkeeper", service.port, variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])


# ---- large objects


def send(server: Server, path: str, source: Path, offset: int, size: int) -> bytes:
    """Puts a part of a file; gives the head of the answer."""
    headers = server.signed("PUT", path, None)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", server.port)) as connection, source.open("rb") as body:
        connection.sendall(f"PUT {path} HTTP/1.1\r\n{head}Content-Length: {size}\r\nConnection: close\r\n\r\n".encode())
        connection.sendfile(body, offset, size)
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200"), answer[:500]
    return answer


def put_large(server: Server, path: str, source: Path) -> None:
    send(server, path, source, 0, GIBIBYTE)


def put_in_parts(server: Server, path: str, source: Path) -> None:
    """As SDKs put an object of this size: in parts, several at a time."""
    begun = server.call("POST", f"{path}?uploads=").decode()
    upload = begun.split("<UploadId>", 1)[1].split("<", 1)[0]

    def put(number: int) -> str:
        part = f"{path}?partNumber={number}&uploadId={upload}"
        answer = send(server, part, source, (number - 1) * PART, PART).decode()
        etag = re.search(r"(?im)^etag: *(\S+)", answer)
        assert etag, answer
        return f"<Part><PartNumber>{number}</PartNumber><ETag>{etag[1]}</ETag></Part>"

    with ThreadPoolExecutor(PARTS_AT_ONCE) as pool:
        parts = "".join(pool.map(put, range(1, GIBIBYTE // PART + 1)))
    document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"
    server.call("POST", f"{path}?uploadId={upload}", document.encode())


def get_large(server: Server, path: str) -> None:
    headers = server.signed("GET", path)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    buffer = bytearray(1 << 20)
    received = 0
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
        while length := connection.recv_into(buffer):
            assert received > 0 or buffer.startswith(b"HTTP/1.1 200"), buffer[:500]
            received += length
    assert received > GIBIBYTE, received


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def forget_files() -> None:
    """Empties the cache of files, so that what is read comes from the disk."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3", encoding="ascii")


def large(service: Service, options: argparse.Namespace) -> None:
    server = of_service(service)
    server.call("PUT", "/bench-large")
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as memory:
        for _ in range(GIBIBYTE >> 24):
            memory.write(os.urandom(1 << 24))
        memory.flush()
        source, copy = Path(memory.name), service.folder / "copy"
        dd = ["dd", "bs=1M", "status=none"]
        work: dict[str, tuple[Callable[[], object], bool]] = {
            "disk, write": (lambda: subprocess.run([*dd, f"if={source}", f"of={copy}", "conv=fsync"], check=True), False),
            "put": (lambda: put_in_parts(server, "/bench-large/object", source), False),
            "MD5": (lambda: hashlib.md5(source.read_bytes()), False),
            "put, one request": (lambda: put_large(server, "/bench-large/object", source), False),
            "disk, read": (lambda: subprocess.run([*dd, f"if={copy}", "of=/dev/null"], check=True), True),
            "get": (lambda: get_large(server, "/bench-large/object"), True),
        }
        seconds: dict[str, list[float]] = {name: [] for name in work}
        for number in range(options.rounds + 1):
            for name, (action, is_read) in work.items():
                if is_read:
                    forget_files()
                took = timed(action)
                if number > 0:
                    seconds[name].append(took)
            copy.unlink()
    for name, all_seconds in seconds.items():
        print(f"large: {name:<17} {GIBIBYTE / 1e6 / statistics.median(all_seconds):6.0f} MB/s", flush=True)
    for ours, disk in (("put", "disk, write"), ("put, one request", "disk, write"), ("get", "disk, read")):
        shares = [theirs / mine for mine, theirs in zip(seconds[ours], seconds[disk], strict=True)]
        share = statistics.median(shares)
        text = f"{ours} reaches {share:.2f} of the disk's own ({min(shares):.2f} to {max(shares):.2f})"
        if ours == "put, one request":
            print(f"large: {text}; no claim: its ETag is one MD5 over all of it", flush=True)
        else:
            claim(share >= LEAST_OF_DISK, text)


# ---- small objects

LUA = """
local requests, next, body = {{}}, 0, nil
if {body} then
  local file = io.open({body}, "rb")
  body = file:read("*a")
  file:close()
end
for line in io.lines({requests}) do
  local path, headers = line:match("^(%S+)\\t(.*)$")
  local named = {{}}
  for name, value in headers:gmatch("([^\\1]+)\\2([^\\1]*)\\1") do named[name] = value end
  requests[#requests + 1] = wrk.format({method}, path, named, body)
end
function request()
  next = next % #requests + 1
  return requests[next]
end
"""


def rate(server: Server, method: str, body: bytes, folder: Path, seconds: int) -> float:
    """Requests a second over 16 connections, each to a key of its own."""
    requests, payload, script = folder / "requests", folder / "payload", folder / "load.lua"
    payload.write_bytes(body)
    with requests.open("w", encoding="utf-8") as file:
        for number in range(REQUESTS):
            path = f"/bench-small/{len(body)}/{number % 16:02}/{number:06}"
            headers = server.signed(method, path, body=body if method == "PUT" else b"")
            file.write(path + "\t" + "".join(f"{name}\2{value}\1" for name, value in headers.items()) + "\n")
    content = json.dumps(str(payload)) if method == "PUT" else "nil"
    script.write_text(LUA.format(requests=json.dumps(str(requests)), method=json.dumps(method), body=content), encoding="utf-8")
    command = ["wrk", "-t1", "-c16", f"-d{seconds}", "--timeout", "30", "-s", script, f"http://127.0.0.1:{server.port}"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in out and "Socket errors" not in out, (server.name, method, out)
    return float(out.rsplit("Requests/sec:", 1)[1].split()[0])


def small(service: Service, options: argparse.Namespace) -> None:
    servers = [of_service(service)]
    peers: list[subprocess.Popen[bytes]] = []
    folder = service.folder
    try:
        for name, program in (("moto", options.moto), ("s3s-fs", options.s3s_fs)):
            if program is None:
                sys.exit(f"error: {name} was not found: see the head of this bench")
            port = free_port()
            root = folder / name
            root.mkdir()
            command = {
                "moto": [program, "-H", "127.0.0.1", "-p", str(port)],
                "s3s-fs": [program, "--access-key", "bench", "--secret-key", "bench-secret", "--host", "127.0.0.1", "--port", str(port), str(root)],
            }[name]  # fmt: skip
            log = (folder / f"{name}.log").open("wb")
            peers.append(subprocess.Popen(command, stdout=log, stderr=log))
            wait_for(port)
            servers.append(Server(name, port, "bench", "bench-secret"))
        for server in servers:
            server.call("PUT", "/bench-small")
        for title, size in SMALL.items():
            for method in ("PUT", "GET"):
                rates: dict[str, list[float]] = {server.name: [] for server in servers}
                for number in range(options.rounds + 1):
                    for server in servers:
                        body = os.urandom(size) if method == "PUT" else b"\0" * size
                        # Every key has to be there before it is got.
                        reached = rate(server, method, body, folder, 3 if number > 0 or method == "GET" else 8)
                        if number > 0:
                            rates[server.name].append(reached)
                medians = {name: statistics.median(values) for name, values in rates.items()}
                print(f"small: {method} of {title}: " + ", ".join(f"{name} {value:,.0f}/s" for name, value in medians.items()), flush=True)
                for peer in servers[1:]:
                    ratios = [mine / theirs for mine, theirs in zip(rates["Watchkeeper"], rates[peer.name], strict=True)]
                    claim(statistics.median(ratios) >= 1, f"{method} of {title} is {statistics.median(ratios):.2f} times as fast as {peer.name}'s")
    finally:
        for peer in peers:
            peer.kill()
            peer.wait()


# ---- a full store


def one_of_each(service: Service) -> None:
    """A schedule that waits, one that has had its execution, and an object."""
    s3, sagemaker = service.client("s3"), service.client("sagemaker")
    s3.create_bucket(Bucket="bench-full")
    s3.put_object(Bucket="bench-full", Key="object", Body=b"{}")
    sagemaker.create_data_quality_job_definition(**definition("bench", "nobody", "s3://bench-full/results"))
    window = {"DataAnalysisStartTime": "-PT1H", "DataAnalysisEndTime": "-PT0H"}
    sagemaker.create_monitoring_schedule(**schedule(WAITS, "bench", "cron(0 0 1 1 ? *)"))
    sagemaker.create_monitoring_schedule(**schedule(HAS_RUN, "bench", "NOW", **window))

    def are_at_rest() -> bool:
        found = sagemaker.list_monitoring_executions(MonitoringScheduleName=HAS_RUN)["MonitoringExecutionSummaries"]
        waits = sagemaker.describe_monitoring_schedule(MonitoringScheduleName=WAITS)["MonitoringScheduleStatus"]
        has_ended = bool(found) and found[0]["MonitoringExecutionStatus"] not in ("Pending", "InProgress")
        return has_ended and waits == "Scheduled"

    wait_until(are_at_rest, "the rest of the schedules")


def fill(folder: Path) -> None:
    database = sqlite3.connect(folder / "data/metadata.db")
    name = f"'{WAITS[:-6]}' || printf('%06d', n)"
    changed = {"key": name, "name": name, "body": f"replace(one.body, '{WAITS}', {name})"}
    copies(database, "monitoring_schedules", f"key = '{WAITS}'", SCHEDULES, changed)
    key = "one.key || printf('-%07d', n)"
    moment = f"3600000 * (n / {SCHEDULES})"
    changed = {
        "key": key,
        "body": f"replace(one.body, one.key, {key})",
        "schedule": f"'{WAITS[:-6]}' || printf('%06d', n % {SCHEDULES})",
        "endpoint": "printf('endpoint-%03d', n % 1000)",
        "status": "CASE WHEN n % 50 = 0 THEN 'Failed' ELSE 'Completed' END",
        "scheduled": f"one.scheduled - {moment}",
        "created": f"one.created - {moment}",
    }
    copies(database, "executions", f"schedule = '{HAS_RUN}'", EXECUTIONS, changed)
    copies(database, "objects", "key = CAST('object' AS BLOB)", OBJECTS, {"key": KEY})
    database.commit()
    database.close()


def rounds_of_scheduler(service: Service) -> tuple[int, int]:
    """How many rounds there were, and how many of them took less than the most that is claimed."""
    url = f"{service.variables['AWS_ENDPOINT_URL']}/_watchkeeper/metrics"
    page = urllib.request.urlopen(url, timeout=60).read().decode()
    within = count = 0
    for line in page.splitlines():
        if line.startswith(f'watchkeeper_scheduler_round_seconds_bucket{{le="{MOST_MILLISECONDS / 1000}"}}'):
            within = int(line.rsplit(" ", 1)[1])
        if line.startswith("watchkeeper_scheduler_round_seconds_count"):
            count = int(line.rsplit(" ", 1)[1])
    return count, within


def full(service: Service, _: argparse.Namespace) -> None:
    one_of_each(service)
    service.stop()
    fill(service.folder)
    print(f"full: started in {timed(service.start):.1f} s", flush=True)
    s3, sagemaker = service.client("s3"), service.client("sagemaker")
    middle = f"{WAITS[:-6]}{SCHEDULES // 2:06}"
    hours = {"ScheduledTimeAfter": datetime.now(UTC) - timedelta(hours=48), "ScheduledTimeBefore": datetime.now(UTC) - timedelta(hours=24)}
    hundred = {"MaxResults": 100}
    page = sagemaker.list_monitoring_executions(**hundred)
    calls: dict[str, Callable[[], object]] = {
        "list schedules": lambda: sagemaker.list_monitoring_schedules(**hundred),
        "list schedules by name": lambda: sagemaker.list_monitoring_schedules(SortBy="Name", NameContains="005", **hundred),
        "list schedules, sorted by status": lambda: sagemaker.list_monitoring_schedules(SortBy="Status", **hundred),
        "list schedules by status": lambda: sagemaker.list_monitoring_schedules(StatusEquals="Failed", **hundred),
        "describe a schedule": lambda: sagemaker.describe_monitoring_schedule(MonitoringScheduleName=middle),
        "list executions": lambda: sagemaker.list_monitoring_executions(**hundred),
        "list executions, next page": lambda: sagemaker.list_monitoring_executions(NextToken=page["NextToken"], **hundred),
        "list executions of a schedule": lambda: sagemaker.list_monitoring_executions(MonitoringScheduleName=middle, **hundred),
        "list failed ones of a schedule": lambda: sagemaker.list_monitoring_executions(
            MonitoringScheduleName=middle, StatusEquals="Failed", **hundred
        ),
        "list executions of an endpoint": lambda: sagemaker.list_monitoring_executions(EndpointName="endpoint-500", **hundred),
        "list executions, sorted by status": lambda: sagemaker.list_monitoring_executions(SortBy="Status", **hundred),
        "list executions of a day": lambda: sagemaker.list_monitoring_executions(**hours, **hundred),
        "list executions under way": lambda: sagemaker.list_monitoring_executions(StatusEquals="InProgress", **hundred),
        "list failed executions": lambda: sagemaker.list_monitoring_executions(StatusEquals="Failed", **hundred),
        "list objects": lambda: s3.list_objects_v2(Bucket="bench-full", MaxKeys=100),
        "list objects below a prefix": lambda: s3.list_objects_v2(Bucket="bench-full", Prefix="part-500/", MaxKeys=100),
        "list prefixes": lambda: s3.list_objects_v2(Bucket="bench-full", Delimiter="/", MaxKeys=100),
        "head an object": lambda: s3.head_object(Bucket="bench-full", Key="part-500/0500500"),
        "get an object": lambda: s3.get_object(Bucket="bench-full", Key="part-500/0500500")["Body"].read(),
    }
    found = medians(calls)
    for name, milliseconds in found.items():
        print(f"full: {name:<34} {milliseconds:7.1f} ms", flush=True)
    slow = [name for name, milliseconds in found.items() if milliseconds >= MOST_MILLISECONDS]
    claim(not slow, f"every list and description takes less than {MOST_MILLISECONDS:g} ms at the median" + f" (not: {', '.join(slow)})" * bool(slow))

    before, within_before = rounds_of_scheduler(service)
    for number in range(30):
        # Every change rings the scheduler's bell, on which a round follows.
        rounds, _ = rounds_of_scheduler(service)
        changed = schedule(f"{WAITS[:-6]}{number + 1:06}", "bench", "cron(0 1 1 1 ? *)")
        sagemaker.update_monitoring_schedule(**changed)
        wait_until(lambda rounds=rounds: rounds_of_scheduler(service)[0] > rounds, "a round of the scheduler")
    count, within = rounds_of_scheduler(service)
    count, within = count - before, within - within_before
    claim(
        count >= 10 and 2 * within > count,
        f"{within} of {count} rounds of the scheduler took less than {MOST_MILLISECONDS:g} ms",
    )
    _, resident = service.usage()
    print(f"full: {resident:.0f} MB resident", flush=True)


def medians(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Milliseconds, the client's own work included."""
    found = {}
    for name, call in calls.items():
        call()
        found[name] = statistics.median(timed(call) for _ in range(21)) * 1000
    return found


CASES = {"large": large, "small": small, "full": full}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--watchkeeper", type=Path, required=True)
    parser.add_argument("--only", action="append", choices=CASES, default=[])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--moto", default=shutil.which("moto_server"))
    parser.add_argument("--s3s-fs", default=shutil.which("s3s-fs"))
    parser.add_argument("--data", type=Path, help="a folder on the disk that is measured")
    options = parser.parse_args()
    for name in options.only or CASES:
        with tempfile.TemporaryDirectory(dir=options.data) as folder:
            service = Service(options.watchkeeper, Path(folder), CONFIGURATION)
            try:
                CASES[name](service, options)
            finally:
                service.stop()
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
