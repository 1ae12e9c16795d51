"""Writes event_stream.json: messages of event streams that botocore's EventStreamBuffer reads as they are described.

    python3 make_event_stream.py > event_stream.json      (with botocore installed)

The messages are packed here with Python's struct and zlib, and read by botocore before they are written down.
"""

import base64
import json
import struct
import sys
import zlib

from botocore.eventstream import EventStreamBuffer


def message(headers: list[tuple[str, str]], payload: bytes) -> bytes:
    block = b""
    for name, value in headers:
        block += struct.pack("!B", len(name)) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()
    prelude = struct.pack("!II", 12 + len(block) + len(payload) + 4, len(block))
    prelude += struct.pack("!I", zlib.crc32(prelude))
    body = prelude + block + payload
    return body + struct.pack("!I", zlib.crc32(body))


def case(kind: str, name: str, content_type: str, payload: bytes) -> dict[str, str]:
    key = ":event-type" if kind == "event" else ":exception-type"
    headers = [(key, name), (":content-type", content_type), (":message-type", kind)]
    packed = message(headers, payload)
    buffer = EventStreamBuffer()
    buffer.add_data(packed)
    (read,) = list(buffer)
    assert read.headers == dict(headers) and read.payload == payload, read
    encode = lambda data: base64.b64encode(data).decode()  # noqa: E731
    return {"kind": kind, "name": name, "content_type": content_type, "payload": encode(payload), "message": encode(packed)}


CASES = [
    case("event", "PayloadPart", "application/octet-stream", b""),
    case("event", "PayloadPart", "application/octet-stream", b"0.5,1\n"),
    case("event", "PayloadPart", "application/octet-stream", bytes(range(256)) * 16),
    case("event", "Stats", "text/xml", "<Größe/>".encode()),
    case("exception", "ModelStreamError", "application/json", b'{"Message":"broken","ErrorCode":"StreamBroken"}'),
    case("exception", "InternalStreamFailure", "application/json", b"{}"),
]
json.dump(CASES, sys.stdout, indent=1)
print()
