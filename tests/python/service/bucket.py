"""A bucket of a test, what it puts there and what it finds."""

from typing import Any

from resources import new_name


class Bucket:
    """Whatever else a test makes has the bucket's name, too."""

    def __init__(self, clients: Any, prefix: str) -> None:
        self.name = new_name(prefix)
        self.uri = f"s3://{self.name}"
        self.connect(clients)
        self.s3.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def connect(self, clients: Any) -> None:
        """Makes clients; once more when the service has got another address."""
        self.sagemaker, self.s3 = clients("sagemaker"), clients("s3")

    def put(self, key: str, body: str | bytes) -> None:
        self.s3.put_object(Bucket=self.name, Key=key, Body=body.encode() if isinstance(body, str) else body)

    def keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [known["Key"] for page in pages for known in page.get("Contents", [])]

    def text(self, key: str) -> str:
        return self.s3.get_object(Bucket=self.name, Key=key)["Body"].read().decode()
