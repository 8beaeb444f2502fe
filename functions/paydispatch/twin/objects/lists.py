"""`GET /v1/<collection>`: filters the objects and returns a page, newest first."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from paydispatch.twin.objects.shapes import convert_text, types
from paydispatch.twin.objects.store import NO_LATEST, Span
from paydispatch.twin.wire.errors import invalid_request, unknown_parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.twin.accounts import Account
    from paydispatch.twin.objects.collection import Collection
    from paydispatch.twin.objects.shapes import Schema
    from paydispatch.twin.objects.store import Store, StripeObject

LARGEST_PAGE = 100
_PAGING = ("limit", "starting_after", "ending_before", "expand", "created")
_ANY_STATUS = ("status", "all")
"""The filter with which Stripe lists subscriptions of every status, canceled ones included."""
_BY_CLOCK = {"test_clock", "customer", "customer_account"}
"""Parameters that make a list include objects on a test clock. Without one of them Stripe leaves those out."""
_LOWER_BOUNDS = {"gte": 0, "gt": 1}
_UPPER_BOUNDS = {"lte": 0, "lt": -1}


def page(
    store: Store,
    account: Account,
    collection: Collection,
    schema: Schema,
    params: Mapping[str, Any],
) -> dict[str, Any]:
    """Return Stripe's list object. Raises `StripeError` (400) for an invalid parameter."""
    _refuse_undated(schema, params)
    limit, span, wanted = read_limit(params), _span(params), _fields(schema, params)
    matching = (
        stripe_object
        for stripe_object in store.iterate(account, collection.name, span)
        if _in_view(stripe_object, wanted)
        and all(stripe_object.get(name) == value for name, value in wanted.items())
    )
    found = list(islice(matching, limit + 1))
    shown = found[:limit]
    return {
        "object": "list",
        "url": collection.endpoint,
        "has_more": len(found) > limit,
        "data": shown[::-1] if span.ending_before else shown,
    }


def page_of(elements: list[StripeObject], url: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page of a list inside an object, in its order. Raises `StripeError` (400) for an invalid parameter."""
    limit, after = read_limit(params), params.get("starting_after")
    ids = [element["id"] for element in elements]
    if after is not None and after not in ids:
        raise invalid_request(
            f"No such item: '{after}'", code="resource_missing", param="starting_after"
        )
    rest = elements[ids.index(after) + 1 :] if after is not None else elements
    return {"object": "list", "url": url, "has_more": len(rest) > limit, "data": rest[:limit]}


def _refuse_undated(schema: Schema, params: Mapping[str, Any]) -> None:
    """Refuse `created` for objects without that field, such as payment links, because Stripe refuses it too."""
    if "created" in params and "created" not in schema["properties"]:
        raise unknown_parameter("created")


def _in_view(stripe_object: StripeObject, wanted: Mapping[str, Any]) -> bool:
    return stripe_object.get("test_clock") is None or not _BY_CLOCK.isdisjoint(wanted)


def read_limit(params: Mapping[str, Any]) -> int:
    limit = read_integer("limit", params.get("limit", "10"))
    if not 1 <= limit <= LARGEST_PAGE:
        raise invalid_request(
            f"This value must be between 1 and {LARGEST_PAGE} (it currently is '{limit}').",
            code="parameter_invalid_integer",
            param="limit",
        )
    return limit


def _span(params: Mapping[str, Any]) -> Span:
    earliest, latest = read_created(params.get("created", {}))
    return Span(earliest, latest, params.get("starting_after"), params.get("ending_before"))


def read_created(condition: Any) -> tuple[int, int]:
    """Return the first and the last second of `created=T` or of `created[gte]=T&created[lt]=T`."""
    if isinstance(condition, str):
        moment = read_integer("created", condition)
        return moment, moment
    earliest, latest = 0, NO_LATEST
    for name, text in condition.items():
        if name not in _LOWER_BOUNDS and name not in _UPPER_BOUNDS:
            raise unknown_parameter(f"created[{name}]")
        moment = read_integer(f"created[{name}]", text)
        if name in _LOWER_BOUNDS:
            earliest = max(earliest, moment + _LOWER_BOUNDS[name])
        else:
            latest = min(latest, moment + _UPPER_BOUNDS[name])
    return earliest, latest


def _fields(schema: Schema, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the other parameters: each selects the objects in which the field of that name has that value."""
    fields = schema["properties"]
    wanted = {
        name: value
        for name, value in params.items()
        if name not in _PAGING and (name, value) != _ANY_STATUS
    }
    for name, value in wanted.items():
        if name not in fields or not isinstance(value, str):
            raise unknown_parameter(name)
        wanted[name] = convert_text(value, types(fields[name]))
    return wanted


def read_integer(param: str, text: Any) -> int:
    if isinstance(text, str) and text.isdecimal() and len(text) <= 18:
        return int(text)
    raise invalid_request(
        f"Invalid integer: {str(text)[:100]}", code="parameter_invalid_integer", param=param
    )
