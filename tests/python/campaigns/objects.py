"""Work on objects, and how it is compared: sizes, places and checksums are known before the service is asked.

The state of an object is `SIZE ETAG SHA256`; the ETag is `?` where it follows from the content in no way that clients know.
"""

import hashlib
import random
from typing import Any

from ledger import Finding, Ledger

OBJECT, UPLOAD, PART = "object", "upload", "part"
SIZES = (0, 1, 1000, 9000, 65_536, 65_537, 200_000, 1_500_000)
LIKELY = (1, 2, 30, 20, 5, 5, 15, 3)
PART_BYTES = 5 << 20
MOST_KEYS = 40


def state_of(body: bytes, etag: str | None = None) -> str:
    etag = etag or hashlib.md5(body, usedforsecurity=False).hexdigest()
    return f"{len(body)} {etag} {hashlib.sha256(body).hexdigest()}"


def etag_of_parts(parts: list[bytes]) -> str:
    digests = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


class ObjectWork:
    """One worker's work below a prefix of its own."""

    def __init__(self, s3: Any, ledger: Ledger, bucket: str, worker: int, kms_key: str | None = None) -> None:
        self.s3, self.ledger, self.bucket, self.kms_key = s3, ledger, bucket, kms_key
        self.prefix = f"worker-{worker}/"

    def __call__(self, chance: random.Random) -> None:
        steps = (self.put, self.delete, self.copy, self.upload, self.delete_several, self.put_encrypted, self.put_if_absent)
        chance.choices(steps, (60, 8, 8, 3, 2, 8, 6))[0](chance)

    def name(self, key: str) -> str:
        return f"{self.bucket}/{key}"

    def new_key(self, chance: random.Random) -> str:
        return f"{self.prefix}{chance.randrange(MOST_KEYS):02}"

    def known_key(self, chance: random.Random) -> str | None:
        names = self.ledger.present(OBJECT, self.name(self.prefix))
        return chance.choice(names).removeprefix(f"{self.bucket}/") if names else None

    def put(self, chance: random.Random) -> None:
        key, body = self.new_key(chance), chance.randbytes(chance.choices(SIZES, LIKELY)[0])
        with self.ledger.change(OBJECT, self.name(key), state_of(body)):
            answer = self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, Metadata={"of": self.prefix[:-1]})
        self.must_be(answer["ETag"], state_of(body))

    def put_encrypted(self, chance: random.Random) -> None:
        if self.kms_key is None:
            return self.put(chance)
        key, body = self.new_key(chance), chance.randbytes(chance.choices(SIZES, LIKELY)[0])
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key}
        with self.ledger.change(OBJECT, self.name(key), state_of(body, "?")):
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **encryption)

    def put_if_absent(self, chance: random.Random) -> None:
        """Refused where the object is there, which the ledger takes as no change."""
        key, body = self.new_key(chance), chance.randbytes(500)
        with self.ledger.change(OBJECT, self.name(key), state_of(body)):
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, IfNoneMatch="*")

    def delete(self, chance: random.Random) -> None:
        key = self.new_key(chance)
        with self.ledger.change(OBJECT, self.name(key), None):
            self.s3.delete_object(Bucket=self.bucket, Key=key)

    def delete_several(self, chance: random.Random) -> None:
        keys = sorted({self.new_key(chance) for _ in range(3)})
        with self.ledger.changes((OBJECT, self.name(key), None) for key in keys):
            self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": key} for key in keys]})

    def copy(self, chance: random.Random) -> None:
        source, target = self.known_key(chance), self.new_key(chance)
        if source is None or source == target:
            return
        size, etag, sha256 = str(self.ledger.things(OBJECT)[self.name(source)].settled).split(" ")
        etag = "?" if "-" in etag else etag
        with self.ledger.change(OBJECT, self.name(target), f"{size} {etag} {sha256}"):
            self.s3.copy_object(Bucket=self.bucket, Key=target, CopySource={"Bucket": self.bucket, "Key": source})

    def upload(self, chance: random.Random) -> None:
        """In parts; now and then it is left as it is."""
        key = self.new_key(chance)
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key=key)["UploadId"]
        name = f"{self.name(key)}?{upload}"
        self.ledger.acknowledge(UPLOAD, name, "begun")
        bodies = [chance.randbytes(PART_BYTES), chance.randbytes(chance.choice(SIZES) + 1)]
        for number, body in enumerate(bodies, 1):
            with self.ledger.change(PART, f"{name}#{number}", state_of(body)):
                self.s3.upload_part(Bucket=self.bucket, Key=key, UploadId=upload, PartNumber=number, Body=body)
        if chance.random() < 0.3:
            return
        parts = [{"PartNumber": n, "ETag": state_of(body).split(" ")[1]} for n, body in enumerate(bodies, 1)]
        self.complete(key, upload, state_of(b"".join(bodies), etag_of_parts(bodies)), parts)

    def complete(self, key: str, upload: str, state: str, parts: list[dict[str, Any]]) -> None:
        """All of it becomes true together."""
        name = f"{self.name(key)}?{upload}"
        gone = [(PART, f"{name}#{part['PartNumber']}", None) for part in parts]
        with self.ledger.changes([(OBJECT, self.name(key), state), (UPLOAD, name, None), *gone]):
            self.s3.complete_multipart_upload(
                Bucket=self.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
            )

    def must_be(self, etag: str, state: str) -> None:
        if etag.strip('"') != state.split(" ")[1]:
            raise Finding(f"the answer to a put has ETag {etag}, and what was put is {state}")


def check_objects(s3: Any, ledger: Ledger, bucket: str, chance: random.Random, everything: bool) -> None:
    """Every object is listed with its size and ETag, and nothing else; what was changed lately, and some or all of the
    rest, is read and its checksum compared."""
    listed: dict[str, tuple[int, str]] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", []):
            listed[f"{bucket}/{entry['Key']}"] = (entry["Size"], entry["ETag"].strip('"'))
    things = {name: known for name, known in ledger.things(OBJECT).items() if name.startswith(f"{bucket}/")}
    rest = [name for name, known in things.items() if not known.touched and name in listed]
    read = set(rest) if everything else set(chance.sample(rest, min(len(rest), 50)))
    for name, known in things.items():
        if name not in listed:
            ledger.compare(OBJECT, name, None)
        elif known.touched or name in read:
            ledger.compare(OBJECT, name, found(s3, bucket, name, known.possible + [known.settled], listed[name]))
        else:
            size, etag, _ = str(known.settled).split(" ")
            if etag != "?" and (str(listed[name][0]), listed[name][1]) != (size, etag):
                raise Finding(f"object {name} is listed as {listed[name]}, and clients were told {known}")
    strangers = listed.keys() - things.keys()
    if strangers:
        raise Finding(f"objects that nobody put: {sorted(strangers)[:5]}")


def found(s3: Any, bucket: str, name: str, states: list[str | None], listed: tuple[int, str]) -> str:
    """The state of an object as it is read; its ETag counts where its state has one. An outside S3 lists what is encrypted with
    the size that it has there."""
    answer = s3.get_object(Bucket=bucket, Key=name.removeprefix(f"{bucket}/"))
    body, etag = answer["Body"].read(), answer["ETag"].strip('"')
    unknown = state_of(body, "?")
    if unknown in states:
        return unknown
    if (len(body), etag) != listed:
        raise Finding(f"object {name} is listed as {listed} and read as {(len(body), etag)}")
    return state_of(body, etag)


def check_uploads(work: ObjectWork, chance: random.Random) -> None:
    """Uploads that were begun are there, with the parts that were acknowledged; some of them are completed or given up."""
    s3, ledger, bucket = work.s3, work.ledger, work.bucket
    begun, parts = {}, {}
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            name = f"{bucket}/{upload['Key']}?{upload['UploadId']}"
            begun[name] = (upload["Key"], upload["UploadId"])
            answer = s3.list_parts(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
            for part in answer.get("Parts", []):
                parts[f"{name}#{part['PartNumber']}"] = (part["Size"], part["ETag"].strip('"'))
    for name in ledger.things(UPLOAD):
        ledger.compare(UPLOAD, name, "begun" if name in begun else None)
    for name, known in ledger.things(PART).items():
        states = {tuple(state.split(" ")[:2]): state for state in [known.settled, *known.possible] if state is not None}
        there = parts.get(name)
        ledger.compare(PART, name, None if there is None else states.get((str(there[0]), there[1]), f"{there}"))
    for name, (key, upload) in begun.items():
        known = [part for part in parts if part.startswith(f"{name}#")]
        if chance.random() < 0.5 and name in ledger.things(UPLOAD):
            gone = [(UPLOAD, name, None), *((PART, part, None) for part in known)]
            with ledger.changes(gone):
                s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
    ledger.forget(UPLOAD)
    ledger.forget(PART)
