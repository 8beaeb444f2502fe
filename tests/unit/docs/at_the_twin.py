"""Send the creates of a page to the Stripe twin, because the check before the queue has only a part of its rules."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from paydispatch.domain.form_encoding import encode
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.twin.twin import StripeTwin
from paydispatch.twin.wire.calls import Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from paydispatch.domain.envelope import Envelope

_OF_THE_READER = "resource_missing"
"""The code of a page's `cus_1`, which only its reader has. A decline is meant as well."""


def refusals_of(envelopes: Iterable[Envelope]) -> Iterator[str]:
    """Yield Stripe's message for each create that breaks one of its rules."""
    twin = StripeTwin(strict=True, seed=1)
    for envelope in envelopes:
        operation = operation_named(envelope.operation)
        if operation.creates:
            error = _create(twin, operation.path, encode(envelope.params))
            if error.get("type") == "invalid_request_error" and error["code"] != _OF_THE_READER:
                yield f"{envelope.operation}: {error['message']}"


def _create(twin: StripeTwin, path: str, form: bytes) -> dict[str, str]:
    headers = {"authorization": "Bearer sk_test_docs"}
    exchange = twin.receive(Call("POST", path, "", headers, form))
    twin.settle(exchange)
    error: dict[str, str] = json.loads(exchange.final_answer().body).get("error", {})
    return {"code": "", **error}
