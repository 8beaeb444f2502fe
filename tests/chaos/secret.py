"""The named secret that changes its account during a run."""

from __future__ import annotations

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.chaos.requests_made import LOCAL, ROTATING, ROTATING_KEYS

_QUICK = Config(connect_timeout=2, read_timeout=5)
_NAME = f"paydispatch/{LOCAL}/{ROTATING}"


def point_secret(aws_endpoint: str, place: int) -> None:
    """Set the secret to the key of the first or the second account: the key at `place` in `ROTATING_KEYS`."""
    secrets = boto3.client("secretsmanager", endpoint_url=aws_endpoint, config=_QUICK)
    try:
        secrets.put_secret_value(SecretId=_NAME, SecretString=ROTATING_KEYS[place])
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ResourceNotFoundException":
            raise
        secrets.create_secret(Name=_NAME, SecretString=ROTATING_KEYS[place])
