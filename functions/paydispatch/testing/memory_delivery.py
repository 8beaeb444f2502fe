"""The in-memory twin of the Dispatcher's delivery."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from paydispatch.domain.claims import fingerprint_of
from paydispatch.domain.errors import MaybeAccepted, Unavailable
from paydispatch.domain.identity.principal import QUEUE
from paydispatch.domain.identity.request_ids import new_request_id, request_id_for_key
from paydispatch.domain.message.new_envelope import new_envelope
from paydispatch.domain.parameters.check import require_valid_params
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.domain.warm_operations import warm_operations
from paydispatch.sdk.delivery import PreparedRequest
from paydispatch.testing.memory_sealing import MemorySealer

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.errors import PaydispatchError
    from paydispatch.domain.requests import OperationRequest


class MemoryDelivery:
    """A `Delivery` of the Dispatcher. `envelopes` holds the accepted requests, in order."""

    way = "memory"
    batch_limit = 100

    def __init__(
        self,
        sealer: MemorySealer | None = None,
        *,
        stripe_api_version: str = STRIPE_API_VERSION,
    ) -> None:
        self.sealer = sealer or MemorySealer()
        self._stripe_api_version = stripe_api_version
        self.envelopes: list[Envelope] = []
        self.batches: list[int] = []
        """The number of requests of each call."""
        self.refusals: dict[str, PaydispatchError] = {}
        """{worker_id: error} for the workers with requests that the queue refuses for good."""
        self.away = False
        self.loses_answers = False
        """If True, the queue accepts all requests, but its answers are lost."""
        self.opened = False
        self._prepared: dict[str, Envelope] = {}

    def open(self) -> None:
        self.opened = True

    def warm(self, operations: Collection[str]) -> None:
        warm_operations(operations, self._stripe_api_version)

    def prepare(self, request: OperationRequest) -> PreparedRequest:
        now_s, key = time.time(), request.idempotency_key
        request_id = request_id_for_key("", key) if key else new_request_id(now_s)
        warnings = require_valid_params(
            request.operation.name,
            request.params,
            request.unchecked_params,
            self._stripe_api_version,
        )
        envelope = new_envelope(
            request,
            principal=QUEUE,
            request_id=request_id,
            now_s=now_s,
            sealed_secret=self.sealer.seal(request.credential, request.binding(QUEUE)),
        )
        self._prepared[request_id] = envelope
        return PreparedRequest(
            request_id,
            envelope.as_message(),
            request.lane,
            self.way,
            warnings,
            envelope.group,
            partial(fingerprint_of, envelope, "") if key else None,
        )

    def deliver(
        self, prepared_requests: Sequence[PreparedRequest]
    ) -> Sequence[str | PaydispatchError]:
        self.batches.append(len(prepared_requests))
        results = [self._accept(prepared) for prepared in prepared_requests]
        if self.loses_answers:
            return [MaybeAccepted("the answer of the queue was lost")] * len(prepared_requests)
        return results

    def _accept(self, prepared: PreparedRequest) -> str | PaydispatchError:
        if self.away:
            return Unavailable("the queue is unavailable")
        envelope = self._prepared[prepared.request_id]
        if envelope.worker_id in self.refusals:
            return self.refusals[envelope.worker_id]
        self.envelopes.append(envelope)
        return prepared.request_id

    def upkeep(self) -> None:
        """Do nothing, because there is no data key to replace."""

    def close(self) -> None:
        self.opened = False

    def forget_clients(self) -> None:
        self.opened = False
