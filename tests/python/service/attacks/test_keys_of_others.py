"""Keys of another account, and keys that ended: what one service gave is nothing to another, and a session is no more than its key."""

import datetime
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from endpoints import refusal
from raw_requests import Answer, Key, Request, Signing, presign, sign
from resources import ROLE, ended_job, new_name, row_counter_job
from service import CONFIGURATION, Service
from surfaces import BUCKET, FORM, SURFACES, Attacked
from wire_clients import Clients

FOREIGN = "999999999999"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """A service of somebody else, of another account, with all that the attacked one has in common with it."""
    service = Service(tmp_path_factory.mktemp("other"), f'account = "{FOREIGN}"\n' + CONFIGURATION).start()
    yield Attacked(service)
    service.stop()


def session_of(attacked: Attacked, key: Key | None = None, action: str = "GetSessionToken", **more: str) -> Answer:
    fields = {"Action": action, "Version": "2011-06-15"} | more
    body = "&".join(f"{name}={value}" for name, value in fields.items())
    request = Request("POST", "/", "sts", headers=(("Content-Type", FORM),), body=body.encode())
    return attacked.wire.send(attacked.signed(request, key=key or attacked.key))


def key_in(answer: Answer) -> Key:
    assert answer.status == 200, answer

    def part(name: str) -> str:
        found = re.search(f"<{name}>(.*?)</{name}>", answer.text)
        assert found is not None, answer
        return found[1]

    return Key(part("AccessKeyId"), part("SecretAccessKey"), part("SessionToken"))


ROLE_OF_SESSION = {"RoleArn": ROLE.replace(":", "%3A").replace("/", "%2F"), "RoleSessionName": "session"}


def refused(attacked: Attacked, key: Key) -> list[str]:
    """The ways in that let a key pass."""
    passed = []
    for surface in SURFACES.values():
        asked = attacked.addressed(surface)
        for signed in (sign(asked, Signing(key)), presign(asked, Signing(key))):
            answer = attacked.wire.send(signed)
            if not 400 <= answer.status < 500:
                passed.append(f"{surface.name}: {answer}")
    return passed


def test_keys_of_another_service(attacked: Attacked, other: Attacked) -> None:
    assert refused(attacked, other.key) == []
    # Signed by the other's secret in the name of ours.
    assert refused(attacked, Key(attacked.key.id, other.key.secret)) == []


def test_sessions_of_another_service(attacked: Attacked, other: Attacked) -> None:
    session = key_in(session_of(other))
    assert other.wire.send(other.signed(Request("GET", "/", "s3"), key=session)).status == 200
    assert refused(attacked, session) == []
    own = key_in(session_of(attacked))
    assert refused(attacked, Key(own.id, session.secret, session.token)) == []
    assert refused(attacked, Key(own.id, own.secret, session.token)) == []


@pytest.mark.parametrize("token", [None, "", "x", "0" * 64])
def test_a_session_needs_its_token(attacked: Attacked, token: str | None) -> None:
    own = key_in(session_of(attacked))
    assert refused(attacked, Key(own.id, own.secret, token)) == []


def test_a_session_with_the_token_of_another(attacked: Attacked) -> None:
    one, two = key_in(session_of(attacked)), key_in(session_of(attacked))
    assert refused(attacked, Key(one.id, one.secret, two.token)) == []
    assert refused(attacked, Key(one.id, two.secret, one.token)) == []


def test_the_end_in_a_session_s_id_cannot_be_moved(attacked: Attacked) -> None:
    """The id says when it ends, and secret and token follow from the whole of it."""
    own = key_in(session_of(attacked))
    for place in range(4, len(own.id)):
        changed = "B" if own.id[place] != "B" else "C"
        moved = Key(own.id[:place] + changed + own.id[place + 1 :], own.secret, own.token)
        answer = attacked.wire.send(attacked.signed(SURFACES["sagemaker"], key=moved))
        assert answer.status == 400, (place, answer)
        answer = attacked.wire.send(attacked.signed(Request("GET", "/", "s3"), key=moved))
        assert answer.status == 403 or answer.status == 400, (place, answer)


def test_a_session_cannot_make_one_that_stays(attacked: Attacked) -> None:
    """Neither another access key, nor a session that outlives it, nor what has all keys in it."""
    session = key_in(session_of(attacked, action="AssumeRole", DurationSeconds="900", **ROLE_OF_SESSION))
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=900)
    for method, path in (
        ("GET", "/_watchkeeper/keys"),
        ("POST", "/_watchkeeper/keys"),
        ("POST", f"/_watchkeeper/keys/{attacked.key.id}/disable"),
        ("DELETE", f"/_watchkeeper/keys/{attacked.key.id}"),
        ("GET", "/_watchkeeper/backup"),
        ("POST", "/_watchkeeper/backup"),
    ):
        request = Request(method, path, "sagemaker")
        assert attacked.wire.send(attacked.signed(request, key=session)).status == 403, path
        assert attacked.wire.send(presign(attacked.addressed(request), Signing(session))).status == 403, path
    assert session_of(attacked, session).status == 403
    longer = session_of(attacked, session, "AssumeRole", DurationSeconds="43200", **ROLE_OF_SESSION)
    found = re.search("<Expiration>(.*?)</Expiration>", longer.text)
    assert found is not None
    assert datetime.datetime.fromisoformat(found[1]) <= ends + datetime.timedelta(seconds=5)


def test_a_session_ends_with_its_key(attacked: Attacked) -> None:
    key = attacked.new_key()
    session = key_in(session_of(attacked, key))
    chained = key_in(session_of(attacked, session, "AssumeRole", **ROLE_OF_SESSION))
    for known in (key, session, chained):
        assert attacked.wire.send(attacked.signed(SURFACES["kms"], key=known)).status == 200
    attacked.call("POST", f"/_watchkeeper/keys/{key.id}/disable", "sagemaker")
    for ended in (key, session, chained):
        assert refused(attacked, ended) == []
    attacked.call("DELETE", f"/_watchkeeper/keys/{key.id}", "sagemaker")
    for ended in (key, session, chained):
        assert refused(attacked, ended) == []


def test_a_job_gets_no_key_that_stays(attacked: Attacked) -> None:
    """What a job is given, it can use while it may run, and for nothing that would outlive it."""
    clients = Clients(attacked.service)
    s3, sagemaker = clients("s3"), clients("sagemaker")
    name = new_name("given")
    request = row_counter_job(name, [], f"s3://{BUCKET}/{name}")
    command = "env | grep -e AWS_ -e SECRET > /opt/ml/processing/output/given"
    request["AppSpecification"]["ContainerEntrypoint"] = ["/bin/sh", "-c", command]
    request["StoppingCondition"] = {"MaxRuntimeInSeconds": 600}
    sagemaker.create_processing_job(**request)
    assert ended_job(sagemaker, name)["ProcessingJobStatus"] == "Completed"
    text = s3.get_object(Bucket=BUCKET, Key=f"{name}/given")["Body"].read().decode()
    variables = dict(line.split("=", 1) for line in text.splitlines())
    key = Key(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"], variables["AWS_SESSION_TOKEN"])
    assert attacked.wire.send(attacked.signed(SURFACES["s3 object"], key=key)).status == 200
    for path in ("/_watchkeeper/keys", "/_watchkeeper/backup"):
        answer = attacked.wire.send(attacked.signed(Request("GET", path, "sagemaker"), key=key))
        assert answer.status == 403, answer
    assert (
        attacked.wire.send(attacked.signed(Request("POST", "/_watchkeeper/keys", "sagemaker"), key=key)).status == 403
    )
    assert attacked.key.secret not in text


def test_what_belongs_to_another_account(attacked: Attacked) -> None:
    """Requests that name another account's things: they are not there, whatever they are called here."""
    clients = Clients(attacked.service)
    s3, kms, sagemaker = clients("s3"), clients("kms"), clients("sagemaker")
    own = kms.create_key()["KeyMetadata"]["Arn"]
    foreign = own.replace("000000000000", FOREIGN)
    assert foreign != own
    calls: list[tuple[Any, dict[str, Any]]] = [
        (kms.describe_key, {"KeyId": foreign}),
        (kms.schedule_key_deletion, {"KeyId": foreign}),
        (
            s3.put_object,
            {"Bucket": BUCKET, "Key": "x", "Body": b"x", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": foreign},
        ),
        (s3.list_objects_v2, {"Bucket": BUCKET, "ExpectedBucketOwner": FOREIGN}),
        (s3.get_object, {"Bucket": BUCKET, "Key": "object", "ExpectedBucketOwner": FOREIGN}),
        (s3.delete_object, {"Bucket": BUCKET, "Key": "object", "ExpectedBucketOwner": FOREIGN}),
        (sagemaker.list_tags, {"ResourceArn": f"arn:aws:sagemaker:eu-west-1:{FOREIGN}:endpoint/attacked-endpoint"}),
        (
            sagemaker.add_tags,
            {
                "ResourceArn": f"arn:aws:sagemaker:eu-west-1:{FOREIGN}:endpoint/attacked-endpoint",
                "Tags": [{"Key": "a", "Value": "b"}],
            },
        ),
    ]
    answered = []
    for call, request in calls:
        try:
            answered.append((request, call(**request)))
        except ClientError as error:
            assert 400 <= error.response["ResponseMetadata"]["HTTPStatusCode"] < 500, (request, error)
    assert answered == []
    assert refusal(s3.head_object, Bucket=BUCKET, Key="x")["ResponseMetadata"]["HTTPStatusCode"] == 404
