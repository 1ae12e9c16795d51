"""The service under test, driven as an operator drives it: `watchkeeper serve` started, asked and stopped."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

READY = "Watchkeeper is listening on "
SECONDS = 60
CONFIGURATION = 'region = "eu-west-1"\n'

# Images that are not built in, and the program each stands for. `match` is a pattern of the whole image name.
IMAGES = """
[[images]]
match = "*row-counter*"
command = ["{python}", "{folder}/row_counter.py"]

[[images]]
match = "*model-server*"
command = ["{python}", "{folder}/model_server.py"]

[[images]]
match = "*linear-learner*"
command = ["{python}", "{folder}/linear_learner.py"]

[[images]]
match = "222222222222.*/sagemaker-model-monitor-groundtruth-merger"
command = ["{python}", "{folder}/slow_merger.py", "{program}"]

[[images]]
match = "*xgboost*"
built_in = "logistic"

[[images]]
match = "*churn-model*"
built_in = "echo"
"""


def program() -> Path:
    path = os.environ.get("WATCHKEEPER_BINARY")
    if path is None:
        pytest.exit("WATCHKEEPER_BINARY must name the program under test; `cargo xtask test --only service` sets it", 2)
    return Path(path).resolve()


def clean_environment() -> dict[str, str]:
    """What a new shell has: nothing of whoever runs the tests steers the service or a client."""
    foreign = (
        "WATCHKEEPER",
        "AWS_",
        "SAGEMAKER_",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "ALL_PROXY",
        "REQUESTS_CA",
        "PYTEST",
    )
    return {key: value for key, value in os.environ.items() if not key.upper().startswith(foreign)}


class Service:
    """One data folder, and the process that serves it while it runs."""

    def __init__(self, folder: Path, configuration: str = CONFIGURATION, listen: str = "127.0.0.1:0") -> None:
        self.program = program()
        self.folder = folder
        self.listen = listen
        # What the service's own environment has more than a new shell.
        self.environment: dict[str, str] = {}
        # What its command begins with.
        self.prefix: list[str] = []
        self.data = folder / "data"
        self.log = folder / "serve.log"
        self.configuration = folder / "watchkeeper.toml"
        images = IMAGES.format(python=sys.executable, folder=Path(__file__).parent / "images", program=self.program)
        self.configuration.write_text(configuration + images, encoding="utf-8")
        self.process: subprocess.Popen[str] | None = None
        self.address = ""

    @property
    def command(self) -> list[str | Path]:
        """What starts it."""
        arguments = ["serve", "--listen", self.listen, "--data-dir", self.data, "--config", self.configuration]
        return [*self.prefix, self.program, *arguments]

    def start(self) -> "Service":
        assert self.process is None, "the service runs already"
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log.open("a", encoding="utf-8"),
            env=clean_environment() | self.environment,
            text=True,
        )
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read_lines, args=(self.process, lines), daemon=True).start()
        try:
            line = lines.get(timeout=SECONDS)
        except queue.Empty:
            line = ""
        if not line.startswith(READY):
            self.kill()
            pytest.fail(f"the service did not become ready: it printed {line!r}; its log: {self.log_text()[-2000:]}")
        self.address = line.removeprefix(READY).strip()
        return self

    @staticmethod
    def _read_lines(process: "subprocess.Popen[str]", lines: "queue.SimpleQueue[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def stop(self) -> None:
        """SIGTERM: the service ends by itself with status 0, and nothing that it started outlives it."""
        process = self._running()
        children = descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            pytest.fail(f"the service did not end {SECONDS} s after SIGTERM; its log: {self.log_text()[-2000:]}")
        self.process = None
        assert status == 0, f"status {status} after SIGTERM; log: {self.log_text()[-2000:]}"
        assert_gone(children)

    def kill(self) -> None:
        """SIGKILL: what a crash or a power cut does. The jobs have to notice it themselves."""
        process = self._running()
        children = descendants(process.pid)
        process.kill()
        process.wait(timeout=SECONDS)
        self.process = None
        assert_gone(children)

    def _running(self) -> "subprocess.Popen[str]":
        assert self.process is not None, "the service does not run"
        return self.process

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def memory(self) -> int:
        """Resident bytes."""
        status = Path(f"/proc/{self._running().pid}/status").read_text(encoding="utf-8")
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) * 1024

    def run(self, *arguments: str | Path, succeeds: bool = True) -> "subprocess.CompletedProcess[str]":
        """A command of the same program for the service of this folder."""
        command = [self.program, arguments[0], "--data-dir", self.data, *arguments[1:]]
        ended = subprocess.run(
            command, capture_output=True, text=True, env=clean_environment(), timeout=SECONDS, check=False
        )
        if succeeds:
            assert ended.returncode == 0, f"{command}: status {ended.returncode}: {ended.stderr}{ended.stdout}"
        return ended

    def variables(self, route: str) -> dict[str, str]:
        """What `watchkeeper env` tells a client's shell: for the endpoint URL, or for proxy mode."""
        proxy = ["--proxy"] if route == "proxy" else []
        answer = json.loads(self.run("env", "--format", "json", *proxy).stdout)
        assert all(isinstance(value, str) for value in answer.values()), answer
        return answer

    def client_environment(self, route: str) -> dict[str, str]:
        return clean_environment() | self.variables(route)

    def default_account(self) -> str:
        """The account of all ARNs: the one of the configuration, twelve digits."""
        return "000000000000"

    def job_folders(self) -> list[Path]:
        """What jobs have left in the data folder."""
        jobs = self.data / "jobs"
        return sorted(jobs.iterdir()) if jobs.is_dir() else []


def descendants(process: int) -> dict[int, str]:
    """Every process below this one, with its command line."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
    found: dict[int, str] = {}
    wave = {process}
    while wave:
        wave = {child for child, parent in parents.items() if parent in wave}
        found |= {child: command_line(child) for child in wave}
    return found


def command_line(process: int) -> str:
    """Empty when the process has gone, or waits for its parent to read its status."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def assert_gone(processes: dict[int, str]) -> None:
    deadline = time.monotonic() + 10
    remaining = processes
    while remaining and time.monotonic() < deadline:
        remaining = {process: line for process, line in remaining.items() if line and command_line(process) == line}
        if remaining:
            time.sleep(0.05)
    for process in remaining:
        os.kill(process, signal.SIGKILL)
    assert not remaining, f"orphans: {remaining}"
