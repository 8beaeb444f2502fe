"""The Stripe key, and the name of a secret that holds one.

`StripeKey` is the only type that carries the key in the clear. Its `repr` and `str` do not show it, so that no log
line, exception or f-string does. Only `reveal()` returns it, and its uses are easy to search for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from paydispatch.domain.errors import InvalidField
from paydispatch.domain.text.redaction import holds_key, redact

__all__ = [
    "Binding",
    "Credential",
    "SecretRef",
    "StripeKey",
    "check_acts_in_account",
    "check_holds_no_key",
    "looks_like_key",
    "redact",
]

_SECRET_PREFIXES = ("sk_test_", "sk_live_", "rk_test_", "rk_live_", "sk_org")
_ORGANISATION_PREFIX = "sk_org"
_REF = re.compile(r"[A-Za-z0-9_+=.@-]{1,128}")


class StripeKey:
    """A secret or restricted key. Its length and alphabet are not checked, because Stripe may change them."""

    __slots__ = ("_text",)

    def __init__(self, text: object, *, field: str = "stripe_secret") -> None:
        """Check the prefix of `text`. Raises `InvalidField` with the name `field`, without repeating the key."""
        self._text = _check_key(text, field)

    def reveal(self) -> str:
        return self._text

    @property
    def of_organisation(self) -> bool:
        """Whether it is an organisation's key. It opens many accounts, so that each call must name one of them."""
        return self._text.startswith(_ORGANISATION_PREFIX)

    def __repr__(self) -> str:
        return "StripeKey(hidden)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StripeKey) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("A Stripe key is not pickled: seal it.")


@dataclass(frozen=True, slots=True)
class SecretRef:
    """The name of a secret in Secrets Manager, below `paydispatch/{tenant}/`."""

    name: str

    def __post_init__(self) -> None:
        named = isinstance(self.name, str) and _REF.fullmatch(self.name)
        if not named or looks_like_key(self.name) or holds_key(self.name):
            raise InvalidField(
                "secret_ref",
                "secret_ref must be the name of a secret, of 1 to 128 letters, digits or any of _ + = . @ -, "
                "and not the key itself.",
            )


Credential = StripeKey | SecretRef


@dataclass(frozen=True, slots=True)
class Binding:
    """The only conversation for which a sealed key opens. KMS authenticates it, and does not encrypt it."""

    principal: str
    worker_id: str
    context_id: str


def looks_like_key(value: object) -> bool:
    """Return whether a value begins like a Stripe secret key."""
    return isinstance(value, str) and value.startswith(_SECRET_PREFIXES)


def check_holds_no_key(field: str, value: object) -> None:
    """Raise `InvalidField` for a secret key in a field that is not for keys. The message does not repeat the key."""
    if holds_key(value):
        raise InvalidField(
            field,
            f"{field} holds a Stripe secret key. Send the key as stripe_secret and nowhere else.",
            code="secret_key_misplaced",
        )


def check_acts_in_account(credential: Credential, stripe_context: str | None) -> None:
    """Raise `InvalidField` for an organisation's key without `stripe_context`, because Stripe refuses such calls."""
    if stripe_context is None and isinstance(credential, StripeKey) and credential.of_organisation:
        raise InvalidField(
            "stripe_context",
            "Missing required field: stripe_context. An organisation's key (sk_org…) acts in the account named there.",
            code="parameter_missing",
        )


def _check_key(text: object, field: str) -> str:
    if not isinstance(text, str) or not text:
        raise InvalidField(
            field,
            f"{field} must be a Stripe secret key, as a non-empty string.",
            code="api_key_missing",
        )
    if text.startswith("pk_"):
        raise InvalidField(
            field,
            f"{field} is a publishable key (pk_…). Creating objects needs a secret key (sk_… or rk_…).",
            code="secret_key_required",
        )
    if (
        not text.startswith(_SECRET_PREFIXES)
        or not text.isascii()
        or not text.isprintable()
        or " " in text
    ):
        raise InvalidField(
            field,
            f"{field} must be a Stripe secret key: it starts with sk_test_, sk_live_, rk_test_, rk_live_ or sk_org.",
            code="api_key_invalid",
        )
    return text
