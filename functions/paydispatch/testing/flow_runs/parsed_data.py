"""Make answers of Stripe from the parameters of a request, with every field that Stripe's document names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.domain.stripe.operations import operation_named
from paydispatch.twin.accounts import Account
from paydispatch.twin.clock import TwinClock
from paydispatch.twin.objects.addresses import answered_kinds
from paydispatch.twin.objects.shapes import UNFIT, Fitter, response_schema
from paydispatch.twin.twin import StripeTwin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.stripe.operations import Operation

_ACCOUNT = "acct_test"


def answer_of(
    operation: str, params: Mapping[str, Any] | None = None, /, **fields: Any
) -> dict[str, Any]:
    """Return an answer of Stripe to the operation, as a test needs it.

        answer_of("create_payment_intent", {"amount": 2000}, status="requires_capture")

    The object has every field of Stripe's. Fields that the request's `params` set have their values, and `fields`
    replace any of them. A DELETE answers `id`, `object` and `deleted`. Raises `UnknownOperation`.
    """
    row = operation_named(operation)
    kind = answered_kinds(row)[0]
    made = _make_object(kind, _fitting(kind, params or {}), livemode=bool(fields.get("livemode")))
    return {**_shown(row, made), **fields}


def _make_object(kind: str, fields: Mapping[str, Any], *, livemode: bool) -> dict[str, Any]:
    twin = StripeTwin(strict=False)
    return dict(twin.put(Account(_ACCOUNT, livemode), kind, fields))


def _fitting(kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that the object shows unchanged, such as `amount`, but not `confirm`."""
    fields = response_schema(kind).get("properties", {})
    fitter = Fitter(int(TwinClock().now()), lambda _schema, object_id: {"id": object_id})
    fitted = {
        name: fitter.fit(fields[name], value) for name, value in params.items() if name in fields
    }
    return {name: value for name, value in fitted.items() if value is not UNFIT}


def _shown(operation: Operation, made: dict[str, Any]) -> dict[str, Any]:
    if operation.method != "DELETE":
        return made
    return {"id": made.get("id"), "object": made["object"], "deleted": True}
