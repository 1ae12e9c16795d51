"""Bodies that are small and want to become large, that nest without end, or are not what they say.

Sent with a right signature: without one nothing is read of them but sixty-four kibibytes (`limits.rs` of the service's tests).
What is measured is the memory of the service: it may not grow by more than a few bodies' size, whatever is unpacked.
"""

import concurrent.futures
import gzip
import json
import socket

import pytest

from raw_requests import ALGORITHM, Answer, Request, Signing, encoded, keyed, read_answer, sha256, sign, signing_key
from surfaces import BUCKET, FORM, JSON10, JSON11, Attacked

MIB = 1 << 20
DEEP = 100_000
TARGETS = {
    "sagemaker": ("sagemaker", "SageMaker.ListModels", JSON11),
    "logs": ("logs", "Logs_20140328.DescribeLogGroups", JSON11),
    "kms": ("kms", "TrentService.ListKeys", JSON11),
    "ecr": ("ecr", "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories", JSON11),
    "monitoring": ("monitoring", "GraniteServiceVersion20100801.ListMetrics", JSON10),
}


def ask(attacked: Attacked, service: str, body: bytes, *more: tuple[str, str]) -> Answer:
    signing_name, target, content_type = TARGETS[service]
    return attacked.ask(signing_name, target, body, content_type, more)


def rpc(attacked: Attacked, body: bytes, *more: tuple[str, str]) -> Answer:
    headers = (("Smithy-Protocol", "rpc-v2-cbor"), ("Content-Type", "application/cbor"), *more)
    path = "/service/GraniteServiceVersion20100801/operation/ListMetrics"
    return attacked.call("POST", path, "monitoring", headers=headers, body=body)


def assert_well(attacked: Attacked) -> None:
    assert ask(attacked, "sagemaker", b"{}").status == 200


JSON_BOMBS = {
    "lists without end": b"[" * DEEP,
    "lists": b"[" * DEEP + b"]" * DEEP,
    "objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "objects of an unknown member": b'{"Unknown":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "a name again and again": b'{"MaxResults":' + b'1,"MaxResults":' * 100_000 + b"1}",
    "a long number": b'{"MaxResults":' + b"9" * MIB + b"}",
    "a large exponent": b'{"MaxResults":1e999999999}',
    "a small exponent": b'{"MaxResults":1e-999999999}',
    "half a character": b'{"NameContains":"\\ud800"}',
    "no text": b'{"NameContains":"\xff\xfe"}',
    "control characters": b'{"NameContains":"\x00\x01"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "two documents": b"{}{}",
    "another form": "{}".encode("utf-16"),
    "null": b"null\x00",
    "nothing but blanks": b" " * MIB + b"x",
}


@pytest.mark.parametrize("service", TARGETS)
@pytest.mark.parametrize("bomb", JSON_BOMBS.values(), ids=JSON_BOMBS)
def test_json_that_is_a_bomb_or_none(attacked: Attacked, service: str, bomb: bytes) -> None:
    answer = ask(attacked, service, bomb)
    assert answer.status in (200, 400, 413), answer
    # What could be read is no bomb; most of it cannot.
    assert len(answer.body) < 20_000
    assert "__type" in json.loads(answer.body) or answer.status == 200


def test_deep_json_within_what_is_kept(attacked: Attacked) -> None:
    """Members that no model describes are stored as they are, and must be readable ever after."""
    for depth in (10, 60, 100, 126, 128, 1000):
        value = json.loads("[" * depth + "]" * depth) if depth < 900 else None
        nested = json.dumps(value) if value is not None else "[" * depth + "]" * depth
        for member in ("ExplainerConfig", "AsyncInferenceConfig", "Tags", "DataCaptureConfig"):
            body = f'{{"EndpointConfigName":"deep-{depth}","ProductionVariants":[],"{member}":{nested}}}'.encode()
            answer = attacked.ask("sagemaker", "SageMaker.CreateEndpointConfig", body)
            assert answer.status == 400, (depth, member)
    assert_well(attacked)


CBOR_BOMBS = {
    "lists": b"\x81" * DEEP + b"\x80",
    "maps": b"\xa1\x61a" * DEEP + b"\xa0",
    "tags": b"\xc1" * DEEP + b"\x00",
    "indefinite lists": b"\x9f" * DEEP,
    "indefinite texts": b"\x7f" * DEEP,
    "a list of 2^64 items": b"\x9b" + b"\xff" * 8,
    "a map of 2^64 entries": b"\xbb" + b"\xff" * 8,
    "a text of 2^63 bytes": b"\x7b\x7f" + b"\xff" * 7 + b"a",
    "bytes of 4 GiB": b"\x5a" + b"\xff" * 4,
    "many small lists": b"\x9a\x00\x1e\x84\x80" + b"\x80" * 2_000_000,
    "a list as a key": b"\xa1\x80\x00",
    "a reserved value": b"\xfc",
    "more behind the end": b"\xa0\xa0",
    "no text": b"\xa1\x62\xff\xfe\x00",
    "a date beyond all": b"\xa1\x69StartTime\xc1\xfb\x7f\xef" + b"\xff" * 6,
}


@pytest.mark.parametrize("bomb", CBOR_BOMBS.values(), ids=CBOR_BOMBS)
def test_cbor_that_is_a_bomb_or_none(attacked: Attacked, bomb: bytes) -> None:
    before = attacked.service.memory()
    answer = rpc(attacked, bomb)
    assert answer.status in (200, 400, 413), answer
    assert attacked.service.memory() - before < 256 * MIB


FORM_BOMBS = {
    "deep names": b"Action=ListMetrics&Version=2010-08-01&" + b".member.1" * DEEP + b"=1",
    "many fields": b"Action=ListMetrics&Version=2010-08-01&"
    + b"&".join(b"a%d=1" % number for number in range(200_000)),
    "far items": b"Action=ListMetrics&Version=2010-08-01&Dimensions.member.4294967295.Name=x",
    "items beyond numbers": b"Action=ListMetrics&Version=2010-08-01&Dimensions.member.99999999999999999999.Name=x",
    "negative items": b"Action=ListMetrics&Version=2010-08-01&Dimensions.member.-1.Name=x",
    "separators": b"Action=ListMetrics&Version=2010-08-01" + b"&" * MIB + b"=" * MIB,
    "percent signs": b"Action=ListMetrics&Version=2010-08-01&Namespace=" + b"%" * MIB,
    "two actions": b"Action=ListMetrics&Action=DeleteAlarms&Version=2010-08-01",
}


@pytest.mark.parametrize("bomb", FORM_BOMBS.values(), ids=FORM_BOMBS)
def test_forms_that_are_bombs(attacked: Attacked, bomb: bytes) -> None:
    before = attacked.service.memory()
    answer = attacked.call("POST", "/", "monitoring", headers=(("Content-Type", FORM),), body=bomb)
    assert answer.status in (200, 400, 413), answer
    assert len(answer.body) < 20_000
    assert attacked.service.memory() - before < 256 * MIB


def packed(data: bytes) -> bytes:
    return gzip.compress(data, 9)


def test_packed_bodies_become_no_larger_than_plain_ones(attacked: Attacked) -> None:
    zipped = ("Content-Encoding", "gzip")
    before = attacked.service.memory()
    hundred = packed(b" " * (100 * MIB))
    assert len(hundred) < MIB
    for body in (hundred, gzip.compress(hundred), packed(b"[" * 50 * MIB), b"\x1f\x8b" + b"\xff" * 1000, b"x", b""):
        for send in (lambda: ask(attacked, "sagemaker", body, zipped), lambda: rpc(attacked, body, zipped)):  # noqa: B023
            answer = send()
            assert answer.status in (200, 400, 413), answer
    form = packed(b"Action=ListMetrics&Version=2010-08-01&x=" + b"a" * (100 * MIB))
    headers = (("Content-Type", FORM), zipped)
    assert attacked.call("POST", "/", "monitoring", headers=headers, body=form).status == 413
    many = b"".join(packed(b" ") for _ in range(20_000))
    assert ask(attacked, "sagemaker", many + packed(b"{}"), zipped).status == 200
    assert attacked.service.memory() - before < 256 * MIB
    assert_well(attacked)


def test_many_bombs_at_once(attacked: Attacked) -> None:
    """Small bodies that take the most memory for each of their bytes, eight at a time."""
    zipped = ("Content-Encoding", "gzip")
    objects = packed(b'{"Unknown":[' + b'{"a":{"b":1}},' * 150_000 + b"{}]}")
    assert len(objects) < 64 << 10
    before = attacked.service.memory()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(attacked, "sagemaker", objects, zipped), range(24)))
    assert {answer.status for answer in answers} <= {200, 400, 413, 503}, [answer.status for answer in answers]
    assert attacked.service.memory() - before < 512 * MIB
    assert_well(attacked)


def xml(attacked: Attacked, body: bytes, query: str = "delete=") -> Answer:
    method = "POST" if query == "delete=" else "PUT"
    return attacked.call(method, f"/{BUCKET}", "s3", query=query, body=body)


ENTITIES = b"".join(
    b'<!ENTITY x%d "%s">' % (number, b"&x%d;" % (number - 1) * 10) if number else b'<!ENTITY x0 "ha">'
    for number in range(10)
)
XML_BOMBS = {
    "entities that laugh": b"<!DOCTYPE Delete [" + ENTITIES + b"]><Delete><Object><Key>&x9;</Key></Object></Delete>",
    "a file": b'<!DOCTYPE Delete [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>',
    "an address": b'<!DOCTYPE Delete [<!ENTITY x SYSTEM "http://127.0.0.1:1/">]><Delete><Object><Key>&x;</Key></Object></Delete>',
    "an outer grammar": b'<!DOCTYPE Delete SYSTEM "http://127.0.0.1:1/x.dtd"><Delete></Delete>',
    "deep elements": b"<Delete>" + b"<a>" * DEEP + b"</a>" * DEEP + b"</Delete>",
    "deep elements without end": b"<Delete>" + b"<a>" * (MIB // 4),
    "deep objects": b"<Delete>" + b"<Object>" * DEEP,
    "attributes": b"<Delete " + b" ".join(b'a%d="x"' % number for number in range(100_000)) + b"></Delete>",
    "a comment without end": b"<Delete><!--" + b"-" * MIB,
    "characters by number": b"<Delete><Object><Key>&#0;&#x110000;</Key></Object></Delete>",
    "no text": b"<Delete><Object><Key>\xff\xfe</Key></Object></Delete>",
    "another form": "<Delete><Object><Key>x</Key></Object></Delete>".encode("utf-16"),
    "nothing": b"",
    "no xml": b"{}",
    "five mebibytes": b"<Delete>" + b" " * (5 * MIB) + b"</Delete>",
    "two thousand keys": b"<Delete>" + b"<Object><Key>k</Key></Object>" * 2000 + b"</Delete>",
}


@pytest.mark.parametrize("query", ["delete=", "tagging=", "versioning=", "encryption=", "policy="])
@pytest.mark.parametrize("bomb", XML_BOMBS.values(), ids=XML_BOMBS)
def test_xml_that_is_a_bomb_or_none(attacked: Attacked, bomb: bytes, query: str) -> None:
    before = attacked.service.memory()
    answer = xml(attacked, bomb, query)
    # The protocol crate calls it an internal error that a document is longer than it may be.
    is_too_long = answer.status == 500 and len(bomb) > 4 * MIB
    assert is_too_long or answer.status in (200, 204, 400, 413), answer
    assert b"root:" not in answer.body and b"haha" not in answer.body
    assert attacked.service.memory() - before < 256 * MIB
    attacked.call("DELETE", f"/{BUCKET}", "s3", query="policy=")
    attacked.call("DELETE", f"/{BUCKET}", "s3", query="encryption=")


def chunked(attacked: Attacked, chunks: list[bytes], spoil: str = "", length: int | None = None) -> Answer:
    """An upload in signed chunks, as AWS's page "Transferring payload in multiple chunks" has it; spoiled in one way."""
    signing = Signing(attacked.key, payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
    decoded = sum(map(len, chunks)) if length is None else length
    headers = (
        ("Host", attacked.wire.netloc),
        ("Content-Encoding", "aws-chunked"),
        ("X-Amz-Decoded-Content-Length", str(decoded)),
    )
    signed = sign(Request("PUT", f"/{BUCKET}/chunked", "s3", headers=headers), signing)
    authorization, stamp = signed.header("Authorization") or "", signed.header("X-Amz-Date") or ""
    seed = authorization.rpartition("Signature=")[2]
    scope = [stamp[:8], signing.region, "s3", "aws4_request"]
    key = signing_key(attacked.key.secret, scope)
    body, previous = [], seed
    for chunk in [*chunks, b""]:
        to_sign = "\n".join([f"{ALGORITHM}-PAYLOAD", stamp, "/".join(scope), previous, sha256(b""), sha256(chunk)])
        previous = keyed(key, to_sign).hex()
        body.append(b"%x;chunk-signature=%s\r\n%s\r\n" % (len(chunk), previous.encode(), chunk))
    match spoil:
        case "altered":
            body[0] = body[0].replace(chunks[0], b"X" + chunks[0][1:])
        case "swapped":
            body[0], body[1] = body[1], body[0]
        case "left out":
            del body[0]
        case "twice":
            body.insert(1, body[0])
        case "cut off within":
            body = [body[0], body[1][:-10]]
        case "more behind":
            body.append(body[0])
        case "unsigned":
            body[0] = b"%x\r\n%s\r\n" % (len(chunks[0]), chunks[0])
        case "another signature":
            body[0] = body[0].replace(b"chunk-signature=", b"chunk-signature=0", 1)
        case "a size of 4 GiB":
            body[0] = body[0].replace(b"%x;" % len(chunks[0]), b"ffffffff;", 1)
        case "a size and more":
            body[0] = body[0].replace(b"%x;" % len(chunks[0]), b"ffffffffzz;", 1)
        case "a size of 16 EiB":
            body[0] = body[0].replace(b"%x;" % len(chunks[0]), b"ffffffffffffffff;", 1)
        case "a negative size":
            body[0] = b"-" + body[0]
        case "an endless line":
            body[0] = b"0" * MIB + body[0]
        case "no lines":
            body = [b"".join(chunks)]
    data = b"".join(body)
    return attacked.wire.send(signed.changed(body=data))


SPOILS = [
    "altered",
    "swapped",
    "left out",
    "twice",
    "cut off within",
    "more behind",
    "unsigned",
    "another signature",
    "a size of 4 GiB",
    "a size and more",
    "a size of 16 EiB",
    "a negative size",
    "an endless line",
    "no lines",
]


@pytest.mark.parametrize("spoil", SPOILS)
def test_signed_chunks_that_somebody_on_the_way_has_changed(attacked: Attacked, spoil: str) -> None:
    chunks = [b"a" * 8192, b"b" * 8192, b"c" * 100]
    answer = chunked(attacked, chunks, spoil)
    assert 400 <= answer.status < 500, answer
    assert attacked.call("HEAD", f"/{BUCKET}/chunked", "s3").status == 404


def test_signed_chunks_as_they_should_be(attacked: Attacked) -> None:
    chunks = [b"a" * 8192, b"b" * 8192, b"c" * 100]
    assert chunked(attacked, chunks).status == 200
    assert attacked.call("GET", f"/{BUCKET}/chunked", "s3").body == b"".join(chunks)
    attacked.call("DELETE", f"/{BUCKET}/chunked", "s3")
    for length in (0, 16483, 16485, 1 << 62):
        assert 400 <= chunked(attacked, chunks, length=length).status < 500, length
        assert attacked.call("HEAD", f"/{BUCKET}/chunked", "s3").status == 404


def test_what_was_announced_and_what_came(attacked: Attacked) -> None:
    """A length that is not that of the body, a digest of another, a hash of another: nothing is stored."""
    wrong = {
        "Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg==",
        "X-Amz-Checksum-Sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "X-Amz-Checksum-Crc32": "AAAAAA==",
    }
    for name, value in wrong.items():
        answer = attacked.call("PUT", f"/{BUCKET}/announced", "s3", headers=((name, value),), body=b"content")
        assert answer.status == 400 and b"BadDigest" in answer.body, answer
    for value in ("", "x", "=", "AAAA", "a" * 1000):
        answer = attacked.call("PUT", f"/{BUCKET}/announced", "s3", headers=(("Content-MD5", value),), body=b"content")
        assert answer.status == 400, (value, answer)
    signed = attacked.signed(Request("PUT", f"/{BUCKET}/announced", "s3", body=b"content"))
    with attacked.wire.connect() as connection:
        connection.sendall(encoded(signed.with_header("Content-Length", "100")))
        connection.shutdown(socket.SHUT_WR)
        assert read_answer(connection, "PUT").status >= 400
    assert attacked.call("HEAD", f"/{BUCKET}/announced", "s3").status == 404
    answer = attacked.wire.send(signed.with_header("Content-Length", "3"))
    assert 400 <= answer.status < 500, answer
    assert attacked.call("HEAD", f"/{BUCKET}/announced", "s3").status == 404
