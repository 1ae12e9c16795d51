"""`watchkeeper backup` of a service that is at work, `restore` of what it wrote, and `keys rotate-master`."""

import json
import secrets
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from endpoints import capture_config, captured, constant, deploy, inference_ids, unique_id
from resources import definition, new_name, schedule, settled_schedule, wait_until
from service import CONFIGURATION, Service
from wire_clients import Clients

DURABLE = '[capture]\ndurability = "durable"\nflush_seconds = 600\n'


@pytest.fixture
def services(tmp_path: Path) -> Iterator[list[Service]]:
    """Services of this test's own: one whose captures stay in their journal, and one that is restored."""
    made = [Service(folder(tmp_path, name), f"{CONFIGURATION}\n{DURABLE}") for name in ("first", "second")]
    yield made
    for service in made:
        if service.is_running():
            service.stop()


def folder(parent: Path, name: str) -> Path:
    (parent / name).mkdir()
    return parent / name


class Made:
    """What a service was asked to keep, and acknowledged."""

    def __init__(self, service: Service) -> None:
        clients, self.name = Clients(service), new_name("backup")
        self.key = clients("kms").create_key()["KeyMetadata"]["KeyId"]
        clients("s3").create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        self.bodies = {}
        for number, size in enumerate((10, 200_000)):
            for options in ({}, {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.key}):
                key, body = f"{number}-{len(options)}", secrets.token_bytes(size)
                clients("s3").put_object(Bucket=self.name, Key=key, Body=body, **options)
                self.bodies[key] = body
        self.secret = clients("kms").encrypt(KeyId=self.key, Plaintext=b"secret")["CiphertextBlob"]
        clients("kms").rotate_key_on_demand(KeyId=self.key)
        capture = capture_config(f"s3://{self.name}/capture", KmsKeyId=self.key)
        deploy(clients("sagemaker"), self.name, constant(0.5), capture)
        output = f"s3://{self.name}/results"
        clients("sagemaker").create_data_quality_job_definition(
            **definition("DataQuality", self.name, self.name, output)
        )
        clients("sagemaker").create_monitoring_schedule(**schedule(self.name, "DataQuality", self.name))
        self.asked = []
        for _ in range(20):
            self.asked.append(unique_id())
            clients("sagemaker-runtime").invoke_endpoint(
                EndpointName=self.name, Body=b"1", ContentType="text/csv", InferenceId=self.asked[-1]
            )["Body"].read()

    def check(self, service: Service) -> None:
        clients = Clients(service)
        s3 = clients("s3")
        for key, body in self.bodies.items():
            assert s3.get_object(Bucket=self.name, Key=key)["Body"].read() == body, key
        assert clients("kms").decrypt(CiphertextBlob=self.secret)["Plaintext"] == b"secret"
        assert settled_schedule(clients("sagemaker"), self.name)["MonitoringScheduleStatus"] == "Scheduled"
        endpoint = clients("sagemaker").describe_endpoint(EndpointName=self.name)
        assert endpoint["EndpointStatus"] == "InService"

    def check_captures(self, service: Service) -> None:
        s3 = Clients(service)("s3")

        def found() -> list[Any] | None:
            lines = captured(s3, self.name, "capture/")
            return lines if len(lines) >= len(self.asked) else None

        lines = wait_until(found, "the captures of the journal")
        assert sorted(inference_ids(lines)) == sorted(self.asked)


def test_a_service_at_work_is_put_back_as_it_was(services: list[Service], tmp_path: Path) -> None:
    first, second = services
    made = Made(first.start())
    archive, stop, acknowledged = tmp_path / "backup.tar", threading.Event(), []

    def write() -> None:
        s3, number = Clients(first)("s3"), 0
        while not stop.is_set():
            key, size = f"written-{number % 50}", 100_000 if number % 3 == 0 else 1000
            try:
                s3.put_object(Bucket=made.name, Key=key, Body=key.encode() * size)
                s3.delete_object(Bucket=made.name, Key=f"written-{(number + 25) % 50}")
            except (BotoCoreError, ClientError) as error:
                acknowledged.append(error)
                return
            number += 1

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    said = first.run("backup", archive).stdout
    assert "it holds the master key" in said and archive.stat().st_mode & 0o777 == 0o600
    again = first.run("backup", archive, succeeds=False)
    assert again.returncode == 2 and "is there already" in again.stderr
    stop.set()
    for writer in writers:
        writer.join(timeout=60)
    assert acknowledged == [], "a backup stands in nobody's way"
    assert not archive.with_suffix(".tar.partial").exists()

    refused = first.run("restore", archive, succeeds=False)
    assert refused.returncode == 2 and "is not empty" in refused.stderr
    said = second.run("restore", archive).stdout
    assert "all checked" in said
    first.stop()
    made.check(second.start())
    made.check_captures(second)
    # Both are whole: the one that was backed up has lost nothing.
    second.stop()
    made.check(first.start())


def test_without_the_master_key(services: list[Service], tmp_path: Path) -> None:
    first, second = services
    made = Made(first.start())
    archive = tmp_path / "backup.tar"
    said = first.run("backup", archive, "--without-master-key").stdout
    assert "it does not hold the master key" in said
    key = (first.data / "master.key").read_text().strip()
    credentials = json.loads((first.data / "credentials.json").read_text())
    content = archive.read_bytes()
    for secret in (key, credentials["SecretAccessKey"], "PRIVATE KEY"):
        assert secret.encode() not in content
    with tarfile.open(archive) as opened:
        assert "master.key" not in opened.getnames()
    said = second.run("restore", archive).stdout
    assert "the master key was left out" in said
    started = second.run("serve", "--listen", "127.0.0.1:0", succeeds=False)
    assert started.returncode == 2 and "master.key is missing" in started.stderr
    (second.data / "master.key").write_text("0" * 64)
    started = second.run("serve", "--listen", "127.0.0.1:0", succeeds=False)
    assert started.returncode == 2 and "the master key is another one" in started.stderr
    (second.data / "master.key").write_text(key)
    first.stop()
    made.check(second.start())


def test_another_master_key(services: list[Service], tmp_path: Path) -> None:
    service = services[0]
    settings = service.configuration.read_text()
    service.configuration.write_text(settings.replace("flush_seconds = 600", "flush_seconds = 1"))
    made = Made(service.start())
    credentials = (service.data / "credentials.json").read_bytes()
    made.check_captures(service)
    refused = service.run("keys", "rotate-master", succeeds=False)
    assert refused.returncode == 2 and "in use by another service" in refused.stderr
    service.stop()
    old = (service.data / "master.key").read_bytes()
    said = service.run("keys", "rotate-master").stdout
    assert "secrets are encrypted by the key in" in said
    assert (service.data / "master.key").read_bytes() != old
    made.check(service.start())
    assert (service.data / "credentials.json").read_bytes() == credentials, "access keys are as before"
    service.stop()

    # To a file of its own, and from there on by the configuration.
    file = tmp_path / "master"
    file.write_text(secrets.token_hex(32))
    said = service.run("keys", "rotate-master", "--new-key-file", file).stdout
    assert "set `master_key_file`" in said
    assert not (service.data / "master.key").exists()
    settings = service.configuration.read_text()
    service.configuration.write_text(f'master_key_file = "{file}"\n{settings}')
    made.check(service.start())
    service.stop()
    assert not (service.data / "master.key").exists()
    service.configuration.write_text(f'master_key = "{file.read_text()}"\n{settings}')
    made.check(service.start())
    archive = tmp_path / "backup.tar"
    said = service.run("backup", archive).stdout
    assert "the master key is where the settings say" in said
    assert file.read_bytes() not in archive.read_bytes()
    shown = service.run("config", "--config", service.configuration).stdout
    assert file.read_text() not in shown
