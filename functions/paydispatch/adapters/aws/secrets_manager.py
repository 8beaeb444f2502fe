"""Stripe keys in Secrets Manager: `paydispatch/{tenant}/{secret_ref}` holds the key as plain text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from paydispatch.adapters.aws.errors import unavailable_for_aws_errors
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.errors import CannotOpen, InvalidField

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_secretsmanager import SecretsManagerClient

    from paydispatch.domain.credentials import SecretRef
    from paydispatch.ports import Clock

KEPT_S = 60.0
"""The time after which a key is read again. A rotated key is used no longer than that."""

FINAL_CODES = {"ResourceNotFoundException", "InvalidRequestException"}


@dataclass(frozen=True, slots=True)
class _Kept:
    key: StripeKey
    read_at: float


class SecretsManagerStore:
    """Reads secrets and keeps them in memory for `KEPT_S`."""

    def __init__(self, connect: Callable[[], SecretsManagerClient], clock: Clock) -> None:
        """`connect` makes the client at the first read, because most starts see no named key."""
        self._connect = connect
        self._client: SecretsManagerClient | None = None
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def find(self, tenant: str, ref: SecretRef) -> StripeKey:
        """Return the key. Raises `CannotOpen` if there is no such key, `Unavailable` if AWS cannot be asked now."""
        name = f"paydispatch/{tenant}/{ref.name}"
        kept = self._kept.get(name)
        if kept is None or self._clock.now_s() - kept.read_at > KEPT_S:
            kept = _Kept(self._read(name), self._clock.now_s())
            self._kept[name] = kept
        return kept.key

    def _read(self, name: str) -> StripeKey:
        with unavailable_for_aws_errors():
            self._client = self._client or self._connect()
            try:
                answer = self._client.get_secret_value(SecretId=name)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in FINAL_CODES:
                    raise
                raise CannotOpen(
                    f"There is no secret {name!r} in Secrets Manager, or it is being deleted."
                ) from None
        try:
            # Strip, because editors and `create-secret --secret-string file://…` leave a line break at the end.
            return StripeKey(answer.get("SecretString", "").strip())
        except InvalidField:
            raise CannotOpen(
                f"The secret {name!r} must hold a Stripe secret key and nothing else, as plain text."
            ) from None
