#!/usr/bin/env python3
"""Endpoints and the proxy beside nginx as a reverse proxy, in front of the same model server.

    cargo xtask bench hosting [--seconds N] [--rounds N] [--only CASE]... [--no-latency]

Method. The model server is an nginx that reads the whole body and answers a few bytes of CSV. Before it stand, one after the
other and each alone: nginx as a reverse proxy (kept connections, bodies in memory), an endpoint of the service without and with
data capture at 100 %, and `watchkeeper proxy` without and with capture. wrk sends each the same bodies over the same numbers of
connections; to the endpoint with a signature that is checked for every request. Everything shares the machine's cores: what
is compared is the work a request costs. A ratio is that of requests a second, ours to nginx's, of the same round; the median of the
rounds is taken, as how connections happen to fall on nginx's workers alone makes it a third faster or slower.

With one connection one program at a time has something to do, and each wakes the next on a core that has fallen idle. On a virtual
machine that takes most of a request's time, and twice as long at one time as at another, whoever is measured. So this case is
measured on one core too, which never falls idle, and there the claim is judged; the figures with all cores are printed.

Latency is measured with small bodies at half of the requests a second that the endpoint reached with 16 connections: by connections
with pauses of one to three milliseconds between their requests, which makes some forty, the fewest that wrk can pace; first against
the model server itself, then through each. What is added is the difference of the 99th percentiles, their medians over five rounds of
six seconds: in much less time the first requests of all connections, which come at once and for which connections to the model server
are opened, would be among the slowest hundredth. A virtual machine that its host lets stand still for milliseconds, again and again,
has no 99th percentile of its own: where nginx alone adds as much as may be added, nothing is judged, and the run fails as one that
could not be. The same load from five times as many connections with longer pauses is measured and printed too, and judged by nobody:
more requests pile up there whenever the machine stands still for a moment. wrk's pauses are whole milliseconds that end for all
connections at the same moment, so what is measured is how long requests take that come by the dozen.

The claims are those of the proxy, which does what nginx does. An endpoint checks a signature over the whole body before the model
is asked; its figures are printed, and judged by nobody.

Exit status 1 when a claim does not hold. Needs nginx and wrk.
"""

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from service import ROLE, Service, capture_config, claim, deploy, failures

SIZES = {"200 B": 200, "20 kB": 20_000, "2 MB": 2_000_000}
CONNECTIONS = (1, 16, 256)
#: The least share of nginx's requests a second, without and with capture.
LEAST = {"off": 0.7, "on": 0.5}
#: Milliseconds that the 99th percentile may rise.
MOST_ADDED = 1.0
#: Pauses between the requests of a connection when latency is measured, in milliseconds: where it is judged, and of more connections.
JUDGED_PAUSES, LONGER_PAUSES = (1, 3), (5, 15)
#: How long and how often latency is measured.
LATENCY_SECONDS, LATENCY_ROUNDS = 6, 5

MODEL_SERVER = """
worker_processes {workers};
pid {folder}/model.pid;
error_log {folder}/model.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600;
  client_max_body_size 0; client_body_buffer_size 4m; client_body_temp_path {folder}/model-body;
  open_file_cache max=10; open_file_cache_errors on; log_not_found off; root {folder};
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /ping {{ return 200; }}
    # The body is read for the mirror; then there is no such file, which is answered.
    location / {{ mirror /nowhere; mirror_request_body on; error_page 403 404 405 =200 /given; }}
    location = /nowhere {{ internal; return 204; }}
    location = /given {{ internal; default_type text/csv; return 200 "0.5\\n"; }}
  }}
}}
"""
REVERSE_PROXY = """
worker_processes {workers};
pid {folder}/proxy.pid;
error_log {folder}/proxy.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600;
  client_max_body_size 0; client_body_buffer_size 4m; client_body_temp_path {folder}/proxy-body;
  upstream model {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_temp_path {folder}/proxy-answer;
    }}
  }}
}}
"""
SCRIPT = """
wrk.method = "POST"
local file = io.open({body}, "rb")
wrk.body = file:read("*a")
file:close()
{headers}
{delay}
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def nginx(folder: Path, name: str, text: str) -> "subprocess.Popen[bytes]":
    path = folder / f"{name}.conf"
    path.write_text(text, encoding="utf-8")
    return subprocess.Popen([shutil.which("nginx") or "nginx", "-c", path, "-p", folder, "-g", "daemon off;"])


def keep_on(cores: set[int], program: int) -> None:
    """Keeps a program on these cores, with all that it has started and will start."""
    for task in Path(f"/proc/{program}/task").iterdir():
        # It may have ended by now.
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            os.sched_setaffinity(int(task.name), cores)
            for child in (task / "children").read_text(encoding="utf-8").split():
                keep_on(cores, int(child))


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"error: nothing listens on port {port}")


class Target:
    """Something that answers POSTs."""

    def __init__(self, name: str, port: int, path: str, service: Service | None = None) -> None:
        self.name, self.port, self.path, self.service = name, port, path, service

    def headers(self, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "text/csv"}
        if self.service is None:
            return headers
        variables = self.service.variables
        url = f"http://127.0.0.1:{self.port}{self.path}"
        request = AWSRequest(method="POST", url=url, data=body, headers=headers | {"Host": f"127.0.0.1:{self.port}"})
        credentials = Credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
        SigV4Auth(credentials, "sagemaker", "us-east-1").add_auth(request)
        return {name: value for name, value in request.headers.items() if name.lower() != "host"}


class Load:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        generator = random.Random(1)
        for name, size in SIZES.items():
            line = ",".join(f"{generator.random():.4f}" for _ in range(68)) + "\n"
            (folder / f"body-{name.replace(' ', '')}").write_bytes((line * (size // len(line) + 1)).encode()[:size])

    def run(
        self, target: Target, size: str, connections: int, seconds: int, pauses: tuple[int, int] | None = None
    ) -> tuple[float, float]:
        """Requests a second, and the 99th percentile in milliseconds."""
        path = self.folder / f"body-{size.replace(' ', '')}"
        headers = target.headers(path.read_bytes())
        script = self.folder / "load.lua"
        lines = "\n".join(f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers.items())
        delay = f"function delay() return math.random({pauses[0]}, {pauses[1]}) end" if pauses else ""
        script.write_text(SCRIPT.format(body=json.dumps(str(path)), headers=lines, delay=delay), encoding="utf-8")
        threads = min(connections, 2)
        command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}", "--latency", "--timeout", "30", "-s", script]
        result = subprocess.run([*command, f"http://127.0.0.1:{target.port}{target.path}"], capture_output=True, text=True)
        out = result.stdout
        if result.returncode != 0 or "Non-2xx" in out or "Socket errors" in out:
            failures.append(f"{target.name}, {size}, {connections} connections")
            print(f"  ERRORS of {target.name}, {size}, {connections} connections: {out}{result.stderr}", flush=True)
        rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
        percentile = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
        assert rate and percentile, out + result.stderr
        scale = {"us": 1e-3, "ms": 1.0, "s": 1e3}[percentile[2]]
        return float(rate[1]), float(percentile[1]) * scale


def deploy_both(service: Service) -> None:
    """Two endpoints in front of the model server: `plain`, and `captured` with data capture."""
    s3, sagemaker = service.client("s3"), service.client("sagemaker")
    s3.create_bucket(Bucket="bench-captures")
    image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/bench-model:1"
    sagemaker.create_model(ModelName="bench", PrimaryContainer={"Image": image}, ExecutionRoleArn=ROLE)
    deploy(sagemaker, "plain", "bench")
    deploy(sagemaker, "captured", "bench", DataCaptureConfig=capture_config("s3://bench-captures/captures"))


def captures(service: Service, endpoint: str) -> dict[str, float]:
    """Records captured and dropped so far, as the service's metrics say."""
    # They are published every ten seconds.
    time.sleep(12)
    cloudwatch = service.client("cloudwatch")
    now = datetime.now(UTC)
    counts = {}
    for metric in ("CapturedRecords", "DroppedRecords"):
        points = cloudwatch.get_metric_statistics(
            Namespace="Watchkeeper/DataCapture",
            MetricName=metric,
            Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "AllTraffic"}],
            StartTime=now - timedelta(hours=2),
            EndTime=now + timedelta(minutes=2),
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        counts[metric] = sum(point["Sum"] for point in points)
    return counts


class FrontProxy:
    """`watchkeeper proxy` with captures in a folder."""

    def __init__(self, program: Path, upstream: int, folder: Path, *, captured: bool) -> None:
        self.port = free_port()
        command = [program, "proxy", "--upstream", f"http://127.0.0.1:{upstream}", "--endpoint", "bench"]
        command += ["--listen", f"127.0.0.1:{self.port}", "--output", folder]
        command += [] if captured else ["--path", "/nothing"]
        log = (folder.parent / "front.log").open("a", encoding="utf-8")
        self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(self.port)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def throughput(load: Load, targets: dict[str, Target], seconds: int, rounds: int) -> float:
    """Prints the table; gives the requests a second of the endpoint with small bodies and 16 connections, if it is one of them."""
    reference = 0.0
    names = [name for name in targets if name != "model server"]
    print(f"\n| body | connections | {' | '.join(names)} |\n|---|---|{'---|' * len(names)}", flush=True)
    all_cores = os.sched_getaffinity(0)
    one_core = {min(all_cores)}
    cases = [(connections, cores) for connections in CONNECTIONS for cores in ([one_core, all_cores] if connections == 1 else [all_cores])]
    for size in SIZES:
        for connections, cores in cases:
            keep_on(cores, os.getpid())
            rates: dict[str, list[float]] = {name: [] for name in names}
            for _ in range(rounds):
                for name in names:
                    rates[name].append(load.run(targets[name], size, connections, seconds)[0])
            keep_on(all_cores, os.getpid())
            ratios = {
                name: statistics.median(ours / theirs for ours, theirs in zip(rates[name], rates["nginx"], strict=True))
                for name in names
            }
            medians = {name: statistics.median(rates[name]) for name in names}
            cells = [f"{medians[name]:.0f}" + (f" ({ratios[name]:.2f})" if name != "nginx" else "") for name in names]
            case = f"{connections}, on one core" if cores == one_core else str(connections)
            print(f"| {size} | {case} | {' | '.join(cells)} |", flush=True)
            for name in names[1:]:
                least = LEAST["on" if "captured" in name else "off"]
                is_judged = name.startswith("proxy") and (connections > 1 or cores == one_core)
                if is_judged and ratios[name] < least:
                    failures.append(f"{name}, {size}, {case} connections: {ratios[name]:.2f} of nginx")
            if size == "200 B" and connections == 16:
                reference = medians.get("endpoint", 0.0)
    return reference


def latency(load: Load, targets: dict[str, Target], rate: float, pauses: tuple[int, int]) -> None:
    connections = max(1, round(rate / 2 * sum(pauses) / 2 / 1000))
    # The gigabytes that were captured before are still being written.
    os.sync()
    low, high = pauses
    print(f"\nlatency at half load, {connections} connections with pauses of {low} to {high} ms, 200 B:", flush=True)
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in targets}
    for _ in range(LATENCY_ROUNDS):
        for name, target in targets.items():
            measured[name].append(load.run(target, "200 B", connections, LATENCY_SECONDS, pauses))
    rates, percentiles = ({name: statistics.median(it[at] for it in all_of) for name, all_of in measured.items()} for at in (0, 1))
    added = {name: percentiles[name] - percentiles["model server"] for name in targets}
    for name in targets:
        reached, percentile = rates[name], percentiles[name]
        print(f"  {name}: {reached:.0f} requests a second, 99 % within {percentile:.2f} ms ({added[name]:+.2f})", flush=True)
    if pauses != JUDGED_PAUSES:
        return
    if added["nginx"] >= MOST_ADDED:
        failures.append(f"the machine is too busy to judge latency: nginx adds {added['nginx']:.2f} ms")
        return
    for name in targets:
        if name.startswith("proxy"):
            claim(added[name] < MOST_ADDED, f"{name} adds {added[name]:.2f} ms to the 99th percentile")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--watchkeeper", type=Path, required=True)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--size", action="append", choices=SIZES, default=[])
    parser.add_argument("--connections", action="append", type=int, default=[])
    parser.add_argument("--only", action="append", default=[], help="a target: endpoint, proxy, ...")
    parser.add_argument("--no-latency", action="store_true")
    arguments = parser.parse_args()
    global CONNECTIONS
    if arguments.size:
        for name in set(SIZES) - set(arguments.size):
            del SIZES[name]
    CONNECTIONS = tuple(arguments.connections) or CONNECTIONS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, proxy = free_port(), free_port()
        started: list[subprocess.Popen[bytes]] = []
        fronts: list[FrontProxy] = []
        service = None
        try:
            values = {"folder": folder, "workers": arguments.workers}
            started.append(nginx(folder, "model", MODEL_SERVER.format(port=model, **values)))
            started.append(nginx(folder, "proxy", REVERSE_PROXY.format(port=proxy, upstream=model, **values)))
            wait_for(model)
            wait_for(proxy)
            configuration = f'[[images]]\nmatch = "*bench-model*"\nurl = "http://127.0.0.1:{model}"\n'
            service = Service(arguments.watchkeeper, folder, configuration)
            deploy_both(service)
            port = service.port
            targets = {
                "model server": Target("model server", model, "/invocations"),
                "nginx": Target("nginx", proxy, "/invocations"),
                "endpoint": Target("endpoint", port, "/endpoints/plain/invocations", service),
                "endpoint, captured": Target("endpoint, captured", port, "/endpoints/captured/invocations", service),
            }
            for title, captured in (("proxy", False), ("proxy, captured", True)):
                output = folder / f"front-{'on' if captured else 'off'}"
                output.mkdir()
                fronts.append(FrontProxy(arguments.watchkeeper, model, output, captured=captured))
                targets[title] = Target(title, fronts[-1].port, "/invocations")
            if arguments.only:
                targets = {name: targets[name] for name in ("model server", "nginx", *arguments.only)}
            rate = throughput(Load(folder), targets, arguments.seconds, arguments.rounds)
            if "endpoint, captured" in targets:
                print(f"\ncaptured endpoint: {captures(service, 'captured')}", flush=True)
            if not arguments.no_latency and rate:
                for pauses in (JUDGED_PAUSES, LONGER_PAUSES):
                    latency(Load(folder), targets, rate, pauses)
        finally:
            for front in fronts:
                front.stop()
            if service is not None:
                service.stop()
            for process in started:
                process.terminate()
                process.wait(10)
    for text in failures:
        print(f"DOES NOT HOLD: {text}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
