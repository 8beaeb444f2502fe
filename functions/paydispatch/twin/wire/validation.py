"""Validates the parameters of a write against Stripe's schema before the execution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.domain.identity.marks import MARK
from paydispatch.domain.parameters.check import check_params, parameter_schema
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.twin.objects.traits import holds, traits_of
from paydispatch.twin.wire.coercion import FormReader
from paydispatch.twin.wire.errors import StripeError, invalid_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.stripe.operations import Operation


def read_params(
    operation: Operation, nested: dict[str, Any], version: str = STRIPE_API_VERSION
) -> dict[str, Any]:
    """Return the typed parameters of a write. Raises `StripeError` (400) for the first error.

    `version` is the version of Stripe's API that the call names. Unknown names are accepted with another one than ours.
    """
    params = FormReader(parameter_schema(operation.name)).read(nested)
    for error in check_params(operation.name, _without_mark(params), version=version):
        raise invalid_request(error.message, code=error.code, param=error.param or None)
    if operation.creates:
        _check_together(operation.object, params, version)
    return params


def _without_mark(params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters without the metadata pair that paydispatch adds.

    The rules of paydispatch refuse that pair from a caller, but Stripe accepts it.
    """
    metadata = params.get("metadata")
    if not isinstance(metadata, dict):
        return params
    return {**params, "metadata": {name: value for name, value in metadata.items() if name != MARK}}


def _check_together(kind: str, params: Mapping[str, Any], version: str) -> None:
    for rule in traits_of(kind).refuses:
        if rule.get("version", version) == version and holds(rule["when"], params):
            raise StripeError(400, {"type": "invalid_request_error", **rule["error"]})
