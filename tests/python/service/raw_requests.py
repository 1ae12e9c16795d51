"""HTTP requests as an attacker writes them: byte for byte, signed by a signer of which every part can be broken.

The signer is written after AWS's reference "Signature Version 4 for API requests", not taken from a client: clients refuse to
make what is sent here. That a request without a break is accepted shows that a refusal is that of the break.
"""

import dataclasses
import datetime
import hashlib
import hmac
import http.client
import socket
import ssl
import urllib.parse
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
REGION = "eu-west-1"
SECONDS = 120
Headers = tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Key:
    """An access key; the token goes with a temporary one."""

    id: str
    secret: str
    token: str | None = None


@dataclasses.dataclass(frozen=True)
class Request:
    """A request, before it is signed or after."""

    method: str
    path: str
    service: str
    query: str = ""
    headers: Headers = ()
    body: bytes = b""
    host: str | None = None

    def with_header(self, name: str, value: str) -> "Request":
        return dataclasses.replace(self, headers=(*self.headers, (name, value)))

    def without_header(self, name: str) -> "Request":
        kept = tuple((known, value) for known, value in self.headers if known.lower() != name.lower())
        return dataclasses.replace(self, headers=kept)

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)

    def changed_header(self, name: str, change: Callable[[str], str]) -> "Request":
        changed = tuple(
            (known, change(value) if known.lower() == name.lower() else value) for known, value in self.headers
        )
        return dataclasses.replace(self, headers=changed)

    def changed(self, **members: Any) -> "Request":
        return dataclasses.replace(self, **members)


@dataclasses.dataclass(frozen=True)
class Signing:
    """How a request is signed. What is left as it is makes a right signature."""

    key: Key
    moment: datetime.datetime | None = None
    scope_date: str | None = None
    region: str = REGION
    service: str | None = None
    terminator: str = "aws4_request"
    leave_out: tuple[str, ...] = ()
    payload: str | None = None

    def stamp(self) -> str:
        moment = self.moment or datetime.datetime.now(datetime.UTC)
        return moment.strftime("%Y%m%dT%H%M%SZ")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def keyed(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signing_key(secret: str, scope: list[str]) -> bytes:
    key = ("AWS4" + secret).encode()
    for part in scope:
        key = keyed(key, part)
    return key


def canonical_query(query: str) -> str:
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    unquote = urllib.parse.unquote_to_bytes
    encoded = sorted(
        (quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~")) for name, _, value in pairs
    )
    return "&".join(f"{name}={value}" for name, value in encoded)


def canonical_request(request: Request, names: list[str], payload: str) -> str:
    path = request.path if request.service == "s3" else quote(request.path, safe="/-_.~")
    lines = [request.method, path, canonical_query(request.query)]
    for name in names:
        values = [" ".join(value.split()) for known, value in request.headers if known.lower() == name]
        lines.append(f"{name}:{','.join(values)}")
    return "\n".join([*lines, "", ";".join(names), payload])


def signature_of(canonical: str, signing: Signing, scope: list[str], stamp: str) -> str:
    to_sign = "\n".join([ALGORITHM, stamp, "/".join(scope), sha256(canonical.encode())])
    return hmac.new(signing_key(signing.key.secret, scope), to_sign.encode(), hashlib.sha256).hexdigest()


def scope_of(request: Request, signing: Signing, stamp: str) -> list[str]:
    return [signing.scope_date or stamp[:8], signing.region, signing.service or request.service, signing.terminator]


def sign(request: Request, signing: Signing) -> Request:
    """The request with its signature in the header `Authorization`; its host must be among its headers."""
    stamp = signing.stamp()
    payload = signing.payload or sha256(request.body)
    request = request.with_header("X-Amz-Date", stamp)
    if request.service == "s3" or signing.payload:
        request = request.with_header("X-Amz-Content-Sha256", payload)
    if signing.key.token is not None:
        request = request.with_header("X-Amz-Security-Token", signing.key.token)
    names = sorted({name.lower() for name, _ in request.headers} - set(signing.leave_out))
    scope = scope_of(request, signing, stamp)
    signature = signature_of(canonical_request(request, names, payload), signing, scope, stamp)
    credential = "/".join([signing.key.id, *scope])
    authorization = f"{ALGORITHM} Credential={credential}, SignedHeaders={';'.join(names)}, Signature={signature}"
    return request.with_header("Authorization", authorization)


def presign(request: Request, signing: Signing, expires: int | str = 60) -> Request:
    """The request with its signature in its address."""
    stamp = signing.stamp()
    scope = scope_of(request, signing, stamp)
    names = sorted({name.lower() for name, _ in request.headers} - set(signing.leave_out))
    parameters = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": "/".join([signing.key.id, *scope]),
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(expires),
        "X-Amz-SignedHeaders": ";".join(names),
    }
    if signing.key.token is not None:
        parameters["X-Amz-Security-Token"] = signing.key.token
    added = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in parameters.items())
    request = request.changed(query=f"{request.query}&{added}" if request.query else added)
    payload = "UNSIGNED-PAYLOAD" if request.service == "s3" else sha256(request.body)
    signature = signature_of(canonical_request(request, names, payload), signing, scope, stamp)
    return request.changed(query=f"{request.query}&X-Amz-Signature={signature}")


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


class Wire:
    """The way to a service: straight, or through its proxy to a name of AWS."""

    def __init__(self, address: str, authority: str | None = None) -> None:
        self.host, _, port = address.removeprefix("http://").rpartition(":")
        self.port = int(port)
        self.authority = authority

    @property
    def netloc(self) -> str:
        return f"{self.host}:{self.port}"

    def connect(self, name: str | None = None) -> socket.socket:
        """A connection; one within TLS where a name of AWS is given."""
        connection = socket.create_connection((self.host, self.port), SECONDS)
        if name is None:
            return connection
        connection.sendall(f"CONNECT {name}:443 HTTP/1.1\r\nHost: {name}:443\r\n\r\n".encode())
        answer = read_answer(connection, "CONNECT")
        assert answer.status == 200, answer
        context = ssl.create_default_context(cafile=self.authority)
        return context.wrap_socket(connection, server_hostname=name)

    def raw(self, data: bytes, method: str = "GET", name: str | None = None) -> Answer:
        """Sends bytes, and reads one answer."""
        with self.connect(name) as connection:
            connection.sendall(data)
            return read_answer(connection, method)

    def send(self, request: Request, name: str | None = None) -> Answer:
        return self.raw(encoded(request), request.method, name)


def encoded(request: Request) -> bytes:
    target = request.path + (f"?{request.query}" if request.query else "")
    lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers)]
    if request.header("Content-Length") is None and request.header("Transfer-Encoding") is None:
        lines.append(f"Content-Length: {len(request.body)}")
    head = "\r\n".join([*lines, "", ""])
    return head.encode("latin-1", "surrogateescape") + request.body


def read_answer(connection: socket.socket, method: str) -> Answer:
    # That a tunnel is opened has no body either.
    response = http.client.HTTPResponse(connection, method="HEAD" if method == "CONNECT" else method)
    response.begin()
    body = b"" if method == "CONNECT" and response.status == 200 else response.read()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)
