"""No secret is in a log, an answer, a page or a listing: the service at its most talkative, and every secret it has looked for."""

import base64
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from endpoints import deploy
from raw_requests import Key, Request, Signing, presign, sign
from resources import ROLE, ended_job, new_name, processing_input, row_counter_job
from service import CONFIGURATION, Service
from surfaces import BUCKET, CONTENT, ENDPOINT, OBJECT, SURFACES, Attacked
from wire_clients import Clients

LEVELS = {
    "everything of the service": "trace",
    "the crates below as well": "trace,s3s=trace,sqlx=trace,hyper=trace,rustls=trace",
}
MINE = "a-secret-of-the-configuration/0123456789"


class Busy:
    """A service that has done everything that has to do with secrets, twice, and the secrets."""

    def __init__(self, folder: Path, level: str, form: str) -> None:
        settings = f'secret_access_key = "{MINE}"\naccess_key_id = "AKIACONFIGURATION222"\n'
        settings += CONFIGURATION + f'\n[log]\nlevel = "{level}"\nformat = "{form}"\n'
        self.service = Service(folder, settings).start()
        self.secrets: dict[str, str] = {"the configured secret": MINE}
        self.signatures: list[str] = []
        self.make_use()
        self.service.stop()
        self.service.start()
        self.make_use()
        self.files()
        self.service.stop()

    def make_use(self) -> None:
        attacked, clients = Attacked(self.service), Clients(self.service)
        assert attacked.key.secret == MINE
        s3, sagemaker = clients("s3"), clients("sagemaker")
        if BUCKET not in [known["Name"] for known in s3.list_buckets()["Buckets"]]:
            s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_object(Bucket=BUCKET, Key=OBJECT, Body=CONTENT)
        self.use_keys(attacked)
        self.use_sessions(attacked, clients("sts"))
        self.use_encryption(clients, s3)
        if ENDPOINT not in [known["EndpointName"] for known in sagemaker.list_endpoints()["Endpoints"]]:
            deploy(sagemaker, ENDPOINT)
        self.use_jobs(sagemaker, s3)
        for surface in SURFACES.values():
            signed = attacked.signed(surface)
            attacked.wire.send(signed)
            attacked.wire.send(sign(attacked.addressed(surface), Signing(Key(attacked.key.id, "wrong" * 8))))
            self.signatures.append((signed.header("Authorization") or "").rpartition("Signature=")[2])
            presigned = presign(attacked.addressed(surface), Signing(attacked.key))
            attacked.wire.send(presigned)
            self.signatures.append(presigned.query.rpartition("X-Amz-Signature=")[2])
            proxied = attacked.addressed(surface, proxied=True)
            attacked.wire.send(sign(proxied, Signing(attacked.key)), surface.aws_name)
        for command in (("env",), ("env", "--proxy"), ("keys", "list"), ("status",), ("config",)):
            self.service.run(*command, succeeds=False)

    def use_keys(self, attacked: Attacked) -> None:
        key = attacked.new_key()
        self.secrets[f"the secret of {key.id}"] = key.secret
        assert attacked.wire.send(attacked.signed(Request("GET", "/", "s3"), key=key)).status == 200
        listing = attacked.call("GET", "/_watchkeeper/keys", "sagemaker")
        assert key.secret not in listing.text and "secret" not in listing.text
        attacked.call("POST", f"/_watchkeeper/keys/{key.id}/disable", "sagemaker")
        assert attacked.wire.send(attacked.signed(Request("GET", "/", "s3"), key=key)).status == 403
        attacked.call("DELETE", f"/_watchkeeper/keys/{key.id}", "sagemaker")

    def use_sessions(self, attacked: Attacked, sts: Any) -> None:
        for given in (
            sts.get_session_token()["Credentials"],
            sts.assume_role(RoleArn=ROLE, RoleSessionName="session")["Credentials"],
        ):
            key = Key(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
            self.secrets[f"the secret of {key.id}"] = key.secret
            self.secrets[f"the token of {key.id}"] = given["SessionToken"]
            for service, path in (("s3", "/"), ("sagemaker", "/_watchkeeper/status")):
                request = Request("GET", path, service)
                assert attacked.wire.send(attacked.signed(request, key=key)).status == 200
                attacked.wire.send(presign(attacked.addressed(request), Signing(key)))
                attacked.wire.send(attacked.signed(request, key=Key(key.id, key.secret, "wrong")))
                attacked.wire.send(attacked.signed(request, key=Key(key.id, "wrong", key.token)))

    def use_encryption(self, clients: Clients, s3: Any) -> None:
        kms = clients("kms")
        key = kms.create_key()["KeyMetadata"]["Arn"]
        for body in (CONTENT, CONTENT * 10_000):
            s3.put_object(Bucket=BUCKET, Key="sealed", Body=body, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
            assert s3.get_object(Bucket=BUCKET, Key="sealed")["Body"].read() == body
        customer = base64.b64encode(b"k" * 32).decode()
        self.secrets["the key of a customer"] = customer
        try:
            s3.put_object(Bucket=BUCKET, Key="own", Body=b"x", SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32)
        except Exception as error:  # noqa: BLE001
            assert customer not in str(error)

    def use_jobs(self, sagemaker: Any, s3: Any) -> None:
        name = new_name("secrets")
        self.secrets["a variable of a job"] = f"value-of-{name}-nobody-else-reads"
        request = row_counter_job(name, [processing_input("data", f"s3://{BUCKET}/{OBJECT}")], f"s3://{BUCKET}/{name}")
        request["Environment"] = {"PASSWORD": self.secrets["a variable of a job"]}
        request["AppSpecification"]["ContainerEntrypoint"] = [
            "/bin/sh",
            "-c",
            "env | grep AWS_ > /opt/ml/processing/output/env",
        ]
        sagemaker.create_processing_job(**request)
        assert ended_job(sagemaker, name)["ProcessingJobStatus"] == "Completed"
        variables = s3.get_object(Bucket=BUCKET, Key=f"{name}/env")["Body"].read().decode()
        given = dict(line.split("=", 1) for line in variables.splitlines())
        for variable in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            self.secrets[f"{variable} of a job"] = given[variable]
        s3.delete_object(Bucket=BUCKET, Key=f"{name}/env")

    def files(self) -> None:
        data = self.service.data
        self.secrets["the master key"] = (data / "master.key").read_text().strip()
        self.secrets["the authority's key"] = "".join((data / "ca-key.pem").read_text().splitlines()[1:2])
        raw = bytes.fromhex(self.secrets["the master key"])
        self.secrets["the master key in base64"] = base64.b64encode(raw).decode()
        self.secrets["the master key as a list"] = ", ".join(map(str, raw[:8]))


@pytest.fixture(scope="module", params=LEVELS.values(), ids=LEVELS)
def busy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Busy:
    return Busy(tmp_path_factory.mktemp("secrets"), request.param, "text" if "s3s" in request.param else "json")


def test_no_secret_is_in_the_log(busy: Busy) -> None:
    log = busy.service.log.read_bytes().decode(errors="replace")
    assert len(log.splitlines()) > 200, "the log says everything"
    found = {
        name: log[max(0, log.index(secret) - 300) : log.index(secret)]
        for name, secret in busy.secrets.items()
        if secret in log
    }
    assert found == {}


def test_no_signature_is_in_the_log(busy: Busy) -> None:
    """A signature opens what it is for until it runs out."""
    log = busy.service.log.read_bytes().decode(errors="replace")
    assert [signature for signature in busy.signatures if signature in log] == []


def test_nothing_that_is_stored_shows_a_secret(busy: Busy) -> None:
    """What is in the data directory beside the files that are there to hold a secret."""
    holders = {
        "credentials.json": ["the configured secret"],
        "master.key": ["the master key"],
        "ca-key.pem": ["the authority's key"],
    }
    for path in busy.service.data.rglob("*"):
        if not path.is_file():
            continue
        content = path.read_bytes()
        for name, secret in busy.secrets.items():
            # A job's request is kept as it came, and shown to whoever may describe it, as on AWS; and this job writes an
            # object of what it was given.
            if name in holders.get(path.name, []) or name.endswith("of a job"):
                continue
            assert secret.encode() not in content, (path.name, name)


def test_files_are_their_owners_alone(busy: Busy) -> None:
    data = busy.service.data
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    for path in data.rglob("*"):
        public = path.suffix == ".pem" and path.name != "ca-key.pem"
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert public or mode & 0o077 == 0 or path.is_dir() or path.parent != data, (path, oct(mode))


def test_no_command_shows_what_is_configured(busy: Busy) -> None:
    shown = busy.service.run("config", "--config", str(busy.service.configuration), succeeds=False)
    assert "secret_access_key" in shown.stdout and MINE not in shown.stdout + shown.stderr
    assert re.search(r"secret_access_key.*hidden", shown.stdout)
