"""The sealed form: AES-256-GCM under a data key. The data key stands in front, as KMS encrypted it.

    "1." base64url( 2 bytes: length of the wrapped key | wrapped key | 12 bytes nonce | ciphertext and tag )

The binding (principal, worker, context) is the additional authenticated data, so that a sealed key that was moved to
another conversation does not open.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from paydispatch.domain.credentials import Credential, SecretRef, StripeKey
from paydispatch.domain.errors import CannotOpen, InvalidField
from paydispatch.domain.identity.random_bytes import random_bytes

if TYPE_CHECKING:
    from paydispatch.domain.credentials import Binding

_VERSION = "1."
_NONCE_BYTES = 12
_KEY, _REF = "key:", "ref:"


@dataclass(frozen=True, slots=True, repr=False)
class DataKey:
    """A data key in the clear, and the same key as KMS encrypted it."""

    plain: bytes
    wrapped: bytes
    cipher: AESGCM = field(init=False, compare=False)
    """Made once, because making it takes longer than sealing."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "cipher", AESGCM(self.plain))


@dataclass(frozen=True, slots=True)
class Sealed:
    """The parts of a sealed text."""

    wrapped: bytes
    nonce: bytes
    ciphertext: bytes


def seal(credential: Credential, binding: Binding, key: DataKey) -> str:
    nonce = random_bytes(_NONCE_BYTES)
    ciphertext = key.cipher.encrypt(nonce, _to_bytes(credential), _bind(binding))
    raw = len(key.wrapped).to_bytes(2, "big") + key.wrapped + nonce + ciphertext
    return _VERSION + base64.urlsafe_b64encode(raw).decode()


def take_apart(text: str) -> Sealed:
    """Split a sealed text into its parts. Raises `CannotOpen` if the text has another form."""
    try:
        if not text.startswith(_VERSION):
            raise ValueError
        raw = base64.urlsafe_b64decode(text.removeprefix(_VERSION))
    except ValueError:
        raise CannotOpen(
            f"sealed_secret must be a sealed key: {_VERSION!r} and then base64url."
        ) from None
    end = 2 + int.from_bytes(raw[:2], "big")
    return Sealed(raw[2:end], raw[end : end + _NONCE_BYTES], raw[end + _NONCE_BYTES :])


def open_sealed(sealed: Sealed, binding: Binding, plain_data_key: bytes) -> Credential:
    """Decrypt a sealed credential. Raises `CannotOpen` if it has another binding, was altered or holds no key."""
    try:
        text = AESGCM(plain_data_key).decrypt(sealed.nonce, sealed.ciphertext, _bind(binding))
    except (InvalidTag, ValueError):
        raise CannotOpen(
            "The sealed key does not belong to this principal, worker and context."
        ) from None
    return _read(text)


def _to_bytes(credential: Credential) -> bytes:
    if isinstance(credential, SecretRef):
        return (_REF + credential.name).encode()
    return (_KEY + credential.reveal()).encode()


def _read(sealed: bytes) -> Credential:
    """Parse the decrypted text. It may be no key, because producers seal too. The error never quotes it."""
    try:
        text = sealed.decode()
        if text.startswith(_REF):
            return SecretRef(text.removeprefix(_REF))
        return StripeKey(text.removeprefix(_KEY).strip())
    except (UnicodeDecodeError, InvalidField):
        raise CannotOpen(
            "The sealed text is neither a Stripe secret key nor the name of a secret."
        ) from None


def _bind(binding: Binding) -> bytes:
    """Return the JSON text of a list of the three. Put together here, because the encoder takes five times as long."""
    parts = map(_json_string, (binding.principal, binding.worker_id, binding.context_id))
    return f"[{', '.join(parts)}]".encode()


_json_string = json.encoder.encode_basestring_ascii
