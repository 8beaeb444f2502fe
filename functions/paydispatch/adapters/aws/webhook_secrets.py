"""The signing secrets of webhooks in Secrets Manager: `paydispatch/{tenant}/webhook/{name}`."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from paydispatch.adapters.aws.errors import unavailable_for_aws_errors
from paydispatch.adapters.aws.secrets_manager import FINAL_CODES, KEPT_S
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.web.stripe_signatures import read_signing_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_secretsmanager import SecretsManagerClient

    from paydispatch.domain.web.stripe_signatures import SigningSecret
    from paydispatch.ports import Clock

MOST_KEPT = 1_000
"""Webhooks that are kept in memory, and names without a secret, because a stranger can ask for any name."""


class SecretsManagerWebhooks:
    """`WebhookSecrets`. A rotated or removed secret counts for `KEPT_S` at most."""

    def __init__(self, connect: Callable[[], SecretsManagerClient], clock: Clock) -> None:
        """`connect` makes the client when the first event comes, because most starts of the API see none."""
        self._connect = connect
        self._clock = clock
        self._client: SecretsManagerClient | None = None
        self._kept: OrderedDict[str, tuple[float, tuple[SigningSecret, ...] | None]] = OrderedDict()
        """By the name of the secret: the time of its reading, and the result."""

    def find(self, tenant: str, name: str) -> tuple[SigningSecret, ...] | None:
        secret_name, now_s = f"paydispatch/{tenant}/webhook/{name}", self._clock.now_s()
        kept = self._kept.get(secret_name)
        if kept is None or now_s - kept[0] > KEPT_S:
            kept = (now_s, self._read(secret_name))
            self._kept[secret_name] = kept
            self._kept.move_to_end(secret_name)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return kept[1]

    def _read(self, secret_name: str) -> tuple[SigningSecret, ...] | None:
        self._client = self._client or self._connect()
        with unavailable_for_aws_errors():
            try:
                answer = self._client.get_secret_value(SecretId=secret_name)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in FINAL_CODES:
                    raise
                return None
        try:
            return read_signing_secrets(answer.get("SecretString", ""))
        except ValueError as error:
            raise Unavailable(
                f"The secret {secret_name!r} is no signing secret: {error}."
            ) from None
