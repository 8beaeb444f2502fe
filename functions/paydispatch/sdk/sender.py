"""The Sender: a bounded buffer, and a thread that sends requests from it to the queue."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from paydispatch.domain.credentials import redact
from paydispatch.domain.errors import (
    BufferFull,
    MaybeAccepted,
    NoDispatcher,
    NotDelivered,
    PaydispatchError,
    Unavailable,
)
from paydispatch.domain.requests import Lane
from paydispatch.domain.retry import backoff_s

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from paydispatch.sdk.delivery import Delivery, PreparedRequest
    from paydispatch.sdk.receipt import Receipt

QUIET_S = 0.005
LONGEST_LINGER_S = 0.1
"""The thread sends a burst when no request has come for `QUIET_S`, or when `LONGEST_LINGER_S` is over. Until then it
does not take the interpreter from the callers, because it would delay some of them for milliseconds."""

UPKEEP_EVERY_S = 60.0
LONGEST_PAUSE_S = 5.0

_log = logging.getLogger("paydispatch.sdk.dispatcher")


class Pending:
    """A request on its way, its receipt, and the time (monotonic seconds) until which it is sent again."""

    __slots__ = ("give_up_at", "in_doubt", "last_error", "prepared", "receipt")

    def __init__(self, prepared: PreparedRequest, receipt: Receipt, give_up_at: float) -> None:
        self.prepared = prepared
        self.receipt = receipt
        self.give_up_at = give_up_at
        self.in_doubt = False
        """Whether the answer to any attempt was lost. A later refusal does not change that."""
        self.last_error: PaydispatchError | None = None

    def note_failure(self, error: PaydispatchError) -> None:
        self.last_error = error
        self.in_doubt = self.in_doubt or isinstance(error, MaybeAccepted)

    def final_error(self) -> PaydispatchError:
        """Return the error of the receipt if the request is given up now."""
        error = self.last_error
        if self.in_doubt and not isinstance(error, MaybeAccepted):
            return MaybeAccepted(
                f"An answer was lost, so the request may have been accepted. {error or ''}".strip()
            )
        return error or Unavailable("The Dispatcher was closed before it sent the request.")


class LaneBuffer:
    """The requests that wait, in order. Interactive ones leave first, so that a payment passes any batch work.

    Its methods take no lock: one thread takes, and any thread appends.
    """

    def __init__(self) -> None:
        self._interactive: deque[Pending] = deque()
        self._batch: deque[Pending] = deque()

    def append(self, pending: Pending) -> None:
        urgent = pending.prepared.lane is Lane.INTERACTIVE
        (self._interactive if urgent else self._batch).append(pending)

    def take(self, most: int) -> list[Pending]:
        """Take up to `most` requests. Batch work fills the rest, so that a few payments never keep it waiting."""
        taken: list[Pending] = []
        for requests in (self._interactive, self._batch):
            count = min(len(requests), most - len(taken))
            taken += [requests.popleft() for _ in range(count)]
        return taken

    def __len__(self) -> int:
        return len(self._interactive) + len(self._batch)


class Sender:
    """One buffer and its thread, for one process and one run of a Dispatcher.

    `put` takes no lock, because the thread may hold it for milliseconds. Receipts get their results under the lock.
    """

    def __init__(self, delivery: Delivery, *, buffer_size: int, delivery_timeout_s: float) -> None:
        self._delivery = delivery
        self._buffer_size = buffer_size
        self._delivery_timeout_s = delivery_timeout_s
        self._buffer = LaneBuffer()
        self._undelivered: dict[Pending, None] = {}
        self._offered: Sequence[Pending] = ()
        """The batch that the delivery is sending."""
        self._failed: deque[Receipt] = deque(maxlen=buffer_size)
        """The receipts that were given up since the last flush. The log shows those that no longer fit here."""
        self._wake = threading.Event()
        self._over = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="paydispatch", daemon=True)
        self.closing = False

    def start(self) -> None:
        self._thread.start()

    def check_room(self) -> None:
        """Raise `BufferFull` if the buffer has no room for a request."""
        if len(self._undelivered) >= self._buffer_size:
            raise BufferFull(self._buffer_size)

    def put(self, prepared: PreparedRequest, receipt: Receipt, *, in_doubt: bool = False) -> None:
        """Put a request into the buffer. Raises `NoDispatcher` if the Sender has ended meanwhile."""
        pending = Pending(prepared, receipt, time.monotonic() + self._delivery_timeout_s)
        pending.in_doubt = in_doubt
        self._undelivered[pending] = None
        self._buffer.append(pending)
        if self._over.is_set():
            self._end()  # again, because this request came after the first call
            raise NoDispatcher
        if not self._wake.is_set():
            self._wake.set()

    def flush(self, timeout_s: float) -> None:
        """Wait until no request is on its way. Raises `NotDelivered` with the failed and the late requests."""
        with self._changed:
            self._changed.wait_for(lambda: not self._undelivered, timeout_s)
            self._raise_undelivered(self.undelivered_receipts())

    def stop(self, timeout_s: float) -> None:
        """Send the buffered requests and end the thread. Then raise `NotDelivered` with the requests that are left.

        If the thread still hangs in a call after `timeout_s`, leave it. It is a daemon, and its result is ignored.
        """
        self.closing = True
        self._wake.set()
        try:
            self._thread.join(timeout_s)
        finally:
            self._end()
        with self._changed:
            self._raise_undelivered([])

    def undelivered_receipts(self) -> list[Receipt]:
        return [pending.receipt for pending in tuple(self._undelivered)]

    def _raise_undelivered(self, under_way: Sequence[Receipt]) -> None:
        failed = list(self._failed)
        self._failed.clear()
        if failed or under_way:
            raise _not_delivered(failed, under_way)

    def _work(self) -> None:
        """Run the thread: wait for a burst of requests, and send it."""
        upkeep_at = time.monotonic() + UPKEEP_EVERY_S
        try:
            while not self._over.is_set() and not (self.closing and not self._buffer):
                self._wake.wait(UPKEEP_EVERY_S)
                self._wake.clear()
                self._send_all()
                if time.monotonic() >= upkeep_at:
                    self._delivery.upkeep()
                    upkeep_at = time.monotonic() + UPKEEP_EVERY_S
        finally:
            self._end()

    def _send_all(self) -> None:
        while self._buffer and not self._over.is_set():
            self._wait_for_burst()
            self._send_batch(self._buffer.take(self._delivery.batch_limit))

    def _wait_for_burst(self) -> None:
        until = time.monotonic() + LONGEST_LINGER_S
        count = -1
        while not self.closing and len(self._buffer) != count and time.monotonic() < until:
            count = len(self._buffer)
            time.sleep(QUIET_S)

    def _send_batch(self, batch: Sequence[Pending]) -> None:
        """Send a batch again and again, until each request is durable, refused, or out of time."""
        attempt = 0
        while batch := self._offer(batch):
            attempt += 1
            self._over.wait(min(backoff_s(attempt, random.random()), LONGEST_PAUSE_S))

    def _offer(self, batch: Sequence[Pending]) -> list[Pending]:
        """Make one call. Return the requests that must be sent again."""
        with self._changed:
            if self._over.is_set():
                return []
            self._offered = batch
        results = self._deliver([pending.prepared for pending in batch])
        with self._changed:
            self._offered = ()
            if self._over.is_set():
                return []  # too late, because `_end` has set these receipts to unknown
            return self._settle(zip(batch, results, strict=True))

    def _deliver(
        self, prepared_requests: Sequence[PreparedRequest]
    ) -> Sequence[str | PaydispatchError]:
        """Send, and return a `MaybeAccepted` for each request after a fault in the delivery.

        A fault must not end the thread, and it is unknown whether the delivery sent the requests before it.
        """
        try:
            return self._delivery.deliver(prepared_requests)
        except Exception as error:
            fault = MaybeAccepted(redact(f"{type(error).__name__}: {error}"))
            return [fault] * len(prepared_requests)

    def _settle(self, results: Iterable[tuple[Pending, str | PaydispatchError]]) -> list[Pending]:
        """Under the lock: set the receipts of durable and given-up requests. Return the others."""
        now = time.monotonic()
        again: list[Pending] = []
        given_up: list[Pending] = []
        for pending, result in results:
            if isinstance(result, str):
                pending.receipt.mark_durable(result)
                del self._undelivered[pending]
                continue
            pending.note_failure(result)
            worth_it = isinstance(result, Unavailable) and now < pending.give_up_at
            (again if worth_it else given_up).append(pending)
        self._give_up(given_up)
        return again

    def _end(self) -> None:
        """Accept no more requests, and set the failure of each receipt that is left."""
        self._over.set()
        with self._changed:
            for pending in self._offered:
                pending.in_doubt = True
            self._give_up(tuple(self._undelivered))

    def _give_up(self, pendings: Sequence[Pending]) -> None:
        """Under the lock: set the failure of each receipt, and log them."""
        for pending in pendings:
            pending.receipt.mark_failed(pending.final_error(), pending.prepared)
            del self._undelivered[pending]
        failed = [pending.receipt for pending in pendings]
        if failed:
            self._failed.extend(failed)
            _log.error("%s", _not_delivered(failed, ()))
        self._changed.notify_all()


def _not_delivered(failed: Sequence[Receipt], under_way: Sequence[Receipt]) -> NotDelivered:
    unknown = [receipt for receipt in failed if isinstance(receipt.failure, MaybeAccepted)]
    refused = [receipt for receipt in failed if not isinstance(receipt.failure, MaybeAccepted)]
    causes = sorted({str(receipt.failure) for receipt in failed})
    return NotDelivered(
        refused=refused, unknown=unknown, under_way=under_way, cause=" ".join(causes)
    )
