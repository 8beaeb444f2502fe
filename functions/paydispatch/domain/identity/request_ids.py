"""The identity of a request. Everything downstream is keyed by it, and it is Stripe's idempotency key."""

import hashlib
import re
from enum import StrEnum

from paydispatch.domain.identity.random_bytes import random_bytes

_ALPHABET = (
    "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: texts sort as their numbers do
)
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
"""All pairs of characters. An id is written pair by pair to save time, because every create writes one."""

_MADE_KEY = re.compile(f"pdk_([{_ALPHABET}]{{26}})")
_MADE_ID = re.compile(f"pdr_[{_ALPHABET}]{{26}}")
_ANY_ID = re.compile(r"[!-z|~]{1,255}")
"""The pattern of the envelope's schema."""

_RANDOM_BYTES = 10

_SHIFTS = range(120, -1, -10)
"""26 characters hold 130 bits: a 48-bit time in milliseconds and 80 random bits, or a hash cut to 128."""


class OutcomeKind(StrEnum):
    """The outcomes of one request that have a flow each. The creates that they dispatch are different requests."""

    SETTLED = "settled"
    """A response, or an error with certainty `not_created`. A request never has both."""
    UNKNOWN = "unknown"
    """An error with certainty `unknown`. A settled outcome may follow."""
    FLOW_FAILED = "flow_failed"
    """The error that follows a failed response script. A run of that script may have sent its own creates before."""


def new_request_id(now_s: float) -> str:
    """Return a random id that sorts by time: `pdr_` and 26 characters."""
    milliseconds = int(now_s * 1000)
    return _format_id(milliseconds << 80 | int.from_bytes(random_bytes(_RANDOM_BYTES), "big"))


def request_id_for_key(space: str, idempotency_key: str) -> str:
    """Return the id of the request that a tenant makes under a key. It is the same for every way in.

    `space` is the tenant, or empty for the queue's tenant (`slots.key_space`). A key that the API made holds its id.
    """
    made = _MADE_KEY.fullmatch(idempotency_key)
    return "pdr_" + made[1] if made else _hash_parts("key", space, idempotency_key)


def is_made_id(text: str) -> bool:
    """Return whether paydispatch made this id. A direct producer may use ids of its own form."""
    return _MADE_ID.fullmatch(text) is not None


def is_request_id(text: str) -> bool:
    """Return whether a request can have this id. Another program may use such an idempotency key at Stripe too."""
    return _ANY_ID.fullmatch(text) is not None


def key_for(request_id: str) -> str:
    """Return the idempotency key that the API makes for a request without one."""
    return "pdk_" + request_id.removeprefix("pdr_")


def request_id_for_reuse(request_id: str, fingerprint: str) -> str:
    """Return the id of a second request that came under a used id. The same second request always gets the same id."""
    return _hash_parts("reused", request_id, fingerprint)


def request_id_for_unread(named_id: str, body: str) -> str:
    """Return the id under which the error of an unreadable message is published.

    It differs from the id that the message names, because an unreadable message must not end the request of that id.
    """
    digest = hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
    return _hash_parts("unread", named_id, digest)


def request_id_for_repeat(first_id: str, number: int) -> str:
    """Return the id of the nth repeat (from 1) under a key, after the request before it ended without an effect.

    `first_id` is the id of the first request under the key.
    """
    return _hash_parts("again", first_id, str(number))


def key_of_place(batch_key: str, place: int) -> str:
    """Return the idempotency key (30 characters) of a batch item without one. Callers do not choose such keys."""
    return _hash_parts("place", batch_key, str(place))


def request_id_for_message(message_id: str) -> str:
    """Return the id of a direct producer's request without one. It is derived from the id of the SQS message."""
    return _hash_parts("message", message_id)


def follow_up_request_id(
    parent_request_id: str, ordinal: int, kind: OutcomeKind = OutcomeKind.SETTLED
) -> str:
    """Return the id of the nth create (from 1) of the flow for one outcome. It is the same in every run of the flow."""
    outcome = () if kind is OutcomeKind.SETTLED else (kind.value,)
    return _hash_parts("follow-up", parent_request_id, str(ordinal), *outcome)


def _hash_parts(*parts: str) -> str:
    framed = b"".join(len(raw).to_bytes(4, "big") + raw for raw in map(str.encode, parts))
    return _format_id(int.from_bytes(hashlib.sha256(framed).digest()[:16], "big"))


def _format_id(number: int) -> str:
    return "pdr_" + "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
