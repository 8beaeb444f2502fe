"""Accept requests. The steps, in order:

1. Check the request.
2. Seal its key.
3. Claim its id, before it is sent, so that one idempotency key never stands for two requests. If the newest request
   under the key ended without an effect, claim the id of a repeat (`claim_newest.py`).
4. Send it to the queue.
5. Mark it as queued, after the queue has confirmed it, so that the API never reports a request that the queue does
   not have.

An accepted request is on the queue. A refused one leaves at most a claim, and the same request is sent again under it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paydispatch.domain.claims import claim_of
from paydispatch.domain.envelope import check_size
from paydispatch.domain.errors import (
    IdempotencyConflict,
    MaybeAccepted,
    PaydispatchError,
    Unavailable,
)
from paydispatch.domain.identity.request_ids import key_for, new_request_id, request_id_for_key
from paydispatch.domain.identity.slots import key_space
from paydispatch.domain.message.new_envelope import new_envelope
from paydispatch.domain.parameters.check import require_valid_params
from paydispatch.domain.parameters.unchecked import logged_names
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.services.claim_newest import claim_newest
from paydispatch.services.log_ids import log_ids, log_trace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.domain.claims import Claim
    from paydispatch.domain.credentials import Binding, Credential
    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.identity.principal import Principal
    from paydispatch.domain.parameters.verdict import ParamWarning
    from paydispatch.domain.requests import OperationRequest
    from paydispatch.ports import Clock, EventLog, Queue, RequestStore, Sealer
    from paydispatch.services.claim_newest import Newest


@dataclass(frozen=True, slots=True)
class Accepted:
    """The queue has the request, now or since an earlier call with the same key."""

    request_id: str
    request: OperationRequest
    status: str = "dispatched"
    """The request's present status, if it was accepted by an earlier call."""
    replayed: bool = False
    warnings: tuple[ParamWarning, ...] = ()
    """For parameters that Stripe's version of today is not known to have."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A request that is ready for the queue."""

    request: OperationRequest
    envelope: Envelope
    claim: Claim
    message_bytes: int
    warnings: tuple[ParamWarning, ...]

    @property
    def request_id(self) -> str:
        return self.envelope.request_id

    @property
    def key(self) -> str:
        """The caller's idempotency key. Without one, a key that is derived from the request's id."""
        return self.request.idempotency_key or key_for(self.request_id)

    def under(self, claim: Claim) -> _Ready:
        """Return the same request under the id of this claim."""
        envelope = replace(self.envelope, request_id=claim.request_id)
        return replace(self, envelope=envelope, claim=claim)


class Acceptor:
    """The service that accepts requests."""

    def __init__(
        self,
        *,
        queue: Queue,
        sealer: Sealer,
        requests: RequestStore,
        clock: Clock,
        log: EventLog,
        queue_tenant: str,
        stripe_api_version: str = STRIPE_API_VERSION,
    ) -> None:
        """`stripe_api_version` is the version that the Stripe caller names to Stripe."""
        self._queue = queue
        self._sealer = sealer
        self._requests = requests
        self._clock = clock
        self._log = log
        self._queue_tenant = queue_tenant
        self._stripe_api_version = stripe_api_version

    def accept(self, request: OperationRequest, principal: Principal) -> Accepted:
        """Accept one request. Raises `BadRequest`, or `Unavailable`."""
        (result,) = self.accept_all([request], principal)
        if isinstance(result, PaydispatchError):
            raise result
        return result

    def accept_all(
        self, requests: Sequence[OperationRequest | PaydispatchError], principal: Principal
    ) -> Sequence[Accepted | PaydispatchError]:
        """Accept each request. Return the results in order, with the error of each request that was refused."""
        sealer = _SealerOfOneCall(self._sealer)
        prepared = [self._prepare(request, principal, sealer) for request in requests]
        claimed = self._claim(prepared)
        failures = self._send([item for item in claimed if isinstance(item, _Ready)])
        return [self._answer(item, failures) for item in claimed]

    # Check and seal

    def _prepare(
        self, request: OperationRequest | PaydispatchError, principal: Principal, sealer: Sealer
    ) -> _Ready | PaydispatchError:
        if isinstance(request, PaydispatchError):
            return request
        try:
            return self._seal(request, principal, sealer)
        except Unavailable as error:
            self._log.warning("request.not_sealed", principal=str(principal), why=str(error))
            return error
        except PaydispatchError as error:
            return error

    def _seal(self, request: OperationRequest, principal: Principal, sealer: Sealer) -> _Ready:
        now_s = self._clock.now_s()
        # Checked before the schema, because the error of a request that is too large is the clearer one.
        check_size(json.dumps((request.params, request.unchecked_params)))
        warnings = require_valid_params(
            request.operation.name,
            request.params,
            request.unchecked_params,
            self._stripe_api_version,
        )
        caller = str(principal)
        sealed = new_envelope(
            request,
            principal=caller,
            request_id=self._request_id(request, principal, now_s),
            now_s=now_s,
            sealed_secret=sealer.seal(request.credential, request.binding(caller)),
        )
        claim = claim_of(sealed, self._queue_tenant, now_s)
        envelope = replace(sealed, fingerprint=claim.fingerprint)
        message_bytes = check_size(envelope.as_message())
        return _Ready(request, envelope, claim, message_bytes, warnings)

    def _request_id(self, request: OperationRequest, principal: Principal, now_s: float) -> str:
        if request.idempotency_key is None:
            return new_request_id(now_s)
        space = key_space(principal.tenant, self._queue_tenant)
        return request_id_for_key(space, request.idempotency_key)

    # Claim

    def _claim(
        self, prepared: Sequence[_Ready | PaydispatchError]
    ) -> Sequence[_Ready | Accepted | PaydispatchError]:
        """Claim the ids. Each request then goes to the queue, or is answered as a replay or a conflict."""
        ready = [item for item in prepared if isinstance(item, _Ready)]
        try:
            newest = claim_newest(self._requests, [item.claim for item in ready])
            decided = iter([_follow_claim(*pair) for pair in zip(ready, newest, strict=True)])
        except Unavailable as error:
            self._log.warning("request.not_claimed", requests=len(ready), why=str(error))
            decided = iter([_follow_without_claim(item, error) for item in ready])
        return [next(decided) if isinstance(item, _Ready) else item for item in prepared]

    # Send

    def _send(self, items: Sequence[_Ready]) -> Mapping[str, Unavailable]:
        """Send each id once. Return {request_id: error} for those that the queue did not confirm."""
        if not items:
            return {}
        by_id = {item.request_id: item for item in items}
        try:
            failures = self._queue.send([item.envelope for item in by_id.values()])
        except Unavailable as error:
            failures = dict.fromkeys(by_id, error)
        self._mark_queued([item for item in by_id.values() if item.request_id not in failures])
        return failures

    def _mark_queued(self, items: Sequence[_Ready]) -> None:
        """Mark these requests as queued. If Redis is unavailable, the Stripe caller marks them later."""
        claims = [item.claim for item in items]
        try:
            self._requests.mark_queued(claims)
        except Unavailable as error:
            self._log.warning("status.not_written", requests=len(claims), why=str(error))

    # Answer

    def _answer(
        self, item: _Ready | Accepted | PaydispatchError, failures: Mapping[str, Unavailable]
    ) -> Accepted | PaydispatchError:
        if not isinstance(item, _Ready):
            return item
        error = failures.get(item.request_id)
        if error is None:
            self._log_accepted(item)
            return _make_accepted(item)
        maybe = isinstance(error, MaybeAccepted)
        event = "request.maybe_queued" if maybe else "request.not_queued"
        self._log.warning(
            event,
            request_id=item.request_id,
            **log_trace(item.envelope.traceparent),
            why=str(error),
        )
        return _make_maybe_accepted(item) if maybe else _make_not_accepted()

    def _log_accepted(self, item: _Ready) -> None:
        envelope = item.envelope
        self._log.info(
            "request.accepted",
            **log_ids(envelope),
            lane=envelope.lane.value,
            message_bytes=item.message_bytes,
            warnings=[warning.param for warning in item.warnings] or None,
            **log_trace(envelope.traceparent),
            **logged_names(envelope.unchecked_params),
        )


class _SealerOfOneCall:
    """A `Sealer` for the requests of one call. It raises the first `Unavailable` again without another call.

    Otherwise every further request of the call would wait for the same failure.
    """

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._error: Unavailable | None = None

    def seal(self, credential: Credential, binding: Binding) -> str:
        if self._error is not None:
            raise self._error
        try:
            return self._sealer.seal(credential, binding)
        except Unavailable as error:
            self._error = error
            raise


def _follow_claim(asked: _Ready, newest: Newest) -> _Ready | Accepted | PaydispatchError:
    """Return the request if it goes to the queue, otherwise its answer, which has the status of now."""
    item, state = asked.under(newest.claim), newest.state
    if not state.owned:
        return IdempotencyConflict(asked.key)
    if state.queued or state.status:
        return _make_accepted(item, status=state.status or "dispatched", replayed=True)
    return item  # claimed now, or by an earlier call that is not known to have queued it


def _follow_without_claim(item: _Ready, error: Unavailable) -> _Ready | Unavailable:
    """Return the request if it may go to the queue without a claim, otherwise the error.

    Without a claim an idempotency key could stand for two requests. A request without a key has a random id.
    """
    return error if item.request.idempotency_key else item


def _make_accepted(item: _Ready, *, status: str = "dispatched", replayed: bool = False) -> Accepted:
    return Accepted(
        item.request_id,
        item.request,
        status,
        replayed,
        item.warnings,
    )


def _make_not_accepted() -> Unavailable:
    return Unavailable("The queue cannot be reached. The request was not accepted.")


def _make_maybe_accepted(item: _Ready) -> MaybeAccepted:
    return MaybeAccepted(
        "The queue's answer was lost. The request may have been accepted.",
        request_id=item.request_id,
        idempotency_key=item.key,
    )
