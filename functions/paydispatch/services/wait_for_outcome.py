"""Wait for the outcome of a request, for a caller that prefers to. The flow of the outcome runs all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.claims import FINAL_STATUSES
from paydispatch.domain.errors import IdempotencyKeyReused, Unavailable
from paydispatch.services.status import find_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paydispatch.ports import Clock, RequestRecord, RequestStore

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
_GROWTH = 1.5


class OutcomeWaiter:
    """Looks at a request's slot at growing distances: some 30 times in 25 s."""

    def __init__(
        self,
        requests: RequestStore,
        clock: Clock,
        pause: Callable[[float], None],
        *,
        queue_tenant: str,
    ) -> None:
        self._requests = requests
        self._clock = clock
        self._pause = pause
        self._queue_tenant = queue_tenant

    def wait_after_acceptance(
        self, request_id: str, tenant: str, within_s: float
    ) -> RequestRecord | None:
        """Do the same as `wait` for a request that was accepted. If Redis is away, return None: it stays accepted."""
        try:
            return self.wait(request_id, tenant, within_s)
        except Unavailable:
            return None

    def wait(
        self, request_id: str, tenant: str, within_s: float, fingerprint: str | None = None
    ) -> RequestRecord | None:
        """Return the request when it is settled, or as it is after `within_s`. None: the tenant has no such request.

        With `fingerprint`, raises `IdempotencyKeyReused` if the id stands for another request. Raises `Unavailable`.
        """
        until = self._clock.now_s() + within_s
        record = self._look(request_id, tenant, fingerprint)
        for pause_s in pauses_s(within_s):
            if _is_settled(record) or self._clock.now_s() >= until:
                break
            self._pause(pause_s)
            record = self._look(request_id, tenant, fingerprint)
        return record

    def _look(self, request_id: str, tenant: str, fingerprint: str | None) -> RequestRecord | None:
        record = find_record(
            self._requests, request_id, tenant=tenant, queue_tenant=self._queue_tenant
        )
        if record is not None and fingerprint not in (None, record.fingerprint):
            raise IdempotencyKeyReused.of_request(request_id)
        return record


def pauses_s(within_s: float) -> Iterator[float]:
    """Yield the seconds between looks, `within_s` in all, so that no clock can make them endless."""
    pause_s, left_s = FIRST_PAUSE_S, within_s
    while left_s > 0:
        yield min(pause_s, left_s)
        left_s -= pause_s
        pause_s = min(pause_s * _GROWTH, LONGEST_PAUSE_S)


def _is_settled(record: RequestRecord | None) -> bool:
    return record is not None and record.status in FINAL_STATUSES
