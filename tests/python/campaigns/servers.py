"""The servers that a service may keep its state on, for a campaign to harm: PostgreSQL, and an outside S3 behind a gate."""

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

from ledger import Finding
from victim import Victim, free_port

DEBIAN = Path("/usr/lib/postgresql")
USER = "postgres"


def postgresql_programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`; None where they are not installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    versions = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])) if DEBIAN.is_dir() else []
    return versions[-1].parent if versions else None


class PostgreSQL:
    """A server in a folder, with one database. It syncs what it commits."""

    def __init__(self, folder: Path) -> None:
        programs = postgresql_programs()
        assert programs is not None, "PostgreSQL is not installed"
        self.programs, self.folder, self.port = programs, folder, free_port()
        folder.mkdir(parents=True)
        if os.geteuid() == 0:
            shutil.chown(folder, USER, USER)
            for parent in folder.parents:
                if parent.stat().st_uid == 0 and parent.stat().st_mode & 0o001 == 0:
                    parent.chmod(parent.stat().st_mode | 0o011)
        self.run("initdb", "--username", USER, "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync")
        with (folder / "data/pg_hba.conf").open("a", encoding="utf-8") as access:
            access.write("host all all 10.213.0.0/16 trust\n")
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=* -c unix_socket_directories= -c max_connections=200"
        self.run("pg_ctl", "start", "--wait", "--silent", "--options", options, "--log", str(self.folder / "log"))

    def documents(self, kinds: tuple[str, ...]) -> dict[str, dict[str, str]]:
        """The documents of these kinds as they are at one moment, by their keys."""
        tables = ", ".join(f"'{kind}', (SELECT json_object_agg(key, body) FROM {kind})" for kind in kinds)
        command = [shutil.which("psql") or str(self.programs / "psql"), self.url, "-AtX", "-v", "ON_ERROR_STOP=1", "-c", f"SELECT json_build_object({tables})"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise Finding(f"the documents cannot be read: {answer.stderr}")
        return {kind: found or {} for kind, found in json.loads(answer.stdout).items()}

    def stop(self, mode: str) -> None:
        """`immediate` is a crash, `fast` breaks off what is under way."""
        self.run("pg_ctl", "stop", "--wait", "--silent", "--mode", mode)

    def run(self, program: str, *arguments: str) -> None:
        ended = self.attempt(program, *arguments)
        if ended.returncode != 0:
            raise Finding(f"the server of the campaign: {ended.args}: {ended.stdout}{ended.stderr}")

    def attempt(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(self.programs / program), *arguments, "-D", str(self.folder / "data")]
        if os.geteuid() == 0:
            command = ["runuser", "-u", USER, "--", *command]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def remove(self) -> None:
        """It may have been stopped before."""
        self.attempt("pg_ctl", "stop", "--silent", "--mode", "immediate")


class Gate:
    """What stands in front of an HTTP server: it lets everything pass, answers 503, closes at once, or says nothing."""

    UNAVAILABLE = (
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/xml\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
    )
    BODY = b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'

    def __init__(self, target: int) -> None:
        self.target, self.mode = target, "pass"
        self._listener = socket.create_server(("", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._speaks = threading.Event()
        self._speaks.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def shut(self, mode: str) -> None:
        """From now on, for connections that there are, too."""
        if mode == "silent":
            self._speaks.clear()
        self.mode = mode
        if mode != "silent":
            self._close_all()

    def open(self) -> None:
        """What was held back in silence is lost."""
        self.mode = "pass"
        if not self._speaks.is_set():
            self._close_all()
            self._speaks.set()

    def _close_all(self) -> None:
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            close(connection)

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            self._open.add(client)
        server = None
        try:
            if self.mode == "unavailable":
                self._refuse(client)
            elif self.mode == "silent":
                self._speaks.wait()
            elif self.mode == "pass":
                server = socket.create_connection(("127.0.0.1", self.target), timeout=10)
                server.settimeout(None)
                with self._lock:
                    self._open.add(server)
                other = threading.Thread(target=self._pump, args=(server, client), daemon=True)
                other.start()
                self._pump(client, server)
                other.join()
        except OSError:
            return
        finally:
            for connection in (client, server):
                if connection is not None:
                    close(connection)
                    with self._lock:
                        self._open.discard(connection)

    def _refuse(self, client: socket.socket) -> None:
        client.settimeout(5)
        received = b""
        while b"\r\n\r\n" not in received and (more := client.recv(65536)):
            received += more
        client.sendall(self.UNAVAILABLE % (len(self.BODY), self.BODY))
        client.shutdown(socket.SHUT_WR)
        # Read on for a moment, so that the answer is not lost with a reset.
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline and client.recv(1 << 20):
            pass

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while more := source.recv(65536):
                self._speaks.wait()
                target.sendall(more)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            close(source)
            close(target)


def close(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    connection.close()


class OutsideS3:
    """Another service of this program, which keeps the objects, and the gate before it."""

    def __init__(self, folder: Path) -> None:
        self.service = Victim(folder)
        self.service.start()
        self.gate = Gate(self.service.port)

    def remove(self) -> None:
        self.service.remove()
