"""Compare Stripe accounts, because idempotency keys and lists of Stripe belong to one account and mode."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.credentials import StripeKey

_MODE = re.compile(r"[sr]k_(?:org_)?(live|test)_")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBinding:
    """The Stripe account and mode of a request's calls. The request keeps it from its first send on."""

    account_id: str | None
    """The `acct_…` that `GET /v1/account` returns. None: the key has no permission to ask (403)."""
    mode: str
    """`live`, `test`, or `org` for an organisation's key without a mode in its prefix."""
    stripe_account: str | None = None
    """The `Stripe-Account` header."""
    stripe_context: str | None = None
    """The `Stripe-Context` header."""
    key_sha256: str
    """Identifies the key without holding it."""

    @property
    def headers(self) -> str:
        """The two headers as one text. An account id holds no space."""
        return f"{self.stripe_account or ''} {self.stripe_context or ''}"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the account that the calls act in. Two bindings to the same account may share only one of them."""
        acting = (self.stripe_context or "").rpartition("/")[2] or self.stripe_account
        found = (acting,) if acting else (self.account_id, self.key_sha256)
        return tuple(f"{self.mode} {name}" for name in found if name)

    @property
    def rate_account(self) -> str:
        """The account in whose rate limits the calls count, with its mode: `live acct_1`.

        Stripe counts per account and mode, for all keys together. A key that may not ask for its account counts alone,
        under its hash.
        """
        return self.names[0]

    def same_as(self, other: AccountBinding) -> bool:
        """Return whether both lead to the same account, mode and headers.

        A key that may not ask for its account is compared by its hash. Therefore a change of that permission does not
        change the result for the same key.
        """
        if (self.mode, self.headers) != (other.mode, other.headers):
            return False
        ids_agree = self.account_id is not None and self.account_id == other.account_id
        return ids_agree or self.key_sha256 == other.key_sha256

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> AccountBinding:
        """Read a binding. Unknown members are ignored. Raises `KeyError` if a required member is missing."""
        return cls(
            account_id=fields.get("account_id"),
            mode=fields["mode"],
            stripe_account=fields.get("stripe_account"),
            stripe_context=fields.get("stripe_context"),
            key_sha256=fields["key_sha256"],
        )


def bind_account(
    key: StripeKey,
    account_id: str | None,
    *,
    stripe_account: str | None,
    stripe_context: str | None,
) -> AccountBinding:
    return AccountBinding(
        account_id=account_id,
        mode=mode_of(key),
        stripe_account=stripe_account,
        stripe_context=stripe_context,
        key_sha256=hash_of(key),
    )


def mode_of(key: StripeKey) -> str:
    """Return the mode by the key's prefix, because Stripe returns the same account id in both modes."""
    mode = _MODE.match(key.reveal())
    return mode[1] if mode else "org"


def hash_of(key: StripeKey) -> str:
    return hashlib.sha256(b"stripe-key:" + key.reveal().encode()).hexdigest()
