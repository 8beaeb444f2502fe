"""Parameters as Stripe's schema has them, or its refusal, which comes before any execution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.domain.marks import MARK
from paydispatch.domain.parameters.check import check_params, parameter_schema
from paydispatch.twin.objects.traits import holds, traits_of
from paydispatch.twin.wire.coercion import FormReader
from paydispatch.twin.wire.errors import StripeError, invalid_request

if TYPE_CHECKING:
    from collections.abc import Mapping


def checked_params(kind: str, nested: dict[str, Any]) -> dict[str, Any]:
    """Return the typed parameters of a create. Raises `StripeError` (400), the first error."""
    params = FormReader(parameter_schema(kind)).read(nested)
    for error in check_params(kind, _unmarked(params)):
        raise invalid_request(error.message, code=error.code, param=error.param or None)
    _check_together(kind, params)
    return params


def _unmarked(params: dict[str, Any]) -> dict[str, Any]:
    """Without the pair that paydispatch adds: its rules refuse that pair from a caller, and Stripe takes it."""
    metadata = params.get("metadata")
    if not isinstance(metadata, dict):
        return params
    return {**params, "metadata": {name: value for name, value in metadata.items() if name != MARK}}


def _check_together(kind: str, params: Mapping[str, Any]) -> None:
    for rule in traits_of(kind).refuses:
        if holds(rule["when"], params):
            raise StripeError(400, {"type": "invalid_request_error", **rule["error"]})
