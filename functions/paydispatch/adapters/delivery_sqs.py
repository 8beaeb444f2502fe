"""`Delivery` straight to SQS: the key is sealed in the caller's thread, under a data key fetched beforehand."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import boto3

from paydispatch.adapters.aws_errors import CLIENT_CONFIG
from paydispatch.adapters.clock import SystemClock
from paydispatch.adapters.kms import KmsSealer
from paydispatch.adapters.sqs import SqsQueue
from paydispatch.delivery import Parcel
from paydispatch.domain.envelope import check_size
from paydispatch.domain.errors import PaydispatchError, Unavailable
from paydispatch.domain.identity import new_request_id, request_id_for_key
from paydispatch.domain.principal import QUEUE
from paydispatch.domain.resources import RESOURCES
from paydispatch.domain.schema import check_params
from paydispatch.services.accept import seal_request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.domain.requests import CreateRequest
    from paydispatch.ports import Clock
    from paydispatch.settings import SdkSettings

_log = logging.getLogger("paydispatch.dispatcher")


class SqsDelivery:
    batch_limit = 500
    """Fifty calls' worth in one turn of the thread."""

    def __init__(self, queue: SqsQueue, sealer: KmsSealer, clock: Clock) -> None:
        self._queue = queue
        self._sealer = sealer
        self._clock = clock

    def open(self) -> None:
        """Fetch the data key and compile the schemas now: the first `create_async` shall be as quick as the rest."""
        self._sealer.warm(QUEUE)
        for resource in RESOURCES:
            check_params(resource.name, {})

    def prepare(self, request: CreateRequest) -> Parcel:
        now_s = self._clock.now_s()
        key = request.idempotency_key
        request_id = request_id_for_key(QUEUE, key) if key else new_request_id(now_s)
        envelope = seal_request(
            request, principal=QUEUE, request_id=request_id, now_s=now_s, sealer=self._sealer
        )
        text = envelope.as_message()
        check_size(text)
        return Parcel(request_id, text, request.lane)

    def deliver(self, parcels: Sequence[Parcel]) -> Sequence[str | PaydispatchError]:
        refused: dict[str, Unavailable] = {}
        for lane in {parcel.lane for parcel in parcels}:
            messages = [
                (parcel.request_id, parcel.text) for parcel in parcels if parcel.lane is lane
            ]
            refused |= self._queue.send_messages(lane, messages)
        return [refused.get(parcel.request_id, parcel.request_id) for parcel in parcels]

    def upkeep(self) -> None:
        """A data key lives on until it is replaced, so a KMS that is away for a while is only a log line."""
        try:
            self._sealer.warm(QUEUE)
        except Unavailable as error:
            _log.warning("The sealing key could not be renewed: %s", error)

    def close(self) -> None:
        """boto3 clients close with the process."""


def sqs_delivery(settings: SdkSettings) -> SqsDelivery:
    clock = SystemClock()
    queue = SqsQueue(boto3.client("sqs", config=CLIENT_CONFIG), settings.queue_urls)
    sealer = KmsSealer(
        boto3.client("kms", config=CLIENT_CONFIG),
        settings.sealing_key_id,
        clock,
        renews_itself=False,
    )
    return SqsDelivery(queue, sealer, clock)
