"""Check a request's parameters and wrap it up for the queue, its key sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.credentials import Binding
from paydispatch.domain.envelope import Envelope
from paydispatch.domain.errors import InvalidParams
from paydispatch.domain.limits import DEFAULT_DEADLINE_S
from paydispatch.domain.parameters.check import check_params
from paydispatch.domain.progress import Progress
from paydispatch.domain.resources import resource_named

if TYPE_CHECKING:
    from paydispatch.domain.requests import CreateRequest
    from paydispatch.ports import Sealer


def seal_request(
    request: CreateRequest, *, principal: str, request_id: str, now_s: float, sealer: Sealer
) -> Envelope:
    """Check the parameters against Stripe's schema and wrap the request up, its key sealed.

    Raises `UnknownObject`, `InvalidParams`, and `Unavailable` when the key cannot be sealed.
    """
    resource_named(request.object)
    errors = check_params(request.object, request.params)
    if errors:
        raise InvalidParams(errors)
    return Envelope(
        request_id=request_id,
        object=request.object,
        params=request.params,
        worker_id=request.worker_id,
        context_id=request.context_id,
        accepted_at=now_s,
        progress=Progress(deadline_at=now_s + (request.deadline_s or DEFAULT_DEADLINE_S)),
        # A name is sealed like a key: only so can the caller Lambda trust whose tenant it is looked up for.
        sealed_secret=sealer.seal(
            request.credential, Binding(principal, request.worker_id, request.context_id)
        ),
        lane=request.lane,
        stripe_account=request.stripe_account,
        stripe_context=request.stripe_context,
        principal=principal,
        traceparent=request.traceparent,
    )
