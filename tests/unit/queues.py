"""Request queues with a trouble of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.errors import MaybeAccepted, Unavailable
from paydispatch.testing.memory import MemoryRequestQueue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.domain.envelope import Envelope


class LosingQueue(MemoryRequestQueue):
    """Takes every message, and its answer is lost."""

    def send(self, envelopes: Sequence[Envelope]) -> Mapping[str, Unavailable]:
        self.take(envelopes)
        return {sent.request_id: MaybeAccepted("Read timeout on AWS") for sent in envelopes}


class HalfQueue(MemoryRequestQueue):
    """Refuses every second message."""

    def send(self, envelopes: Sequence[Envelope]) -> Mapping[str, Unavailable]:
        self.take(envelopes[::2])
        return {refused.request_id: Unavailable("InternalError") for refused in envelopes[1::2]}
