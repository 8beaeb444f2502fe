"""Accept requests: check, seal, claim the id, send to the queue, note that the queue has it.

What is accepted is on the queue. What is refused left nothing but a claim, which the same request finds again. The
claim comes before the queue, so that one key never stands for two requests. The note comes after the queue's yes, so
that nobody is told of a request that the queue never had.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paydispatch.domain.claims import claim_of
from paydispatch.domain.envelope import check_size
from paydispatch.domain.errors import (
    IdempotencyConflict,
    IdempotencyKeyUsedUp,
    MaybeAccepted,
    PaydispatchError,
    Unavailable,
)
from paydispatch.domain.identity import (
    key_for,
    new_request_id,
    request_id_for_key,
    request_id_for_next_try,
)
from paydispatch.domain.new_envelope import new_envelope
from paydispatch.domain.parameters.check import require_valid_params
from paydispatch.domain.slots import key_space
from paydispatch.services.log_ids import log_ids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.domain.claims import Claim, SlotState
    from paydispatch.domain.credentials import Binding, Credential
    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.principal import Principal
    from paydispatch.domain.requests import CreateRequest
    from paydispatch.ports import Clock, EventLog, Queue, RequestStore, Sealer

MOST_REPEATS = 100
"""How often a key is tried again after ends without an effect. Each try is one more round trip for every later one."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The queue has the request, now or since an earlier call with the same key."""

    request_id: str
    request: CreateRequest
    operation: str
    status: str = "dispatched"
    """For a replay: what the request has become."""
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class _Ready:
    """A request that is ready for the queue."""

    request: CreateRequest
    envelope: Envelope
    claim: Claim
    message_bytes: int

    @property
    def request_id(self) -> str:
        return self.envelope.request_id

    @property
    def key(self) -> str:
        """The caller's idempotency key, or the one that stands for a request without one."""
        return self.request.idempotency_key or key_for(self.request_id)

    def again(self) -> _Ready:
        """Return the same request under the id that follows this one."""
        request_id = request_id_for_next_try(self.request_id)
        envelope = replace(self.envelope, request_id=request_id)
        return replace(self, envelope=envelope, claim=self.claim.under(request_id))


class Acceptor:
    """The API's one service."""

    def __init__(
        self,
        *,
        queue: Queue,
        sealer: Sealer,
        requests: RequestStore,
        clock: Clock,
        log: EventLog,
        queue_tenant: str,
    ) -> None:
        self._queue = queue
        self._sealer = sealer
        self._requests = requests
        self._clock = clock
        self._log = log
        self._queue_tenant = queue_tenant

    def accept(self, request: CreateRequest, principal: Principal) -> Accepted:
        """Accept one request. Raises what refuses it: a `BadRequest`, or `Unavailable`."""
        (result,) = self.accept_all([request], principal)
        if isinstance(result, PaydispatchError):
            raise result
        return result

    def accept_all(
        self, requests: Sequence[CreateRequest | PaydispatchError], principal: Principal
    ) -> Sequence[Accepted | PaydispatchError]:
        """Accept each, in order; a refused one stands in its place as its error and stops no other."""
        sealer = _SealerOfOneCall(self._sealer)
        prepared = [self._prepare(request, principal, sealer) for request in requests]
        claimed = self._claim(prepared)
        failures = self._send([item for item in claimed if isinstance(item, _Ready)])
        return [self._answer(item, failures) for item in claimed]

    # Check and seal

    def _prepare(
        self, request: CreateRequest | PaydispatchError, principal: Principal, sealer: Sealer
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

    def _seal(self, request: CreateRequest, principal: Principal, sealer: Sealer) -> _Ready:
        now_s = self._clock.now_s()
        check_size(json.dumps(request.params))  # before the schema: too large is the plainer answer
        require_valid_params(request.object, request.params)
        asker = str(principal)
        sealed = new_envelope(
            request,
            principal=asker,
            request_id=self._request_id(request, principal, now_s),
            now_s=now_s,
            sealed_secret=sealer.seal(request.credential, request.binding(asker)),
        )
        claim = claim_of(sealed, self._queue_tenant, now_s)
        envelope = replace(sealed, fingerprint=claim.fingerprint)
        return _Ready(request, envelope, claim, check_size(envelope.as_message()))

    def _request_id(self, request: CreateRequest, principal: Principal, now_s: float) -> str:
        if request.idempotency_key is None:
            return new_request_id(now_s)
        space = key_space(principal.tenant, self._queue_tenant)
        return request_id_for_key(space, request.idempotency_key)

    # Claim

    def _claim(
        self, prepared: Sequence[_Ready | PaydispatchError]
    ) -> Sequence[_Ready | Accepted | PaydispatchError]:
        """Return what each claim decides: the request may go to the queue, or it is a replay or a conflict."""
        ready = [item for item in prepared if isinstance(item, _Ready)]
        try:
            decided = iter([_decide(item, state) for item, state in self._claim_ids(ready)])
        except Unavailable as error:
            self._log.warning("request.not_claimed", requests=len(ready), why=str(error))
            decided = iter([_unclaimed(item, error) for item in ready])
        return [next(decided) if isinstance(item, _Ready) else item for item in prepared]

    def _claim_ids(
        self, items: Sequence[_Ready], repeats: int = MOST_REPEATS
    ) -> Sequence[tuple[_Ready, SlotState]]:
        """Claim in one round trip, and once more for those whose id ended without an effect, under the next id.

        Each next id follows from the one before, so two calls at once under one key take the same.
        """
        if not items:
            return []
        states = self._requests.claim([item.claim for item in items])
        found = list(zip(items, states, strict=True))
        if repeats == 0:
            return found
        over = [item.again() for item, state in found if _ended_without_effect(state)]
        later = iter(self._claim_ids(over, repeats - 1))
        return [next(later) if _ended_without_effect(pair[1]) else pair for pair in found]

    # Send

    def _send(self, items: Sequence[_Ready]) -> Mapping[str, Unavailable]:
        """Send each id once. Return {request_id: why} for those that the queue did not say yes to."""
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
        """Note that the queue has these. If Redis is away, the Stripe caller notes it."""
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
            self._note_accepted(item)
            return _accepted(item)
        maybe = isinstance(error, MaybeAccepted)
        event = "request.maybe_queued" if maybe else "request.not_queued"
        self._log.warning(event, request_id=item.request_id, why=str(error))
        return _maybe_accepted(item) if maybe else _not_accepted()

    def _note_accepted(self, item: _Ready) -> None:
        envelope = item.envelope
        self._log.info(
            "request.accepted",
            **log_ids(envelope),
            lane=envelope.lane.value,
            message_bytes=item.message_bytes,
            traceparent=envelope.traceparent,
        )


class _SealerOfOneCall:
    """`Sealer` that asks no more once the key service was away, because every item would wait for the same failure."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._away: Unavailable | None = None

    def seal(self, credential: Credential, binding: Binding) -> str:
        if self._away is not None:
            raise self._away
        try:
            return self._sealer.seal(credential, binding)
        except Unavailable as error:
            self._away = error
            raise


def _decide(item: _Ready, state: SlotState) -> _Ready | Accepted | PaydispatchError:
    if not state.owned:
        return IdempotencyConflict(item.key)
    if _ended_without_effect(state):
        return IdempotencyKeyUsedUp(item.key, MOST_REPEATS)
    if state.queued or state.status:
        return _accepted(item, status=state.status or "dispatched", replayed=True)
    return item  # claimed now, or before by a call whose message the queue is not known to have


def _ended_without_effect(state: SlotState) -> bool:
    """Whether the key may be tried again: nothing was created, and Stripe keeps no answer under the id."""
    return state.owned and state.status == "failed" and not state.answered


def _unclaimed(item: _Ready, error: Unavailable) -> _Ready | Unavailable:
    """Without the claim a key could stand for two requests. A request without a key has a random id."""
    return error if item.request.idempotency_key else item


def _accepted(item: _Ready, *, status: str = "dispatched", replayed: bool = False) -> Accepted:
    return Accepted(item.request_id, item.request, item.envelope.operation, status, replayed)


def _not_accepted() -> Unavailable:
    return Unavailable("The queue cannot be reached. The request was not accepted.")


def _maybe_accepted(item: _Ready) -> MaybeAccepted:
    return MaybeAccepted(
        "The queue's answer was lost. The request may have been accepted.",
        request_id=item.request_id,
        idempotency_key=item.key,
    )
