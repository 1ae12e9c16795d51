"""Whoever has not signed, or not this, gets nothing: every way in against every way to get a signature wrong."""

import datetime
import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest

from raw_requests import Answer, Key, Request, Signing, presign, sign
from surfaces import BUCKET, CONTENT, SURFACES, Attacked, Surface

# What a refusal may be called, by AWS's lists of common errors of its services and of S3.
REFUSALS = (
    "AccessDenied AuthorizationHeaderMalformed AuthorizationQueryParametersError IncompleteSignature "
    "IncompleteSignatureException InvalidAccessKeyId InvalidArgument InvalidBucketName InvalidClientTokenId InvalidRequest "
    "InvalidSignatureException InvalidToken MissingAuthenticationToken MissingAuthenticationTokenException "
    "NotImplemented RequestExpired RequestTimeTooSkewed SignatureDoesNotMatch UnknownOperationException "
    "UnrecognizedClientException XAmzContentSHA256Mismatch"
).split()
MINUTE = datetime.timedelta(minutes=1)

Break = Callable[[Attacked, Request], Request]
BREAKS: dict[str, Break] = {}


def breaks(function: Break) -> Break:
    BREAKS[function.__name__] = function
    return function


def right(attacked: Attacked, request: Request, **how: object) -> Request:
    return sign(request, Signing(**({"key": attacked.key} | how)))


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@breaks
def nothing(attacked: Attacked, request: Request) -> Request:
    return request


@breaks
def empty_authorization(attacked: Attacked, request: Request) -> Request:
    return request.with_header("Authorization", "")


@breaks
def bearer(attacked: Attacked, request: Request) -> Request:
    return request.with_header("Authorization", f"Bearer {attacked.key.id}")


@breaks
def basic(attacked: Attacked, request: Request) -> Request:
    return request.with_header("Authorization", "Basic YWRtaW46YWRtaW4=")


@breaks
def algorithm_alone(attacked: Attacked, request: Request) -> Request:
    return request.with_header("Authorization", "AWS4-HMAC-SHA256")


@breaks
def algorithm_of_public_keys(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request).changed_header(
        "Authorization", lambda value: value.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")
    )


@breaks
def algorithm_none(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request).changed_header("Authorization", lambda value: value.replace("HMAC-SHA256", "NONE"))


@breaks
def old_signature(attacked: Attacked, request: Request) -> Request:
    return request.with_header("Authorization", f"AWS {attacked.key.id}:frJIUN8DYpKDtOLCwo//yllqDzg=")


@breaks
def wrong_secret(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request, key=Key(attacked.key.id, "x" * 40))


@breaks
def empty_secret(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request, key=Key(attacked.key.id, ""))


@breaks
def unknown_key(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request, key=Key("AKIAUNKNOWNUNKNOWN22", attacked.key.secret))


@breaks
def key_in_another_case(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request, key=Key(attacked.key.id.lower(), attacked.key.secret))


@breaks
def made_up_temporary_key(attacked: Attacked, request: Request) -> Request:
    """An id of the right form whose end is far away, and whatever an attacker could take for its secret."""
    return right(attacked, request, key=Key("ASIA" + "H" * 32, "0" * 40, "0" * 64))


@breaks
def sixteen_minutes_late(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request, moment=now() - 16 * MINUTE)


@breaks
def sixteen_minutes_early(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request, moment=now() + 16 * MINUTE)


@breaks
def a_year_ago(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request, moment=now() - datetime.timedelta(days=365))


@breaks
def replayed_with_a_new_date(attacked: Attacked, request: Request) -> Request:
    old = right(attacked, request, moment=now() - 16 * MINUTE)
    return old.changed_header("X-Amz-Date", lambda _: Signing(attacked.key).stamp())


@breaks
def replayed_with_two_dates(attacked: Attacked, request: Request) -> Request:
    old = right(attacked, request, moment=now() - 16 * MINUTE)
    stamp = Signing(attacked.key).stamp()
    return old.changed(headers=(("X-Amz-Date", stamp), *old.headers))


@breaks
def replayed_with_a_date_of_another_kind(attacked: Attacked, request: Request) -> Request:
    old = right(attacked, request, moment=now() - 16 * MINUTE).without_header("X-Amz-Date")
    return old.with_header("Date", now().strftime("%a, %d %b %Y %H:%M:%S GMT"))


@breaks
def date_of_another_day_in_the_scope(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request, scope_date="20200101")


@breaks
def no_date_in_the_scope(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request, scope_date="x")


@breaks
def other_terminator(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request, terminator="aws5_request")


@breaks
def signed_for_another_service(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request, service="iam" if request.service != "iam" else "sts")


@breaks
def signed_for_a_service_of_nobody(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request, service="dynamodb")


@breaks
def signed_for_objects(attacked: Attacked, request: Request) -> Request:
    """People hand out addresses that are signed for S3."""
    return right(attacked, request, service="s3" if request.service != "s3" else "sts")


@breaks
def address_for_objects(attacked: Attacked, request: Request) -> Request:
    return presign(request, Signing(attacked.key, service="s3" if request.service != "s3" else "sts"))


@breaks
def slashes_in_the_scope(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request, region="eu/west/1")


@breaks
def region_that_is_none(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request, region="<script>:x")


@breaks
def altered_body(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request).changed(body=request.body + b" ")


@breaks
def altered_method(attacked: Attacked, request: Request) -> Request:
    signed = right(attacked, request)
    return signed.changed(method={"GET": "DELETE", "POST": "PUT", "PUT": "DELETE"}[request.method])


@breaks
def altered_host(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request).changed_header("Host", lambda host: host + ".")


@breaks
def altered_date(attacked: Attacked, request: Request) -> Request:
    stamp = (now() - MINUTE).strftime("%Y%m%dT%H%M%SZ")
    return right(attacked, request).changed_header("X-Amz-Date", lambda _: stamp)


@breaks
def added_parameter(attacked: Attacked, request: Request) -> Request:
    signed = right(attacked, request)
    return signed.changed(query=f"{request.query}&x=y" if request.query else "x=y")


@breaks
def added_header_of_aws(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request).with_header("X-Amz-Meta-Added", "by somebody on the way")


@breaks
def added_header_of_the_runtime(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request).with_header("X-Amzn-SageMaker-Target-Variant", "of-my-choice")


@breaks
def header_twice(attacked: Attacked, request: Request) -> Request:
    signed = right(attacked, request)
    return signed.with_header("X-Amz-Date", signed.header("X-Amz-Date") or "")


@breaks
def signed_header_left_out(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request.with_header("X-Signed", "x")).without_header("X-Signed")


@breaks
def signature_without_host(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request, leave_out=("host",))


@breaks
def signature_without_date(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request, leave_out=("x-amz-date",))


@breaks
def no_signed_headers(attacked: Attacked, request: Request) -> Request:
    signed = right(attacked, request)
    return signed.changed_header("Authorization", lambda value: re.sub("SignedHeaders=[^,]*", "SignedHeaders=", value))


@breaks
def signature_of_nothing(attacked: Attacked, request: Request) -> Request:
    return changed_signature(attacked, request, lambda _: "")


@breaks
def half_a_signature(attacked: Attacked, request: Request) -> Request:
    return changed_signature(attacked, request, lambda value: value[:32])


@breaks
def signature_and_more(attacked: Attacked, request: Request) -> Request:
    return changed_signature(attacked, request, lambda value: value + "00")


@breaks
def signature_in_capitals(attacked: Attacked, request: Request) -> Request:
    return changed_signature(attacked, request, lambda value: "F" + value[1:].upper())


@breaks
def two_signatures(attacked: Attacked, request: Request) -> Request:
    signed = right(attacked, request)
    return signed.changed_header("Authorization", lambda value: f"{value}, Signature={'0' * 64}")


@breaks
def two_authorizations(attacked: Attacked, request: Request) -> Request:
    return right(attacked, request).with_header("Authorization", "AWS4-HMAC-SHA256 Credential=x")


@breaks
def signed_in_header_and_address(attacked: Attacked, request: Request) -> Request:
    return right(attacked, presign(request, Signing(attacked.key)))


@breaks
def address_that_is_over(attacked: Attacked, request: Request) -> Request:
    return presign(request, Signing(attacked.key, moment=now() - 2 * MINUTE), 60)


@breaks
def address_prolonged(attacked: Attacked, request: Request) -> Request:
    old = presign(request, Signing(attacked.key, moment=now() - 2 * MINUTE), 60)
    return old.changed(query=old.query.replace("X-Amz-Expires=60", "X-Amz-Expires=600"))


@breaks
def address_prolonged_by_another_end(attacked: Attacked, request: Request) -> Request:
    old = presign(request, Signing(attacked.key, moment=now() - 2 * MINUTE), 60)
    return old.changed(query=f"X-Amz-Expires=600&{old.query}")


@breaks
def address_for_eight_days(attacked: Attacked, request: Request) -> Request:
    return presign(request, Signing(attacked.key), 8 * 24 * 3600)


@breaks
def address_without_end(attacked: Attacked, request: Request) -> Request:
    return presign(request, Signing(attacked.key), "never")


@breaks
def address_of_tomorrow(attacked: Attacked, request: Request) -> Request:
    return presign(request, Signing(attacked.key, moment=now() + datetime.timedelta(days=1)), 60)


@breaks
def address_with_another_secret(attacked: Attacked, request: Request) -> Request:
    return presign(request, Signing(Key(attacked.key.id, "x" * 40)))


@breaks
def address_with_a_parameter_more(attacked: Attacked, request: Request) -> Request:
    signed = presign(request, Signing(attacked.key))
    return signed.changed(query=signed.query + "&versionId=1")


@breaks
def address_with_a_header_more(attacked: Attacked, request: Request) -> Request:
    return presign(request, Signing(attacked.key)).with_header("X-Amz-Meta-Added", "x")


@breaks
def address_for_another_method(attacked: Attacked, request: Request) -> Request:
    signed = presign(request, Signing(attacked.key))
    return signed.changed(method={"GET": "DELETE", "POST": "PUT", "PUT": "DELETE"}[request.method])


@breaks
def old_address_with_a_made_up_signature(attacked: Attacked, request: Request) -> Request:
    added = f"AWSAccessKeyId={attacked.key.id}&Expires=4102444800&Signature={quote('frJIUN8DYpKDtOLCwo//yllqDzg=')}"
    return request.changed(query=f"{request.query}&{added}" if request.query else added)


def changed_signature(attacked: Attacked, request: Request, change: Callable[[str], str]) -> Request:
    def changed(value: str) -> str:
        head, _, signature = value.rpartition("Signature=")
        return f"{head}Signature={change(signature)}"

    return right(attacked, request).changed_header("Authorization", changed)


def problem(answer: Answer) -> str | None:
    """What is wrong with a refusal; none where it is one."""
    # The protocol crate of S3 calls it an internal error when a document is not the one that was signed.
    if answer.status == 500 and b"<Code>InternalError</Code>" in answer.body:
        return None
    if not 400 <= answer.status < 500 and answer.status != 501:
        return f"status {answer.status}: {answer.text[:300]}"
    if CONTENT in answer.body:
        return "it shows the content"
    named = answer.headers.get("x-amzn-errortype", "") + answer.text
    # HEAD and refusals by the protocol itself say nothing more.
    if answer.body and not any(code in named for code in REFUSALS):
        return f"status {answer.status}: {answer.text[:300]}"
    return None


def does_not_apply(name: str, request: Request) -> bool:
    """What is no attack there."""
    if name == "altered_body":
        # Nobody looks at the body of a request that needs none: who adds one on the way has changed nothing.
        return request.service == "s3" and not request.body
    if name == "added_header_of_the_runtime":
        return request.service == "s3"
    # Operators sign for whichever service their tool takes them to be at; not for S3.
    is_of_operators = request.path.startswith("/_watchkeeper/")
    return is_of_operators and name in ("signed_for_another_service", "signed_for_a_service_of_nobody")


def problems(attacked: Attacked, name: str) -> Iterator[str]:
    for surface in SURFACES.values():
        if does_not_apply(name, surface.request):
            continue
        request = BREAKS[name](attacked, attacked.addressed(surface))
        wrong = problem(attacked.wire.send(request))
        if wrong is not None:
            yield f"{surface.name}: {wrong}"


def done(attacked: Attacked) -> list[str]:
    """The objects that requests which are refused would have made."""
    made = [key for key in ("uploaded", "copied") if attacked.call("HEAD", f"/{BUCKET}/{key}", "s3").status == 200]
    for key in made:
        attacked.call("DELETE", f"/{BUCKET}/{key}", "s3")
    return made


@pytest.mark.parametrize("name", BREAKS)
def test_nobody_gets_in(attacked: Attacked, name: str) -> None:
    found, made = "\n".join(problems(attacked, name)), done(attacked)
    assert not found, found
    assert made == [], "what was refused was done"


@pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)
def test_whoever_has_signed_does(attacked: Attacked, surface: Surface) -> None:
    """The same requests without a break: else the refusals would say nothing."""
    answer = attacked.wire.send(attacked.signed(surface))
    assert 200 <= answer.status < 300, answer
    if surface.request.query.startswith("limit"):
        return  # the operators' lists take no parameters but their own
    presigned = attacked.wire.send(presign(attacked.addressed(surface), Signing(attacked.key)))
    assert 200 <= presigned.status < 300, presigned
    done(attacked)


@pytest.mark.parametrize("name", ["nothing", "wrong_secret", "altered_body", "sixteen_minutes_late", "unknown_key"])
def test_nobody_gets_in_through_the_proxy(attacked: Attacked, name: str) -> None:
    wrong = []
    for surface in SURFACES.values():
        request = attacked.addressed(surface, proxied=True)
        accepted = attacked.wire.send(right(attacked, request), surface.aws_name)
        assert 200 <= accepted.status < 300, (surface.name, accepted)
        done(attacked)
        if does_not_apply(name, request):
            continue
        found = problem(attacked.wire.send(BREAKS[name](attacked, request), surface.aws_name))
        if found is not None:
            wrong.append(f"{surface.name}: {found}")
    assert not wrong, "\n".join(wrong)
    assert done(attacked) == [], "what was refused was done"


def test_a_plain_proxied_request_is_signed_too(attacked: Attacked) -> None:
    """`GET http://host/`: the host of the address is the one that is signed, whatever the header says."""
    for surface in SURFACES.values():
        request = attacked.addressed(surface, proxied=True)
        absolute = request.changed(path=f"http://{surface.aws_name}{request.path}")
        assert problem(attacked.wire.send(absolute)) is None, surface.name
        signed = right(attacked, request)
        elsewhere = signed.changed(path=f"http://sts.amazonaws.com{request.path}")
        assert problem(attacked.wire.send(elsewhere)) is None, surface.name


def test_every_path_of_the_operators_is_closed(attacked: Attacked) -> None:
    document = attacked.call("GET", "/_watchkeeper/openapi.json", "sagemaker")
    assert document.status == 200

    paths = json.loads(document.body)["paths"]
    assert len(paths) > 10
    for path, methods in paths.items():
        for method in methods:
            target = path.replace("{name}", "x").replace("{id}", "x")
            request = attacked.addressed(Request(method.upper(), target, "sagemaker"))
            if target.startswith(("/_watchkeeper/health", "/_watchkeeper/metrics")):
                continue
            for broken in (request, BREAKS["wrong_secret"](attacked, request)):
                answer = attacked.wire.send(broken)
                assert answer.status == 403, (method, path, answer)


@pytest.mark.parametrize(
    "path",
    [
        "/_watchkeeper/health/../keys",
        "/_watchkeeper/health/live/../../status",
        "/_watchkeeper/metrics/../keys",
        "/_watchkeeper//status",
        "//_watchkeeper/status",
        "/_watchkeeper/%73tatus",
        "/%5Fwatchkeeper/status",
        "/_WATCHKEEPER/status",
        "/_watchkeeper/metrics%2f..%2fkeys",
        "/_watchkeeper/health/live;/keys",
        "/x/../_watchkeeper/keys",
    ],
)
def test_ways_around_the_operators_paths(attacked: Attacked, path: str) -> None:
    answer = attacked.wire.send(attacked.addressed(Request("GET", path, "sagemaker")))
    assert problem(answer) is None, answer
    assert b"access_key_id" not in answer.body
