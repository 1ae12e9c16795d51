"""The same request from many sides at the same time: what may happen once happens once."""

import concurrent.futures
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from raw_requests import Answer, Request
from resources import ROLE, new_name
from service import CONFIGURATION
from surfaces import BUCKET, Attacked, attacked_service

SIDES = 24


def at_once(ask: Callable[[int], Answer], sides: Iterable[int] = range(SIDES)) -> list[Answer]:
    with concurrent.futures.ThreadPoolExecutor(SIDES) as pool:
        return list(pool.map(ask, sides))


def call(attacked: Attacked, target: str, **members: Any) -> Answer:
    service, _, _ = target.partition(".")
    signing_name = {"SageMaker": "sagemaker", "TrentService": "kms"}[service]
    return attacked.ask(signing_name, target, json.dumps(members).encode())


def test_a_name_is_given_once(attacked: Attacked) -> None:
    name = new_name("race")
    container = {"Image": "image"}
    answers = at_once(
        lambda _: call(
            attacked, "SageMaker.CreateModel", ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE
        )
    )
    assert sorted(answer.status for answer in answers) == [200] + [400] * (SIDES - 1)


def test_an_alias_is_given_once(attacked: Attacked) -> None:
    alias = "alias/" + new_name("race")
    keys = [json.loads(call(attacked, "TrentService.CreateKey").body)["KeyMetadata"]["KeyId"] for _ in range(4)]
    answers = at_once(
        lambda side: call(attacked, "TrentService.CreateAlias", AliasName=alias, TargetKeyId=keys[side % len(keys)])
    )
    assert sorted(answer.status for answer in answers) == [200] + [400] * (SIDES - 1)


def test_a_bucket_and_an_object_that_must_be_new_are_made_once(attacked: Attacked) -> None:
    bucket = new_name("race")
    answers = at_once(lambda _: attacked.call("PUT", f"/{bucket}", "s3"))
    assert sorted(answer.status for answer in answers) == [200] + [409] * (SIDES - 1)
    if_new = (("If-None-Match", "*"),)
    answers = at_once(
        lambda side: attacked.call("PUT", f"/{bucket}/key", "s3", headers=if_new, body=str(side).encode())
    )
    assert [answer.status for answer in answers].count(200) == 1
    assert {answer.status for answer in answers} <= {200, 409, 412}
    winner = [side for side, answer in enumerate(answers) if answer.status == 200]
    assert attacked.call("GET", f"/{bucket}/key", "s3").body == str(winner[0]).encode()


def test_an_upload_is_completed_once(attacked: Attacked) -> None:
    path = f"/{BUCKET}/{new_name('race')}"
    upload = attacked.begin_upload(path)
    etag = attacked.call("PUT", path, "s3", query=f"partNumber=1&uploadId={upload}", body=b"part").headers["etag"]
    part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    document = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
    answers = at_once(lambda _: attacked.call("POST", path, "s3", query=f"uploadId={upload}", body=document))
    assert [answer.status for answer in answers].count(200) == 1
    assert {answer.status for answer in answers} <= {200, 404, 409}, [answer.status for answer in answers]
    assert attacked.call("GET", path, "s3").body == b"part"


def test_the_last_key_stays(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keys that switch each other off at the same time: one is left that can sign."""
    with attacked_service(tmp_path_factory.mktemp("keys"), CONFIGURATION) as attacked:
        keys = [attacked.key, *(attacked.new_key() for _ in range(7))]

        def switch_off(side: int) -> Answer:
            path = f"/_watchkeeper/keys/{keys[side].id}/disable"
            return attacked.wire.send(attacked.signed(Request("POST", path, "sagemaker"), key=keys[side - 1]))

        at_once(switch_off, range(len(keys)))
        passing = [
            key for key in keys if attacked.wire.send(attacked.signed(Request("GET", "/", "s3"), key=key)).status == 200
        ]
        assert passing, "nobody can sign any more"
        # The commands of the machine sign with one of them.
        assert attacked.service.run("status").returncode == 0
