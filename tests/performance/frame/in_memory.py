"""The SDK's way to SQS without a network: a queue that takes every message at once, and a KMS that has its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.adapters.aws.kms import KmsSealer
from paydispatch.adapters.aws.sqs_delivery import Clients, SqsDelivery
from paydispatch.adapters.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Kms:
    def generate_data_key(self, **_asked: Any) -> dict[str, bytes]:
        return {"Plaintext": bytes(32), "CiphertextBlob": b"wrapped" * 20}


class _Queue:
    def send_messages(self, _by_lane: Mapping[Any, Any]) -> dict[str, Any]:
        """Return the messages that the queue did not confirm: none."""
        return {}


def delivery_into_memory() -> SqsDelivery:
    """Return a delivery that checks, seals and writes as the real one does."""
    clock = SystemClock()
    kms: Any = _Kms()
    queue: Any = _Queue()
    return SqsDelivery(
        lambda: Clients(queue, KmsSealer(kms, "key", clock, renews_itself=False)), clock
    )
