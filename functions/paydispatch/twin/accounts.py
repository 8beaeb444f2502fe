"""Finds the account and the mode that a call acts for, from its API key and its headers.

The text between the key's prefix and the first double underscore names the account. So `sk_test_shop`, `sk_live_shop`
and `rk_test_shop` are keys of one account, and so is `sk_test_shop__2`, its rotated key. A restricted key that ends in
`__mute` may not request `GET /v1/account`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.twin.wire.errors import (
    invalid_request,
    no_key,
    no_permission,
    publishable_key,
    unknown_key,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDPOINT = "/v1/account"
"""`GET` on this path returns the account that the call acts for."""

_TRAITS = "__"
_MUTE = "__mute"

_MODES = {
    "sk_test_": False,
    "rk_test_": False,
    "sk_live_": True,
    "rk_live_": True,
    "sk_org_test_": False,
    "sk_org_live_": True,
}


@dataclass(frozen=True, slots=True)
class Account:
    """One account in one mode. It does not contain the API key."""

    id: str
    livemode: bool

    @property
    def mode(self) -> str:
        return "live" if self.livemode else "test"

    def as_json(self) -> dict[str, object]:
        """Return the answer to `GET /v1/account`. The id is the same in both modes."""
        return {
            "id": self.id,
            "object": "account",
            "charges_enabled": True,
            "country": "US",
            "default_currency": "usd",
            "details_submitted": True,
            "email": None,
            "payouts_enabled": True,
            "type": "standard",
        }


def authenticate(headers: Mapping[str, str]) -> Account:
    """Return the account a call acts for. Raises `StripeError` (401, 403, 400)."""
    key = _key(headers.get("authorization", ""))
    livemode = _mode(key)
    context = headers.get("stripe-context")
    if key.startswith("sk_org_"):
        _need_context(context, headers.get("stripe-version"))
    acting_for = context or headers.get("stripe-account")
    return Account(acting_for or _account_of(key), livemode)


def connected_account(headers: Mapping[str, str]) -> str | None:
    """Return the account for which a platform makes a call with its own key, or None."""
    if _key(headers.get("authorization", "")).startswith("sk_org_"):
        return None
    return headers.get("stripe-context") or headers.get("stripe-account")


def check_may_ask(headers: Mapping[str, str]) -> None:
    """Check that the key may request `GET /v1/account`. Raises `StripeError` (403)."""
    key = _key(headers.get("authorization", ""))
    if key.startswith("rk_") and key.endswith(_MUTE):
        raise no_permission()


def _key(authorization: str) -> str:
    scheme, _, credentials = authorization.partition(" ")
    key = credentials.strip()
    if scheme.lower() == "basic":
        key = _basic_user(key)
    if scheme.lower() not in ("basic", "bearer") or not key:
        raise no_key()
    return key


def _basic_user(credentials: str) -> str:
    try:
        decoded = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise no_key() from None
    return decoded.partition(":")[0]


def _mode(key: str) -> bool:
    if key.startswith("pk_"):
        raise publishable_key()
    for prefix, livemode in _MODES.items():
        if key.startswith(prefix) and len(key) > len(prefix):
            return livemode
    raise unknown_key()


def _need_context(context: str | None, version: str | None) -> None:
    """Check the two headers that an organization's key needs, because it has no account and no default version."""
    if not context:
        raise invalid_request("Organization API keys require the Stripe-Context header.")
    if not version:
        raise invalid_request("Organization API keys require the Stripe-Version header.")


def _account_of(key: str) -> str:
    """Return the id of the account that the text after the key's prefix names."""
    prefix = next(prefix for prefix in _MODES if key.startswith(prefix))
    name = key.removeprefix(prefix).partition(_TRAITS)[0]
    return "acct_" + hashlib.sha256(name.encode()).hexdigest()[:16]
