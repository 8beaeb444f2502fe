"""Accept: validate, seal, enqueue, answer. What is accepted is on the queue; what is refused left no trace."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.domain.credentials import Binding, SecretRef
from paydispatch.domain.envelope import Envelope, check_size
from paydispatch.domain.errors import (
    IdempotencyConflict,
    InvalidParams,
    PaydispatchError,
    Unavailable,
)
from paydispatch.domain.identity import new_request_id, request_id_for_key
from paydispatch.domain.resources import resource_named
from paydispatch.domain.retry import Progress
from paydispatch.domain.schema import check_params
from paydispatch.domain.units import DEFAULT_DEADLINE_S
from paydispatch.ports import RequestRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.domain.principal import Principal
    from paydispatch.domain.requests import CreateRequest
    from paydispatch.ports import Claim, Clock, Journal, Queue, RequestBoard, Sealer


@dataclass(frozen=True, slots=True)
class Accepted:
    """The queue has the request, now or since an earlier call with the same key."""

    request_id: str
    request: CreateRequest
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A request that is ready for the queue."""

    request: CreateRequest
    envelope: Envelope
    message_bytes: int
    fingerprint: str


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
        principal=principal,
        traceparent=request.traceparent,
    )


class Acceptor:
    """The door's one service."""

    def __init__(
        self, *, queue: Queue, sealer: Sealer, board: RequestBoard, clock: Clock, journal: Journal
    ) -> None:
        self._queue = queue
        self._sealer = sealer
        self._board = board
        self._clock = clock
        self._journal = journal

    def accept(self, request: CreateRequest, principal: Principal) -> Accepted:
        """Accept one request. Raises what refuses it: a `BadRequest`, or `Unavailable`."""
        (result,) = self.accept_all([request], principal)
        if isinstance(result, PaydispatchError):
            raise result
        return result

    def accept_all(
        self, requests: Sequence[CreateRequest | PaydispatchError], principal: Principal
    ) -> list[Accepted | PaydispatchError]:
        """Accept each, in order; a refused one stands in its place as its error and stops no other."""
        results: list[Any] = [self._sealed_or_error(request, principal) for request in requests]
        self._settle_keys(results)
        self._enqueue(results, principal)
        return results

    def _sealed_or_error(
        self, request: CreateRequest | PaydispatchError, principal: Principal
    ) -> _Sealed | PaydispatchError:
        if isinstance(request, PaydispatchError):
            return request
        try:
            return self._sealed(request, str(principal))
        except PaydispatchError as error:
            return error

    def _sealed(self, request: CreateRequest, principal: str) -> _Sealed:
        now_s = self._clock.now_s()
        key = request.idempotency_key
        request_id = request_id_for_key(principal, key) if key else new_request_id(now_s)
        check_size(json.dumps(request.params))  # before the schema: too large is the plainer answer
        envelope = seal_request(
            request, principal=principal, request_id=request_id, now_s=now_s, sealer=self._sealer
        )
        size = check_size(envelope.as_message())
        return _Sealed(request, envelope, size, fingerprint(request) if key else "")

    def _settle_keys(self, results: list[Any]) -> None:
        """Replace what an idempotency key already decides: a replay, or a conflict."""
        keyed = [(place, item) for place, item in enumerate(results) if _has_key(item)]
        if not keyed:
            return
        first_bodies: dict[str, str] = {}
        for _, item in keyed:
            first_bodies.setdefault(item.envelope.request_id, item.fingerprint)
        try:
            claims = self._board.claim(first_bodies)
        except Unavailable as error:
            # Without the board the same key could stand for two bodies: nothing is accepted under a key.
            for place, _ in keyed:
                results[place] = error
            return
        for place, item in keyed:
            same_batch = first_bodies[item.envelope.request_id] == item.fingerprint
            results[place] = _claimed(item, claims[item.envelope.request_id], same_batch)

    def _enqueue(self, results: list[Any], principal: Principal) -> None:
        ready = {item.envelope.request_id: item for item in results if isinstance(item, _Sealed)}
        if not ready:
            return
        try:
            refused = self._queue.send([item.envelope for item in ready.values()])
        except Unavailable as error:
            refused = dict.fromkeys(ready, error)
        self._note_queued([item for id_, item in ready.items() if id_ not in refused], principal)
        for place, item in enumerate(results):
            if isinstance(item, _Sealed):
                results[place] = self._answered(item, refused.get(item.envelope.request_id))

    def _answered(self, item: _Sealed, refusal: Unavailable | None) -> Accepted | Unavailable:
        if refusal is not None:
            self._journal.trouble(
                "request.not_queued", request_id=item.envelope.request_id, why=str(refusal)
            )
            return Unavailable("The queue cannot be reached; the request was not accepted.")
        envelope = item.envelope
        self._journal.line(
            "request.accepted",
            request_id=envelope.request_id,
            object=envelope.object,
            worker_id=envelope.worker_id,
            context_id=envelope.context_id,
            lane=envelope.lane.value,
            principal=envelope.principal,
            message_bytes=item.message_bytes,
            traceparent=envelope.traceparent,
        )
        return Accepted(envelope.request_id, item.request)

    def _note_queued(self, items: Sequence[_Sealed], principal: Principal) -> None:
        """Best effort: the queue has them, and the Stripe caller writes the status again anyway."""
        try:
            self._board.queued([_record(item.envelope, principal.tenant) for item in items])
        except Unavailable as error:
            self._journal.trouble("status.not_written", requests=len(items), why=str(error))


def fingerprint(request: CreateRequest) -> str:
    """A digest of everything the caller sent but the key itself: what "same body" means."""
    credential = request.credential
    named = credential.name if isinstance(credential, SecretRef) else credential.reveal()
    parts = [
        request.object,
        request.params,
        request.worker_id,
        request.context_id,
        named,
        request.lane.value,
        request.deadline_s,
        request.stripe_account,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _has_key(item: object) -> bool:
    return isinstance(item, _Sealed) and bool(item.request.idempotency_key)


def _claimed(
    item: _Sealed, claim: Claim, same_batch: bool
) -> _Sealed | Accepted | IdempotencyConflict:
    if not claim.same_body or not same_batch:
        return IdempotencyConflict(item.request.idempotency_key or "")
    if claim.queued:
        return Accepted(item.envelope.request_id, item.request, replayed=True)
    return item  # claimed before, but the queue never got it: send it now, under the same identity


def _record(envelope: Envelope, tenant: str) -> RequestRecord:
    return RequestRecord(
        request_id=envelope.request_id,
        tenant=tenant,
        object=envelope.object,
        worker_id=envelope.worker_id,
        context_id=envelope.context_id,
        status="dispatched",
    )


def status_of(board: RequestBoard, request_id: str, principal: Principal) -> dict[str, Any] | None:
    """Where the request stands, as the door answers it; None if it is not known, or another tenant's."""
    record = board.find(request_id)
    if record is None or record.tenant != principal.tenant:
        return None
    return shown_status(record)


def shown_status(record: RequestRecord) -> dict[str, Any]:
    """What is shown of a record: everything that is known but its tenant."""
    shown = {
        "request_id": record.request_id,
        "object": record.object,
        "status": record.status,
        "worker_id": record.worker_id,
        "context_id": record.context_id,
        "attempts": record.attempts,
        "retry_at": record.retry_at,
        "parsed_data": record.parsed_data,
        "parsed_error": record.parsed_error,
    }
    return {name: value for name, value in shown.items() if value is not None}
