"""`Delivery` straight to SQS: it seals the key in the caller's thread, under a data key that it fetched before."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import boto3

from paydispatch.adapters.aws.errors import SEAL_CONFIG, SEND_CONFIG
from paydispatch.adapters.aws.kms import KmsSealer
from paydispatch.adapters.aws.sqs import SqsQueue
from paydispatch.adapters.aws.sqs_sends import Message
from paydispatch.adapters.clock import SystemClock
from paydispatch.domain.claims import fingerprint_of
from paydispatch.domain.envelope import check_size
from paydispatch.domain.errors import NoDispatcher, PaydispatchError, Unavailable
from paydispatch.domain.identity.principal import QUEUE
from paydispatch.domain.identity.request_ids import new_request_id, request_id_for_key
from paydispatch.domain.message.new_envelope import new_envelope
from paydispatch.domain.parameters.check import check_params, require_valid_params
from paydispatch.domain.stripe.resources import RESOURCES
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.domain.warm_operations import warm_operations
from paydispatch.sdk.delivery import PreparedRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from paydispatch.domain.requests import Lane, OperationRequest
    from paydispatch.ports import Clock


_TENANT = ""
"""Any name will do: the queue's tenant is not part of a fingerprint, because a direct producer may not know it."""


class Clients(NamedTuple):
    queue: SqsQueue
    sealer: KmsSealer


class SqsDelivery:
    way = "sqs"
    batch_limit = 100
    """Ten calls of SendMessageBatch in one turn of the thread. A payment waits for one turn of batch work at most."""

    def __init__(
        self,
        connect: Callable[[], Clients],
        clock: Clock,
        *,
        stripe_api_version: str = STRIPE_API_VERSION,
    ) -> None:
        """`connect` makes new clients, which `open` keeps until `close` or `forget_clients`."""
        self._connect = connect
        self._clock = clock
        self._stripe_api_version = stripe_api_version
        self._clients: Clients | None = None

    def open(self) -> None:
        """Fetch the data key and compile the schemas, so that the first `create_async` is as quick as the rest."""
        self._clients = self._clients or self._connect()
        self._clients.sealer.warm(QUEUE)
        for resource in RESOURCES:
            check_params(resource.operation, {})

    def warm(self, operations: Collection[str]) -> None:
        warm_operations(operations, self._stripe_api_version)

    def prepare(self, request: OperationRequest) -> PreparedRequest:
        sealer = self._get_clients().sealer
        now_s = self._clock.now_s()
        key = request.idempotency_key
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
            sealed_secret=sealer.seal(request.credential, request.binding(QUEUE)),
        )
        text = envelope.as_message()
        check_size(text)
        fingerprint = partial(fingerprint_of, envelope, _TENANT) if key else None
        return PreparedRequest(
            request_id, text, request.lane, self.way, warnings, envelope.group, fingerprint
        )

    def deliver(
        self, prepared_requests: Sequence[PreparedRequest]
    ) -> Sequence[str | PaydispatchError]:
        by_lane: dict[Lane, list[Message]] = {}  # in the order of the requests, payments first
        for prepared in prepared_requests:
            message = Message(prepared.request_id, prepared.text, prepared.group)
            by_lane.setdefault(prepared.lane, []).append(message)
        unconfirmed = self._get_clients().queue.send_messages(by_lane)
        return [
            unconfirmed.get(prepared.request_id, prepared.request_id)
            for prepared in prepared_requests
        ]

    def upkeep(self) -> None:
        """Replace an old data key. The old key stays in use while KMS is unavailable, so a failure is only logged."""
        with suppress(Unavailable):  # the sealer has logged it
            self._get_clients().sealer.warm(QUEUE)

    def close(self) -> None:
        """Forget the clients, because a boto3 client closes when it is garbage-collected."""
        self._clients = None

    forget_clients = close

    def _get_clients(self) -> Clients:
        if self._clients is None:
            raise NoDispatcher
        return self._clients


def sqs_delivery(
    queue_urls: Mapping[Lane, str], sealing_key_id: str, *, stripe_api_version: str
) -> SqsDelivery:
    """Return the way straight to the queues of `queue_urls`, one per lane."""
    clock = SystemClock()

    def connect() -> Clients:
        # Make a session, because the default session of boto3 may hold a lock that a fork left locked.
        session = boto3.session.Session()
        queue = SqsQueue(session.client("sqs", config=SEND_CONFIG), queue_urls)
        kms = session.client("kms", config=SEAL_CONFIG)
        sealer = KmsSealer(kms, sealing_key_id, clock, renews_itself=False)
        return Clients(queue, sealer)

    return SqsDelivery(connect, clock, stripe_api_version=stripe_api_version)
