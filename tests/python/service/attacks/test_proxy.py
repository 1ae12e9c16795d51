"""The proxy leads to this service and nowhere else."""

import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from raw_requests import Wire, read_answer
from service import clean_environment
from surfaces import Attacked

FOREIGN = [
    "169.254.169.254:80",
    "127.0.0.1:22",
    "localhost:443",
    "[::1]:443",
    "0.0.0.0:443",
    "2130706433:443",
    "0x7f000001:443",
    "example.org:443",
    "evilamazonaws.com:443",
    "amazonaws.com:443",
    ".amazonaws.com:443",
    "sts.amazonaws.com.example.org:443",
    "sts.amazonaws.com@example.org:443",
    "example.org#.amazonaws.com:443",
    "example.org/.amazonaws.com:443",
    "example.org%00.amazonaws.com:443",
    "sts.amazonaws.com:22",
    "sts.amazonaws.com:0",
    "sts.amazonaws.com:65536",
    "sts.amazonaws.com:443:443",
    "/",
    "*",
    "",
]


def answering(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A server with one answer for everybody: its port, and what reached it."""
    server, heard = socket.create_server(("127.0.0.1", 0)), list[bytes]()

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                heard.append(connection.recv(65536))
                connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1], heard
    server.close()


@pytest.fixture
def elsewhere() -> Iterator[tuple[int, list[bytes]]]:
    yield from answering(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")


@pytest.fixture
def model() -> Iterator[tuple[int, list[bytes]]]:
    yield from answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.fixture
def front(attacked: Attacked, model: tuple[int, list[bytes]], tmp_path: Path) -> Iterator[Wire]:
    """`watchkeeper proxy` in front of the model."""
    address = f"http://127.0.0.1:{model[0]}"
    command = [attacked.service.program, "proxy", "--upstream", address, "--endpoint", "fronted"]
    command += ["--listen", "127.0.0.1:0", "--output", tmp_path / "captured"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=clean_environment(), text=True)
    assert process.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
    assert found is not None
    yield Wire(found[0])
    process.terminate()
    assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("target", FOREIGN)
def test_a_tunnel_leads_to_names_of_aws_alone(attacked: Attacked, target: str) -> None:
    data = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()
    with attacked.wire.connect() as connection:
        connection.sendall(data)
        answer = read_answer(connection, "GET")
        assert 400 <= answer.status < 500, answer


def test_nobody_is_reached_by_way_of_it(attacked: Attacked, elsewhere: tuple[int, list[bytes]]) -> None:
    """However the other host is named: in CONNECT, in the address, in `Host`, beside a name of AWS, or in a header."""
    port, heard = elsewhere
    other = f"127.0.0.1:{port}"
    requests = [
        f"CONNECT {other} HTTP/1.1\r\nHost: sts.amazonaws.com:443\r\n\r\n",
        f"GET http://{other}/ HTTP/1.1\r\nHost: {other}\r\n\r\n",
        f"GET http://{other}/ HTTP/1.1\r\nHost: sts.amazonaws.com\r\n\r\n",
        f"GET http://sts.amazonaws.com@{other}/ HTTP/1.1\r\nHost: sts.amazonaws.com\r\n\r\n",
        f"GET http://sts.amazonaws.com:{port}@{other}/ HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET https://{other}/ HTTP/1.1\r\nHost: {other}\r\n\r\n",
        f"GET ftp://{other}/ HTTP/1.1\r\nHost: {other}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: {other}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-Host: {other}\r\nForwarded: host={other}\r\nX-Original-URL: http://{other}/\r\n\r\n",
        f"POST /endpoints/http:%2f%2f{other}%2f/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    ]
    for request in requests:
        answer = attacked.wire.raw(request.encode())
        assert 400 <= answer.status < 500, (request, answer)
        assert b"secret" not in answer.body
    assert heard == []


def test_what_is_in_a_tunnel_stays_in_it(attacked: Attacked, elsewhere: tuple[int, list[bytes]]) -> None:
    port, heard = elsewhere
    other = f"127.0.0.1:{port}"
    requests = [
        f"CONNECT {other} HTTP/1.1\r\nHost: {other}\r\n\r\n",
        "CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nHost: sts.amazonaws.com:443\r\n\r\n",
        f"GET http://{other}/ HTTP/1.1\r\nHost: {other}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: {other}\r\n\r\n",
    ]
    for request in requests:
        answer = attacked.wire.raw(request.encode(), "GET", "sts.eu-west-1.amazonaws.com")
        assert 400 <= answer.status < 500, (request, answer)
        assert b"secret" not in answer.body
    assert heard == []


def test_certificates_are_for_names_of_aws(attacked: Attacked) -> None:
    """Whatever name is asked for within the tunnel, the certificate is that of the name the tunnel was opened for."""
    context = ssl.create_default_context(cafile=attacked.wire.authority)
    for name in ("example.org", "login.example.com", "sts.amazonaws.com.example.org"):
        connection = attacked.wire.connect()
        connection.sendall(b"CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nHost: sts.amazonaws.com:443\r\n\r\n")
        assert read_answer(connection, "CONNECT").status == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(connection, server_hostname=name)
        connection.close()


def test_many_names_take_no_room(attacked: Attacked) -> None:
    """A certificate for each name that anybody makes up: they are forgotten again."""

    def ask(number: int) -> None:
        name = f"a{number}.amazonaws.com:443"
        answer = attacked.wire.raw(f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode(), "CONNECT")
        assert answer.status == 200

    for number in range(600):
        ask(number)
    before = attacked.service.memory()
    for number in range(600, 1800):
        ask(number)
    assert attacked.service.memory() - before < 20_000 * 1024


def test_a_proxy_in_front_of_a_model_leads_to_the_model_alone(
    front: Wire, model: tuple[int, list[bytes]], elsewhere: tuple[int, list[bytes]]
) -> None:
    """`watchkeeper proxy` passes on what it is asked to its upstream, whatever other host a request names."""
    other = f"127.0.0.1:{elsewhere[0]}"
    for request in (
        f"CONNECT {other} HTTP/1.1\r\nHost: {other}\r\n\r\n",
        f"GET http://{other}/ HTTP/1.1\r\nHost: {other}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: {other}\r\n\r\n",
        f"GET //{other}/ HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET /@{other}/ HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET @{other}/ HTTP/1.1\r\nHost: x\r\n\r\n",
    ):
        answer = front.raw(request.encode())
        assert answer.status >= 400 and b"secret" not in answer.body, (request, answer)
    assert elsewhere[1] == []
    assert front.raw(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n").status == 404
    assert model[1][-1].startswith(b"GET /x HTTP/1.1")
