"""Plays cases with the real Python SDK and records what goes over the wire. No network: botocore's requests are
answered before they are sent."""

import contextlib
import copy
import functools
import io
import logging
import os
import time as real_time
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import sagemaker
import sagemaker.session
import sagemaker.utils
from botocore.awsrequest import AWSResponse
from botocore.config import Config

import exchanges
import values
from exchanges import Json
from services import REGION, TIME, Services

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_DEFAULT_REGION": REGION,
    # Bodies as they are, so that they can be compared; checksums are a matter of the client.
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


class Clock(types.SimpleNamespace):
    """Time that passes only while somebody sleeps, and a little with every look, so that no two names are the same. Its
    milliseconds never end with a zero, which Python leaves out of names."""

    def __init__(self) -> None:
        super().__init__(now=TIME + 0.1212, strftime=real_time.strftime, gmtime=real_time.gmtime)

    def time(self) -> float:
        self.now += 0.002
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class RawBody(io.BytesIO):
    """The body of an answer as botocore reads it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        while chunk := self.read(65536):
            yield chunk


class Recorder:
    """The real SDK, with its services replaced by [`Services`]; the clients are made once, as that takes long."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.services = Services()
        self.exchanges: list[Json] = []
        self.requests: list[Json] = []
        # What a value looks like in a request, where there is no request of ours that has it.
        self.gives: Json = None
        os.environ.update(ENVIRONMENT)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION"):
            os.environ.pop(name, None)
        logging.disable(logging.CRITICAL)
        warnings.simplefilter("ignore")
        values.lay_out(folder)
        # No defaults from files of whoever runs this.
        sagemaker.session.load_sagemaker_config = lambda *_, **__: {}
        self.boto = boto3.Session(region_name=REGION)
        # Some objects lose their session and make one of their own.
        boto3.DEFAULT_SESSION = self.boto
        sagemaker.utils._botocore_resolver = functools.cache(sagemaker.utils._botocore_resolver)
        self.boto.events.register("before-send", self.answer)
        once = Config(retries={"mode": "standard", "total_max_attempts": 1})
        client, resource = self.boto.client, self.boto.resource
        self.boto.client = functools.cache(lambda name, **options: client(name, **{"config": once} | options))
        self.boto.resource = functools.cache(lambda name, **options: resource(name, **{"config": once} | options))

    def answer(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        """Notes what botocore sends, and answers it."""
        sent = exchanges.request_of(event_name, request)
        answer = self.services.answer(sent)
        recorded = sent.recorded()
        if not exchanges.is_repeated_account_check(recorded, self.requests):
            self.exchanges.append({"request": recorded, "answer": answer.recorded()})
            self.requests.append(recorded)
        return AWSResponse(request.url, answer.status, answer.headers, RawBody(answer.body.encode()))

    def record(self, case: Json) -> Json:
        """The case with what each of its steps sent, was answered, and came to."""
        self.services = Services(**copy.deepcopy(case.get("given", {})))
        self.requests = []
        clock = Clock()
        sagemaker.session.time = sagemaker.utils.time = clock
        session = sagemaker.Session(
            boto_session=self.boto,
            sagemaker_client=self.boto.client("sagemaker"),
            sagemaker_runtime_client=self.boto.client("sagemaker-runtime"),
            **case.get("session", {}),
        )
        current: Any = None
        steps = []
        for step in case["steps"]:
            self.exchanges = []
            self.gives = None
            raises = None
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    current = self.played(step, current, session)
            except Exception as error:
                raises = type(error).__name__
            outcome = {"raises": raises} if raises else {}
            outcome |= {"gives": self.gives} if self.gives is not None else {}
            steps.append(step | outcome | {"exchanges": exchanges.in_order_of_parts(self.exchanges)})
        recorded = {name: value for name, value in case.items() if name != "given"} | {"steps": steps}
        return exchanges.normalised(recorded)

    def played(self, step: Json, current: Any, session: Any) -> Any:
        """Plays a step; gives what the next one is called on."""
        name = step["call"]
        arguments = values.built(step.get("arguments", {}), self.folder, session)
        if name == "request_form":
            self.gives = arguments["value"]._to_request_dict()
            return current
        if name == ".latest_baselining_job":
            return current.latest_baselining_job
        if name == ".latest_execution":
            return current.list_executions()[-1]
        if name.startswith("session."):
            getattr(session, name.removeprefix("session."))(**arguments)
            return current
        if name.startswith("."):
            function = getattr(current, name[1:])
            values.called(function, arguments, session)
            return current
        return values.called(values.named(name), arguments, session)
