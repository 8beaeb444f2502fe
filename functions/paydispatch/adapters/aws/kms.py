"""Sealing with KMS: one GenerateDataKey per principal and quarter of an hour, and one Decrypt per data key.

The principal is the KMS encryption context, so that a key policy can limit the names that an IAM role may seal for.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from paydispatch.adapters.aws.errors import unavailable_for_aws_errors
from paydispatch.adapters.aws.sealing import DataKey, open_sealed, seal, take_apart
from paydispatch.domain.credentials import SecretRef, StripeKey
from paydispatch.domain.errors import CannotOpen, Unavailable
from paydispatch.domain.identity.principal import QUEUE, tenant_of

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

    from paydispatch.adapters.aws.secrets_manager import SecretsManagerStore
    from paydispatch.domain.credentials import Binding, Credential
    from paydispatch.domain.envelope import Envelope
    from paydispatch.ports import Clock

DATA_KEY_AGE_S = 900.0
DATA_KEYS_KEPT = 1_000

FAIL_FAST_S = 5.0
"""The time without a call to KMS after it failed. It is longer than the API needs for the items of one batch."""

_log = logging.getLogger("paydispatch.aws")

Kept = TypeVar("Kept")

_FINAL_CODES = {
    "InvalidCiphertextException",
    "IncorrectKeyException",
    "ValidationException",
}
"""The error codes of KMS that a retry does not change."""


@dataclass(frozen=True, slots=True, repr=False)
class _Cached:
    key: DataKey
    made_at: float


class KmsSealer:
    """`Sealer` that encrypts locally under a data key of KMS. It is safe to use from several threads.

    It calls KMS only when a principal's data key is missing or old. With `renews_itself=False` it uses an old key until
    `warm` replaces it, so that sealing with a cached key never waits for KMS.
    """

    def __init__(
        self, kms: KMSClient, key_id: str, clock: Clock, *, renews_itself: bool = True
    ) -> None:
        self._kms = kms
        self._key_id = key_id
        self._clock = clock
        self._renews_itself = renews_itself
        self._fetching = threading.Lock()
        self._cached: OrderedDict[str, _Cached] = OrderedDict()
        self._failed_at: OrderedDict[str, float] = OrderedDict()

    def seal(self, credential: Credential, binding: Binding) -> str:
        return seal(credential, binding, self._data_key(binding.principal))

    def warm(self, principal: str) -> None:
        """Fetch a new data key for `principal` if the cached one is past half its life. Raises `Unavailable`."""
        self._get_younger_than(DATA_KEY_AGE_S / 2, principal)

    def _data_key(self, principal: str) -> DataKey:
        cached = self._cached.get(principal)
        if cached is None or (self._renews_itself and self._is_old(cached, DATA_KEY_AGE_S)):
            cached = self._get_younger_than(DATA_KEY_AGE_S, principal)
        return cached.key

    def _get_younger_than(self, age_s: float, principal: str) -> _Cached:
        """Return a data key that is not older than `age_s`. Fetch it if need be, one fetch at a time."""
        with self._fetching:
            cached = self._cached.get(principal)
            if cached is None or self._is_old(cached, age_s):
                cached = _Cached(self._fetch(principal), self._clock.now_s())
                _keep(self._cached, principal, cached)
            return cached

    def _is_old(self, cached: _Cached, age_s: float) -> bool:
        return self._clock.now_s() - cached.made_at > age_s

    def _fetch(self, principal: str) -> DataKey:
        """Ask KMS for a data key, unless it failed just now, because each item of a batch would wait for a failure."""
        failed_at = self._failed_at.get(principal)
        if failed_at is not None and self._clock.now_s() - failed_at < FAIL_FAST_S:
            raise _key_service_unavailable()
        try:
            answer = self._kms.generate_data_key(
                KeyId=self._key_id, KeySpec="AES_256", EncryptionContext={"principal": principal}
            )
        except (ClientError, BotoCoreError) as error:
            _log.warning("KMS did not make a data key: %s", error)
            _keep(self._failed_at, principal, self._clock.now_s())
            raise _key_service_unavailable() from error
        return DataKey(plain=answer["Plaintext"], wrapped=answer["CiphertextBlob"])


def _key_service_unavailable() -> Unavailable:
    """Return the error without AWS's own text, which names users and keys and goes only to the log."""
    return Unavailable(
        "The key service cannot be reached. Nothing was accepted.", retry_after_s=int(FAIL_FAST_S)
    )


def _keep(kept: OrderedDict[str, Kept], principal: str, value: Kept) -> None:
    kept[principal] = value
    kept.move_to_end(principal)
    while len(kept) > DATA_KEYS_KEPT:
        kept.popitem(last=False)


class KmsVault:
    """`Vault` that opens sealed keys with KMS and reads named keys from Secrets Manager. It caches in memory only."""

    def __init__(self, kms: KMSClient, secrets: SecretsManagerStore, *, queue_tenant: str) -> None:
        self._kms = kms
        self._secrets = secrets
        self._queue_tenant = queue_tenant
        self._plain: OrderedDict[tuple[str, bytes], asyncio.Future[bytes]] = OrderedDict()

    async def prove(self, binding: Binding, sealed_secret: str) -> None:
        """Decrypt the seal. That fails for another principal, which is the encryption context, or another binding."""
        await self._unseal(binding, sealed_secret)

    async def open(self, envelope: Envelope) -> StripeKey:
        credential = await self._credential(envelope)
        if isinstance(credential, StripeKey):
            return credential
        # A name in the message's clear text proves no principal, so it names a secret of the queue's tenant.
        principal = QUEUE if envelope.sealed_secret is None else envelope.principal
        tenant = tenant_of(principal, self._queue_tenant)
        return await asyncio.to_thread(self._secrets.find, tenant, credential)

    async def _credential(self, envelope: Envelope) -> Credential:
        if envelope.sealed_secret is None:
            return SecretRef(envelope.secret_ref or "")
        return await self._unseal(envelope.binding, envelope.sealed_secret)

    async def _unseal(self, binding: Binding, sealed_secret: str) -> Credential:
        sealed = take_apart(sealed_secret)
        plain = await self._data_key(binding.principal, sealed.wrapped)
        return open_sealed(sealed, binding, plain)

    async def _data_key(self, principal: str, wrapped: bytes) -> bytes:
        """Return the data key in the clear. All messages of a batch with the same data key share one Decrypt."""
        cached = self._plain.get((principal, wrapped))
        if cached is None:
            cached = asyncio.ensure_future(asyncio.to_thread(self._decrypt, principal, wrapped))
            self._plain[principal, wrapped] = cached
            while len(self._plain) > DATA_KEYS_KEPT:
                self._plain.popitem(last=False)
        try:
            return await asyncio.shield(cached)
        except Exception:
            self._plain.pop((principal, wrapped), None)  # so that the next message tries again
            raise

    def _decrypt(self, principal: str, wrapped: bytes) -> bytes:
        with unavailable_for_aws_errors():
            try:
                answer = self._kms.decrypt(
                    CiphertextBlob=wrapped, EncryptionContext={"principal": principal}
                )
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in _FINAL_CODES:
                    raise
                raise CannotOpen("KMS does not open the sealed key for this principal.") from None
        return answer["Plaintext"]
