"""Makes clients of AWS with botocore alone. boto3 would make the same clients, after more imports."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from botocore.session import get_session

if TYPE_CHECKING:
    from botocore.config import Config
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient


class AwsClients:
    """Makes the clients of one program, from any thread. They share credentials and models, and connect when used."""

    def __init__(self) -> None:
        self._session = get_session()
        self._making = threading.Lock()  # because a session of botocore is for one thread at a time

    def sqs(self, config: Config) -> SQSClient:
        client: SQSClient = self._make("sqs", config)
        return client

    def kms(self, config: Config) -> KMSClient:
        client: KMSClient = self._make("kms", config)
        return client

    def secrets_manager(self, config: Config) -> SecretsManagerClient:
        client: SecretsManagerClient = self._make("secretsmanager", config)
        return client

    def functions(self, config: Config) -> LambdaClient:
        client: LambdaClient = self._make("lambda", config)
        return client

    def _make(self, service: str, config: Config) -> Any:
        with self._making:
            return self._session.create_client(service, config=config)
