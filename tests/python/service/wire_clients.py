"""boto3's clients of a service that comes and goes."""

from typing import Any

import boto3
from botocore.config import Config

from service import Service


class Clients:
    """Clients of a service as it runs now; none of them tries again."""

    def __init__(self, service: Service) -> None:
        variables = service.variables("endpoint")
        self.session = boto3.Session(
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            region_name=variables["AWS_DEFAULT_REGION"],
        )
        self.url = variables["AWS_ENDPOINT_URL"]

    def __call__(self, name: str) -> Any:
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=32)
        return self.session.client(name, endpoint_url=self.url, config=config)
