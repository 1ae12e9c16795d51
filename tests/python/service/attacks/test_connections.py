"""Connections that hold out, requests that are two, headers that bring more along."""

import socket
import time

import pytest

from raw_requests import Answer, Request, Signing, encoded, presign, sign
from surfaces import BUCKET, ENDPOINT, OBJECT, SURFACES, Attacked

PATIENCE = 25  # several times what the configuration of this service allows


def seconds_until_closed(connection: socket.socket, keep_on: bytes = b"") -> float:
    """Until the service ends the connection; meanwhile a byte is sent five times a second."""
    begun = time.monotonic()
    connection.settimeout(0.2)
    while time.monotonic() - begun < PATIENCE:
        try:
            if connection.recv(65536) == b"":
                return time.monotonic() - begun
        except TimeoutError:
            pass
        except OSError:
            return time.monotonic() - begun
        try:
            if keep_on:
                connection.sendall(keep_on)
        except OSError:
            return time.monotonic() - begun
    return PATIENCE


SLOW = {
    "nothing at all": (b"", b""),
    "half a line": (b"GET / HT", b""),
    "a line that trickles": (b"GET /", b"a"),
    "headers that trickle": (b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"a"),
    "headers that never end": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"X-More: a\r\n"),
    "a body that never comes": (
        b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: SageMaker.ListModels\r\nContent-Length: 10\r\n\r\n",
        b"",
    ),
    "chunks that never end": (
        b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: SageMaker.ListModels\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1\r\n \r\n",
    ),
    "a body that trickles": (
        b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: SageMaker.ListModels\r\nContent-Length: 60000\r\n\r\n",
        b" ",
    ),
    "a tunnel without TLS": (b"CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nHost: sts.amazonaws.com:443\r\n\r\n", b""),
    "half a handshake": (b"CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nHost: sts.amazonaws.com:443\r\n\r\n", b"\x16"),
}


@pytest.mark.parametrize(("begin", "keep_on"), SLOW.values(), ids=SLOW)
def test_slow_clients_lose_their_connection(impatient: Attacked, begin: bytes, keep_on: bytes) -> None:
    with impatient.wire.connect() as connection:
        connection.sendall(begin)
        assert seconds_until_closed(connection, keep_on) < PATIENCE


def test_a_client_that_does_not_read_its_answer(impatient: Attacked) -> None:
    body = b"x" * (32 << 20)
    assert impatient.call("PUT", f"/{BUCKET}/large", "s3", body=body).status == 200
    request = impatient.signed(Request("GET", f"/{BUCKET}/large", "s3"))
    with impatient.wire.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(encoded(request))
        # Longer than this service waits for an answer to be taken.
        time.sleep(4)
        received = 0
        connection.settimeout(5)
        try:
            while piece := connection.recv(1 << 20):
                received += len(piece)
        except OSError:
            pass
        assert received < len(body), "the service would wait for ever"
    impatient.call("DELETE", f"/{BUCKET}/large", "s3")


def test_others_are_served_meanwhile(attacked: Attacked) -> None:
    """Three hundred connections that send nothing, and a request that is answered at once."""
    idle = [attacked.wire.connect() for _ in range(300)]
    try:
        begun = time.monotonic()
        assert attacked.call("GET", f"/{BUCKET}/{OBJECT}", "s3").status == 200
        assert time.monotonic() - begun < 5
    finally:
        for connection in idle:
            connection.close()


def answers(attacked: Attacked, data: bytes, most: int = 3) -> list[Answer]:
    """All that comes back for these bytes."""
    with attacked.wire.connect() as connection:
        connection.sendall(data)
        connection.settimeout(1)
        found: list[Answer] = []
        buffered = b""
        try:
            while piece := connection.recv(65536):
                buffered += piece
        except OSError:
            pass
    count = buffered.count(b"HTTP/1.1 ")
    for part in buffered.split(b"HTTP/1.1 ")[1:]:
        found.append(Answer(int(part[:3]), {}, part))
    assert len(found) == count <= most, buffered
    return found


SECOND = "GET /_watchkeeper/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
SMUGGLED = {
    "two lengths": f"Content-Length: 0\r\nContent-Length: {len(SECOND)}\r\n",
    "a list of lengths": f"Content-Length: 0, {len(SECOND)}\r\n",
    "a negative length": "Content-Length: -1\r\n",
    "a length with a sign": "Content-Length: +0\r\n",
    "a length in hexadecimal": "Content-Length: 0x0\r\n",
    "a length of words": "Content-Length: zero\r\n",
    "a length beyond numbers": "Content-Length: 99999999999999999999999\r\n",
    "chunked and more": "Transfer-Encoding: chunked, identity\r\n",
    "chunked of another kind": "Transfer-Encoding: xchunked\r\n",
    "gzip": "Transfer-Encoding: gzip\r\n",
    "chunked with a tab": "Transfer-Encoding:\tchunked\tx\r\n",
    "a blank before the colon": "Content-Length : 0\r\n",
    "a continued line": "X-A: b\r\n Content-Length: 5\r\n",
    "a bare end of line": "X-A: b\rContent-Length: 5\r\n",
    "a NUL": "X-A: b\0c\r\n",
}


@pytest.mark.parametrize("headers", SMUGGLED.values(), ids=SMUGGLED)
def test_a_request_has_one_end(attacked: Attacked, headers: str) -> None:
    """What two servers could understand differently is refused, and what comes behind it is not a request."""
    head = f"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: SageMaker.ListModels\r\n{headers}\r\n{SECOND}"
    found = answers(attacked, head.encode("latin-1"))
    assert [answer.status for answer in found] == [400], found


def test_a_request_with_length_and_chunks_ends_where_its_chunks_do(attacked: Attacked) -> None:
    """As RFC 9112 (6.3) has it; the connection must not go on with what another server took for its body."""
    head = "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: SageMaker.ListModels\r\n"
    for lengths in (
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ):
        found = answers(attacked, f"{head}{lengths}\r\n0\r\n\r\n{SECOND}".encode())
        assert [answer.status for answer in found][:1] == [400], found
        assert len(found) == 1 or found[1].status == 200


def test_chunks_that_are_none(attacked: Attacked) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: SageMaker.ListModels\r\nTransfer-Encoding: chunked\r\n\r\n"
    for chunks in (
        b"x\r\n",
        b"-1\r\n\r\n",
        b"ffffffffffffffffff\r\n",
        b"1;" + b"a" * 100_000 + b"\r\nx",
        b"1\n{\n0\n\n",
        b"1\r\n{}\r\n",
    ):
        found = answers(attacked, head + chunks)
        assert [answer.status for answer in found] in ([400], [408], [], [413]), (chunks[:20], found)
    trailers = b"0\r\n" + b"X-A: b\r\n" * 10_000 + b"\r\n"
    assert all(400 <= answer.status < 500 for answer in answers(attacked, head + trailers))


HEADERS = {
    "three hundred kibibytes": "X-Long: " + "a" * 300_000,
    "five hundred": "\r\n".join(f"X-{number}: a" for number in range(500)),
    "a name of a hundred kibibytes": "X" * 100_000 + ": a",
    "no name": ": a",
    "no colon": "nothing",
    "blanks in a name": "X A: b",
    "umlauts in a name": "X-\xe4: b",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_headers_that_are_too_much_or_none(attacked: Attacked, header: str) -> None:
    request = f"GET / HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode("latin-1")
    assert attacked.wire.raw(request).status in (400, 431)


def test_an_address_that_is_too_long(attacked: Attacked) -> None:
    for target in ("/" + "a" * 70_000, "/?" + "a=b&" * 20_000):
        assert attacked.wire.raw(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).status in (400, 403, 414, 431)


HOSTS = [
    "",
    "x" * 10_000,
    "a..b",
    "[::1",
    "x/y",
    "x@y",
    "x\xe4",
    "127.0.0.1:99999999",
    "..s3.localhost",
    "-.localhost",
    ".localhost",
]


@pytest.mark.parametrize("host", HOSTS)
def test_hosts_that_are_none(attacked: Attacked, host: str) -> None:
    for method, path in (
        ("GET", "/"),
        ("GET", "/_watchkeeper/keys"),
        ("PUT", "/x/y"),
        ("POST", "/endpoints/x/invocations"),
    ):
        data = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
        assert 400 <= attacked.wire.raw(data, method).status < 500


def test_methods_that_are_none(attacked: Attacked) -> None:
    for method in ("TRACE", "OPTIONS", "PATCH", "PROPFIND", "PRI", "A" * 1000, "get"):
        for path in ("/", f"/{BUCKET}/{OBJECT}", "/_watchkeeper/status", f"/endpoints/{ENDPOINT}/invocations"):
            request = attacked.signed(Request(method, path, "s3" if BUCKET in path or path == "/" else "sagemaker"))
            answer = attacked.wire.send(request)
            assert 400 <= answer.status < 500 or answer.status in (501, 503), (method, path, answer)
            assert answer.status != 503 or method == "PRI"


INJECTIONS = ["x%0d%0aX-Injected: yes", "x%0aX-Injected: yes", "x%0d%0a%0d%0aHTTP/1.1 200 OK%0d%0a", "%00", "%c3%a4"]
PARAMETERS = ["content-type", "content-disposition", "content-encoding", "content-language", "cache-control", "expires"]


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_no_answer_has_a_header_that_a_client_made_up(attacked: Attacked, parameter: str) -> None:
    """Addresses may say what headers an answer has, and objects bring their own; neither adds another."""
    for text in INJECTIONS:
        query = f"response-{parameter}={text.replace(' ', '%20')}"
        request = attacked.addressed(Request("GET", f"/{BUCKET}/{OBJECT}", "s3", query=query))
        for signed in (sign(request, Signing(attacked.key)), presign(request, Signing(attacked.key))):
            answer = attacked.wire.send(signed)
            assert answer.status in (200, 400), (text, answer)
            assert "x-injected" not in answer.headers
            assert answer.status == 400 or answer.body.startswith(b"what nobody")


def test_what_comes_in_as_a_header_goes_out_as_one(attacked: Attacked) -> None:
    values = {
        "quotes": '"a\\"',
        "long": "x" * 1500,
        "percent": "%0d%0aX-Injected: yes",
        "equals": "=?utf-8?b?DQpYOiB5?=",
    }
    headers = tuple((f"X-Amz-Meta-{name}", value) for name, value in values.items())
    assert attacked.call("PUT", f"/{BUCKET}/headers", "s3", headers=headers).status == 200
    answer = attacked.call("GET", f"/{BUCKET}/headers", "s3")
    assert "x-injected" not in answer.headers
    for name, value in values.items():
        if name == "equals":
            # An encoded word of RFC 2047, as S3 takes and gives them: its lines stay within it.
            assert answer.headers[f"x-amz-meta-{name}"].lower() == value.lower() and answer.headers.get("x") is None
        else:
            assert answer.headers[f"x-amz-meta-{name}"] == value, name
    attacked.call("DELETE", f"/{BUCKET}/headers", "s3")
    too_many = tuple((f"X-Amz-Meta-{number}", "x" * 100) for number in range(100))
    answer = attacked.call("PUT", f"/{BUCKET}/headers", "s3", headers=too_many)
    assert answer.status == 400 and b"MetadataTooLarge" in answer.body, answer


def test_no_region_of_a_bucket_is_a_header(attacked: Attacked) -> None:
    for text in ("a\nX-Injected: yes", "a\r\nb", "a b", "<b>", "x" * 1000):
        escaped = text.replace("<", "&lt;").replace("\r", "&#13;").replace("\n", "&#10;")
        xml = (
            f"<CreateBucketConfiguration><LocationConstraint>{escaped}</LocationConstraint></CreateBucketConfiguration>"
        )
        answer = attacked.call("PUT", "/bucket-of-nowhere", "s3", body=xml.encode())
        assert answer.status == 400, (text, answer)
        assert attacked.call("HEAD", "/bucket-of-nowhere", "s3").status == 404


def test_surfaces_are_all_still_there(attacked: Attacked) -> None:
    for surface in SURFACES.values():
        assert attacked.wire.send(attacked.signed(surface)).status < 300, surface.name
    for key in ("uploaded", "copied"):
        attacked.call("DELETE", f"/{BUCKET}/{key}", "s3")
