"""The Stripe key, and the ways to name one without holding it.

`StripeKey` is the only type that carries the key in the clear. Its `repr` and `str` never show it, so no log
line, exception or f-string can: `reveal()` is the one way to it, and easy to search for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from paydispatch.domain.errors import InvalidField
from paydispatch.domain.redaction import holds_key, redact

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
    """A secret or restricted key. Length and alphabet are Stripe's business and not checked."""

    __slots__ = ("_text",)

    def __init__(self, text: object, *, field: str = "stripe_secret") -> None:
        """Raises `InvalidField` naming `field`; the message never repeats the key."""
        self._text = _check_key(text, field)

    def reveal(self) -> str:
        return self._text

    @property
    def of_organisation(self) -> bool:
        """Such a key speaks for many accounts: each call names the one it means."""
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
                "secret_ref is the name of a secret: 1 to 128 letters, digits or any of _ + = . @ -, "
                "and not the key itself.",
            )


Credential = StripeKey | SecretRef


@dataclass(frozen=True, slots=True)
class Binding:
    """The conversation a sealed key opens for, and no other: authenticated, not secret."""

    principal: str
    worker_id: str
    context_id: str


def looks_like_key(value: object) -> bool:
    """Whether somebody put a key where it must not be."""
    return isinstance(value, str) and value.startswith(_SECRET_PREFIXES)


def check_holds_no_key(field: str, value: object) -> None:
    """Raises `InvalidField` for a secret key in a field that is not for it; the message does not repeat the key."""
    if holds_key(value):
        raise InvalidField(
            field,
            f"{field} holds a Stripe secret key. Send the key as stripe_secret and nowhere else.",
            code="secret_key_misplaced",
        )


def check_acts_in_account(credential: Credential, stripe_context: str | None) -> None:
    """Raises `InvalidField` for an organisation's key without the account it is to act in: Stripe refuses each call."""
    if stripe_context is None and isinstance(credential, StripeKey) and credential.of_organisation:
        raise InvalidField(
            "stripe_context",
            "Missing required field: stripe_context. A key of an organisation (sk_org…) needs the account it acts in.",
            code="parameter_missing",
        )


def _check_key(text: object, field: str) -> str:
    if not isinstance(text, str) or not text:
        raise InvalidField(
            field, f"{field} must be a Stripe secret key, as text.", code="api_key_missing"
        )
    if text.startswith("pk_"):
        raise InvalidField(
            field,
            "This is a publishable key (pk_…). Creating objects needs a secret key (sk_… or rk_…).",
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
            f"{field} is not a Stripe secret key: one starts with sk_test_, sk_live_, rk_test_, rk_live_ or sk_org.",
            code="api_key_invalid",
        )
    return text
