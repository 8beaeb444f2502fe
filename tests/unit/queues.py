"""Request queues that fail in one way each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.errors import MaybeAccepted, Unavailable
from paydispatch.testing.memory_queues import MemoryRequestQueue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.domain.envelope import Envelope


class LosingQueue(MemoryRequestQueue):
    """A queue that takes every message and loses its answer."""

    def send(self, envelopes: Sequence[Envelope]) -> Mapping[str, Unavailable]:
        self.take(envelopes)
        return {sent.request_id: MaybeAccepted("Read timeout on AWS") for sent in envelopes}


class HalfQueue(MemoryRequestQueue):
    """A queue that refuses every second message."""

    def send(self, envelopes: Sequence[Envelope]) -> Mapping[str, Unavailable]:
        self.take(envelopes[::2])
        return {refused.request_id: Unavailable("InternalError") for refused in envelopes[1::2]}
