"""Compare an answer of Stripe with the twin's answer to the same call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.session import Answer

COMPARED_VALUES = frozenset(
    {
        "active",
        "amount",
        "amount_capturable",
        "amount_received",
        "billing_reason",
        "capture_method",
        "captured",
        "code",
        "collection_method",
        "currency",
        "decline_code",
        "livemode",
        "mode",
        "object",
        "paid",
        "param",
        "payment_status",
        "refunded",
        "status",
        "type",
    }
)
"""Fields with values that must be equal. Others differ by nature (ids, times) or by account (settings, tax)."""

OF_THE_CALLER = frozenset({"metadata"})
"""Fields with keys that the caller chooses."""


def differences(stripe: Answer, twin: Answer) -> Iterator[str]:
    """Yield a line for each difference of status, of a field's presence or type, and of a compared value."""
    if stripe.status != twin.status:
        yield f"status: Stripe {stripe.status}, twin {twin.status}"
    if stripe.replayed != twin.replayed:
        yield f"Idempotent-Replayed: Stripe {stripe.replayed}, twin {twin.replayed}"
    yield from _compare("", stripe.body, twin.body)


def _compare(path: str, stripe: Any, twin: Any) -> Iterator[str]:
    if isinstance(stripe, dict) and isinstance(twin, dict):
        yield from _compare_objects(path, stripe, twin)
    elif isinstance(stripe, list) and isinstance(twin, list):
        yield from _compare_lists(path, stripe, twin)
    elif _type(stripe) != _type(twin):
        yield f"{path}: Stripe {_type(stripe)}, twin {_type(twin)}"
    elif path.rpartition(".")[2] in COMPARED_VALUES and stripe != twin:
        yield f"{path}: Stripe {stripe!r}, twin {twin!r}"


def _compare_objects(path: str, stripe: dict[str, Any], twin: dict[str, Any]) -> Iterator[str]:
    if path.rpartition(".")[2] in OF_THE_CALLER:
        return
    for name in sorted(stripe.keys() | twin.keys()):
        inner = f"{path}.{name}".removeprefix(".")
        if name not in twin:
            yield f"{inner}: only Stripe has it"
        elif name not in stripe:
            yield f"{inner}: only the twin has it"
        else:
            yield from _compare(inner, stripe[name], twin[name])


def _compare_lists(path: str, stripe: list[Any], twin: list[Any]) -> Iterator[str]:
    """Compare the first entries only, because a list of a used sandbox is longer than one of a new twin."""
    if stripe and twin:
        yield from _compare(f"{path}[0]", stripe[0], twin[0])


def _type(value: Any) -> str:
    """Return the JSON type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names = {str: "string", int: "number", float: "number", dict: "object", list: "array"}
    return names[type(value)]
