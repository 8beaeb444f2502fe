"""Who a request is. Everything downstream, Stripe's idempotency key included, is keyed by it."""

import hashlib
import re
import secrets
from enum import StrEnum

_ALPHABET = (
    "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: sorts as it counts, has no l, o, i
)
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
"""Two characters at a time, because every create writes an id."""

_MADE_KEY = re.compile(f"pdk_([{_ALPHABET}]{{26}})")
_SHIFTS = range(120, -1, -10)
"""26 characters hold 130 bits: a 48-bit time in milliseconds and 80 random bits, or a hash cut to 128."""


class OutcomeKind(StrEnum):
    """The ends of one request that have a flow each. What these dispatch are different requests."""

    SETTLED = "settled"
    """A response, or an error with `not_created`: never both."""
    UNKNOWN = "unknown"
    """Nobody knew yet. A settled end may follow."""
    FLOW_FAILED = "flow_failed"
    """Its response script failed; a run of it may have sent what it dispatched."""


def new_request_id(now_s: float) -> str:
    """A random id that sorts by time: `pdr_` and 26 characters."""
    milliseconds = int(now_s * 1000)
    return _format_id(milliseconds << 80 | secrets.randbits(80))


def request_id_for_key(space: str, idempotency_key: str) -> str:
    """Return the id of the request that a tenant asks for under a key, whichever way it comes in.

    `space` is the tenant, or empty for the queue's tenant (`slots.key_space`). A key that the API made names its id.
    """
    made = _MADE_KEY.fullmatch(idempotency_key)
    return "pdr_" + made[1] if made else _hash_parts("key", space, idempotency_key)


def key_for(request_id: str) -> str:
    """Return the idempotency key that stands for a request whose caller brought none."""
    return "pdk_" + request_id.removeprefix("pdr_")


def request_id_for_reuse(request_id: str, fingerprint: str) -> str:
    """Return the id of a second request that came under a used id. The same request always gets the same one."""
    return _hash_parts("reused", request_id, fingerprint)


def request_id_for_unread(named_id: str, body: str) -> str:
    """Return the id under which a message that cannot be read is told: it never speaks for the id it names."""
    digest = hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
    return _hash_parts("unread", named_id, digest)


def request_id_for_next_try(request_id: str) -> str:
    """Return the id under which a key is tried again after its request ended as not executed."""
    return _hash_parts("again", request_id)


def key_of_place(batch_key: str, place: int) -> str:
    """The idempotency key (of 30 characters) of a batch's item that brings none: no key of a caller's is like it."""
    return _hash_parts("place", batch_key, str(place))


def request_id_for_message(message_id: str) -> str:
    """A direct producer may leave the id out: then the SQS message is the request."""
    return _hash_parts("message", message_id)


def follow_up_request_id(
    parent_request_id: str, ordinal: int, kind: OutcomeKind = OutcomeKind.SETTLED
) -> str:
    """The nth create (from 1) of the flow for one end is the same request however often the flow runs."""
    told = () if kind is OutcomeKind.SETTLED else (kind.value,)
    return _hash_parts("follow-up", parent_request_id, str(ordinal), *told)


def _hash_parts(*parts: str) -> str:
    framed = b"".join(len(raw).to_bytes(4, "big") + raw for raw in map(str.encode, parts))
    return _format_id(int.from_bytes(hashlib.sha256(framed).digest()[:16], "big"))


def _format_id(number: int) -> str:
    return "pdr_" + "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
