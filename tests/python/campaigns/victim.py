"""The service that a campaign harms: always at one address, so that clients outlive it, and killed without warning."""

import os
import random
import socket
import threading
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from ledger import Finding
from service import CONFIGURATION, Service, assert_gone, descendants

IMAGES = """
[[images]]
match = "*summing-job*"
command = ["/bin/sh", "{folder}/summing_job.sh"]

[[images]]
match = "*counting-job*"
command = ["/bin/sh", "{folder}/counting_job.sh"]
"""
PROBE = "campaign-probe"
KEY = {"WATCHKEEPER_ACCESS_KEY_ID": "AKIACAMPAIGN00000000", "WATCHKEEPER_SECRET_ACCESS_KEY": "campaign-secret-of-this-run"}


class Victim(Service):
    """A service with a fixed port and key."""

    def __init__(self, folder: Path, configuration: str = "", address: str = "127.0.0.1") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        settings = CONFIGURATION + "scheduler.extended_expressions = true\n" + configuration
        images = IMAGES.format(folder=Path(__file__).parent / "images")
        self.port = free_port()
        super().__init__(folder, settings + images, f"{address}:{self.port}")
        self.environment |= KEY
        self.seconds_to_start: list[float] = []
        session = boto3.Session(KEY["WATCHKEEPER_ACCESS_KEY_ID"], KEY["WATCHKEEPER_SECRET_ACCESS_KEY"], None, "eu-west-1")
        self._session, self._clients, self._lock = session, {}, threading.Lock()

    def start(self) -> "Victim":
        began = time.monotonic()
        super().start()
        self.seconds_to_start.append(time.monotonic() - began)
        return self

    def client(self, name: str) -> Any:
        """A client that tries nothing again: every answer is one of the service's."""
        with self._lock:
            if name not in self._clients:
                config = Config(
                    retries={"total_max_attempts": 1}, max_pool_connections=32, connect_timeout=10, read_timeout=120
                )
                url = f"http://{self.listen}"
                self._clients[name] = self._session.client(name, endpoint_url=url, config=config)
            return self._clients[name]

    def make_bucket(self, name: str) -> None:
        self.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def write(self, size: int = 1) -> None:
        """A write into the bucket `PROBE`, to see whether there can be one."""
        self.client("s3").put_object(Bucket=PROBE, Key="probe", Body=b"p" * size)

    def write_and_read(self) -> None:
        """The same, and a look at the documents."""
        self.write()
        self.client("sagemaker").list_models()

    def start_if_killed(self) -> None:
        """Starts the service where the campaign has ended it. By itself it may not have ended."""
        if self.process is None:
            self.start()
        elif not self.is_running():
            raise Finding(f"the service has ended by itself: {self.log_text()[-3000:]}")

    def kill_while_starting(self, seconds: float) -> None:
        """Starts the service and kills it so soon after that, whatever it is doing then."""
        starting = threading.Thread(target=self._start_in_vain)
        starting.start()
        time.sleep(seconds)
        while self.process is None and starting.is_alive():
            time.sleep(0.001)
        process = self.process
        if process is not None:
            children = descendants(process.pid)
            process.kill()
            process.wait()
            assert_gone(children)
        starting.join()
        self.process = None

    def _start_in_vain(self) -> None:
        try:
            super().start()
        except BaseException:  # noqa: BLE001 - killed before it was ready is what was wanted
            return

    def end(self) -> None:
        """An ordinary end, which leaves nothing."""
        self.stop()
        self.must_be_alone(" after an ordinary end")
        left = self.job_folders()
        if left:
            raise Finding(f"folders after an ordinary end: {left}")

    def remove(self) -> None:
        """Leaves nothing running, whatever has happened."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def must_be_alone(self, when: str = "") -> None:
        strangers = self.strangers()
        if strangers:
            raise Finding(f"orphans{when}: {strangers}")

    def strangers(self) -> dict[int, str]:
        """Processes that have to do with the data directory and are neither the service nor below it."""
        own = {os.getpid()} | set(descendants(os.getpid()))
        running = self.process.pid if self.process is not None else None
        below = set(descendants(running)) | {running} if running is not None else set()
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) in below:
                continue
            line = mentions(entry, str(self.data))
            if line is not None and (int(entry.name) not in own or running is None):
                found[int(entry.name)] = line
        return found


def mentions(process: Path, folder: str) -> str | None:
    """The command line of a process that has a folder in its arguments, variables or as its place; as far as this user may see
    them."""
    wanted, seen = folder.encode(), b""
    for look in (
        lambda: (process / "cmdline").read_bytes(),
        lambda: (process / "environ").read_bytes(),
        lambda: os.readlink(process / "cwd").encode(),
        lambda: os.readlink(process / "root").encode(),
    ):
        try:
            seen += look() + b"\0"
        except OSError:
            continue
    if wanted not in seen:
        return None
    return seen.split(b"\0\0")[0].replace(b"\0", b" ").decode(errors="replace").strip() or process.name


def free_port() -> int:
    """Below the ports that the system gives to clients."""
    for _ in range(100):
        port = random.SystemRandom().randint(20000, 30000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Finding("no free port")
