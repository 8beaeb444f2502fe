"""Who a request is. Everything downstream, Stripe's idempotency key included, is keyed by it."""

import hashlib
import secrets
from enum import StrEnum

_ALPHABET = (
    "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: sorts as it counts, has no l, o, i
)
_LENGTH = 26  # 130 bits: a 48-bit millisecond time and 80 random bits, or a hash cut to 128


class End(StrEnum):
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
    return _written(milliseconds << 80 | secrets.randbits(80))


def request_id_for_key(principal: str, idempotency_key: str) -> str:
    """The same principal and key are the same request, wherever and whenever it is submitted."""
    return _hashed("key", principal, idempotency_key)


def key_of_place(batch_key: str, place: int) -> str:
    """The idempotency key (of 30 characters) of a batch's item that brings none: no key of a caller's is like it."""
    return _hashed("place", batch_key, str(place))


def request_id_for_message(message_id: str) -> str:
    """A direct producer may leave the id out: then the SQS message is the request."""
    return _hashed("message", message_id)


def follow_up_request_id(parent_request_id: str, ordinal: int, end: End = End.SETTLED) -> str:
    """The nth create (from 1) of the flow for one end is the same request however often the flow runs."""
    told = () if end is End.SETTLED else (end.value,)
    return _hashed("follow-up", parent_request_id, str(ordinal), *told)


def _hashed(*parts: str) -> str:
    framed = b"".join(len(raw).to_bytes(4, "big") + raw for raw in map(str.encode, parts))
    return _written(int.from_bytes(hashlib.sha256(framed).digest()[:16], "big"))


def _written(number: int) -> str:
    return "pdr_" + "".join(
        _ALPHABET[number >> shift & 31] for shift in range(5 * (_LENGTH - 1), -1, -5)
    )
