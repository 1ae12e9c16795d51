"""`capture` and `capture-fast`: endpoints under requests that are all captured, by a built-in model and by a process.

In the durable mode every record whose answer a client has is there after the kill, once; in the fast mode all but those of
the last flush. Records that were handed in by the operators' interface are there in both modes. The endpoints answer again
by themselves, and no process of a model is left over.
"""

import random
import time
from collections import Counter

from botocore.exceptions import ClientError

from campaign import Campaign, Part, Work
from endpoints import (
    capture_config,
    constant,
    create_endpoint,
    in_service,
    inference_ids,
    records_of,
    server,
    unique_id,
)
from ledger import Finding
from resources import wait_until

BUCKET = "campaign-capture"
RECORD = "record"
ENDPOINTS = {"built-in": constant(0.5), "process": server()}
# Of the process the answer is what it says of a request; the campaign looks at what was captured, not at that.
FLUSH_SECONDS = 1
SLACK_SECONDS = 3.0


class Records(Part):
    """Requests to all endpoints."""

    configuration = f'capture.durability = "durable"\ncapture.flush_seconds = {FLUSH_SECONDS}\n'
    is_durable = True

    def prepare(self) -> None:
        self.s3, self.sagemaker = self.client("s3"), self.client("sagemaker")
        self.runtime = self.client("sagemaker-runtime")
        self.victim.make_bucket(BUCKET)
        for name, container in ENDPOINTS.items():
            create_endpoint(self.sagemaker, name, container, capture_config(f"s3://{BUCKET}/capture"))
        for name in ENDPOINTS:
            in_service(self.sagemaker, name)
        self.answered: dict[str, float] = {}
        self.read: dict[str, str] = {}
        self.found: Counter[str] = Counter()

    def works(self) -> list[Work]:
        self.answered.clear()
        for name in ENDPOINTS:
            in_service(self.sagemaker, name)
            wait_until(lambda name=name: self.answers(name), f"an answer of endpoint {name}")
        return [self.ask("built-in", 1), self.ask("built-in", 60), self.ask("built-in", 3000), self.ask("process", 1)]

    def answers(self, name: str) -> bool:
        try:
            self.invoke(name, b"1")
        except ClientError as error:
            if error.response["Error"]["Code"] == "ModelNotReadyException":
                return False
            raise
        return True

    def invoke(self, name: str, body: bytes) -> str:
        inference_id = unique_id()
        with self.ledger.change(RECORD, inference_id, "1"):
            answer = self.runtime.invoke_endpoint(
                EndpointName=name, Body=body, ContentType="text/csv", InferenceId=inference_id
            )
            answer["Body"].read()
        self.answered[inference_id] = time.monotonic()
        return inference_id

    def ask(self, name: str, rows: int) -> Work:
        def work(chance: random.Random) -> None:
            self.invoke(name, b"1,2,3\n" * chance.randint(1, rows))

        return work

    def check(self, everything: bool) -> None:
        lost = self.campaign.first_kill - FLUSH_SECONDS - SLACK_SECONDS
        for inference_id, at in list(self.answered.items()):
            if not self.is_durable and at >= lost or self.campaign.may_drop(at):
                self.ledger.doubt(RECORD, inference_id, None)
        for name in ENDPOINTS:
            in_service(self.sagemaker, name)
        wanted = self.ledger.present(RECORD)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            self.read_new()
            if all(self.found[name] for name in wanted):
                break
            time.sleep(0.3)
        missing = [name for name in wanted if not self.found[name]]
        if missing:
            dropped = "dropped" in self.victim.log_text()
            raise Finding(f"{len(missing)} of {len(wanted)} records are lost, such as {missing[:3]}; drops logged: {dropped}")
        for name, known in self.ledger.things(RECORD).items():
            if known.possible and not self.found[name]:
                # One that may be lost may also come later than the others.
                continue
            self.ledger.compare(RECORD, name, str(self.found[name]) if self.found[name] else None)
        strangers = self.found.keys() - self.ledger.things(RECORD).keys()
        if strangers:
            raise Finding(f"records of no request: {sorted(strangers)[:5]}")

    def look(self) -> None:
        """Capture is never in the way of an answer."""
        for name in ENDPOINTS:
            began = time.monotonic()
            self.invoke(name, b"1")
            if time.monotonic() - began > 5:
                raise Finding(f"an answer of endpoint {name} took {time.monotonic() - began:.1f} s")

    def read_new(self) -> None:
        """Reads the objects that are new; one that was read must stay as it is."""
        listed = {}
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="capture/"):
            for entry in page.get("Contents", []):
                listed[entry["Key"]] = entry["ETag"]
        gone = [key for key, etag in self.read.items() if listed.get(key) != etag]
        if gone:
            raise Finding(f"captures that were there have changed or gone: {gone[:3]}")
        for key in listed.keys() - self.read.keys():
            answer = self.s3.get_object(Bucket=BUCKET, Key=key)
            self.found.update(inference_ids(records_of(key, answer["Body"].read())))
            self.read[key] = answer["ETag"]


class FastRecords(Records):
    configuration = f'capture.durability = "fast"\ncapture.flush_seconds = {FLUSH_SECONDS}\n'
    is_durable = False


class Capture(Campaign):
    name = "capture"
    parts = (Records,)
    longest_seconds = 2.5


class FastCapture(Campaign):
    name = "capture-fast"
    parts = (FastRecords,)
    longest_seconds = FLUSH_SECONDS + SLACK_SECONDS + 2.0
