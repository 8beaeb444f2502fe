"""The message group of a request: a hash of what its sender knows of the account that the call will act in.

The queues are fair (SQS' fair queues): when one group has many messages in flight, SQS delivers those of other groups
first. A group is no key of its own kind, and nothing depends on it but this order.

The hash reveals no key. A Stripe key has more random bits than anybody can try, and the other parts are no secrets.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from paydispatch.domain.credentials import SecretRef

if TYPE_CHECKING:
    from paydispatch.domain.credentials import Credential

_DIGITS = 32
"""128 bits in hexadecimal. SQS takes up to 128 characters without spaces."""

_MOST_KNOWN = 1_000
_KNOWN: dict[int, str] = {}
"""Groups by the hash of their parts, so that no key stays in memory.

Two requests with one hash would share a group. Only the order of delivery would show it.
"""

Headers = tuple[str | None, str | None]
"""`stripe_account` and `stripe_context`."""


def group_of_credential(credential: Credential, principal: str, headers: Headers) -> str:
    """Return the group of a request whose key, or the name of its key, is known."""
    if isinstance(credential, SecretRef):
        return group_of_ref(credential.name, principal, headers)
    return _hash("key", credential.reveal(), principal, headers)


def group_of_ref(name: str, principal: str, headers: Headers) -> str:
    """Return the group of a request that names its key."""
    return _hash("ref", name, principal, headers)


def group_of_worker(worker_id: str, principal: str, headers: Headers) -> str:
    """Return the group of a request with a sealed key, whose worker stands for its account.

    The key is sealed for one context of the worker. But a group for each context would have so few messages in flight
    that SQS never noticed a backlog.
    """
    return _hash("worker", worker_id, principal, headers)


def group_of_account(account: str) -> str:
    """Return the group of a request whose account is known (`AccountBinding.rate_account`)."""
    return _hash("account", account, "", (None, None))


def _hash(kind: str, name: str, principal: str, headers: Headers) -> str:
    """Return the group of these parts, which a process remembers, because most requests come with the same few."""
    known_as = hash((kind, name, principal, headers))
    group = _KNOWN.get(known_as)
    if group is None:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        group = _KNOWN[known_as] = _compute(kind, name, principal, headers)
    return group


def _compute(kind: str, name: str, principal: str, headers: Headers) -> str:
    tenant = principal.partition("/")[0]
    account, context = headers
    parts = f"paydispatch-group\0{kind}\0{tenant}\0{name}\0{account or ''}\0{context or ''}"
    return hashlib.sha256(parts.encode()).hexdigest()[:_DIGITS]
