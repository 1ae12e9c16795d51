"""One service that everybody attacks, with something in it that is worth to be had."""

from collections.abc import Iterator

import pytest

from endpoints import deploy
from service import CONFIGURATION
from surfaces import ASYNCHRONOUS, BUCKET, ENDPOINT, Attacked, attacked_service
from wire_clients import Clients

# Short enough to be waited for.
IMPATIENT = "\n[server]\nheader_seconds = 1\nidle_seconds = 1\n"


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """The service under attack, with endpoints of both kinds."""
    with attacked_service(tmp_path_factory.mktemp("attacked"), CONFIGURATION) as attacked:
        sagemaker = Clients(attacked.service)("sagemaker")
        deploy(sagemaker, ENDPOINT)
        output = {"OutputConfig": {"S3OutputPath": f"s3://{BUCKET}/async"}}
        deploy(sagemaker, ASYNCHRONOUS, AsyncInferenceConfig=output)
        yield attacked


@pytest.fixture(scope="session")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """A service that does not wait long for anybody."""
    with attacked_service(tmp_path_factory.mktemp("impatient"), CONFIGURATION + IMPATIENT) as attacked:
        yield attacked
