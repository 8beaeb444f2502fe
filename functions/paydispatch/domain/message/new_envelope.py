"""Make the envelope of a request that has been checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.envelope import Envelope
from paydispatch.domain.limits import DEFAULT_DEADLINE_S
from paydispatch.domain.message.groups import group_of_credential
from paydispatch.domain.progress import Progress

if TYPE_CHECKING:
    from paydispatch.domain.requests import OperationRequest


def new_envelope(
    request: OperationRequest, *, principal: str, request_id: str, now_s: float, sealed_secret: str
) -> Envelope:
    """Return the envelope of `request`, which `principal` asks for. No attempt has been made yet.

    `sealed_secret` holds the request's key, or the name of its secret, sealed for `request.binding(principal)`.
    """
    return Envelope(
        request_id=request_id,
        object=request.operation.object,
        operation=request.operation.name,
        path=request.path,
        params=request.params,
        unchecked_params=request.unchecked_params,
        worker_id=request.worker_id,
        context_id=request.context_id,
        accepted_at=now_s,
        progress=Progress(deadline_at=now_s + (request.deadline_s or DEFAULT_DEADLINE_S)),
        sealed_secret=sealed_secret,
        lane=request.lane,
        stripe_account=request.stripe_account,
        stripe_context=request.stripe_context,
        principal=principal,
        traceparent=request.traceparent,
        known_group=group_of_credential(
            request.credential, principal, (request.stripe_account, request.stripe_context)
        ),
    )
