"""The outcome of a request, for a program that waits for it.

It is a look at the outcome and no promise. The flow of the request runs all the same.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Literal, Protocol

from paydispatch.domain.errors import (
    BadSetting,
    IdempotencyKeyReused,
    PaydispatchError,
    Unavailable,
)
from paydispatch.domain.outcomes import Error
from paydispatch.domain.parsed_error import ParsedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
_GROWTH = 1.5

Status = Literal["succeeded", "failed", "unknown"]


class AskedRequest(Protocol):
    """A dispatched request, as its receipt shows it."""

    request_id: str
    operation: str
    worker_id: str
    context_id: str

    @property
    def fingerprint(self) -> str | None: ...

    def wait(self, timeout_s: float | None = None) -> object: ...

    def __await__(self) -> Generator[object, None, object]: ...


class OutcomeReader(Protocol):
    """Reads the status of a request. Both methods wait up to `within_s` for a settled one, if the other side can.

    They return the fields of the API's status, or None if no such request is known (yet). With a `fingerprint` they
    raise `IdempotencyKeyReused` if the id stands for another request. They raise `Unavailable` if the status cannot be
    read now, and another `PaydispatchError` if it never can.
    """

    def read(
        self, request_id: str, fingerprint: str | None, within_s: float
    ) -> Mapping[str, Any] | None: ...

    async def read_async(
        self, request_id: str, fingerprint: str | None, within_s: float
    ) -> Mapping[str, Any] | None: ...


class Outcome:
    """How a request ended. In a coroutine await it first: `outcome = await receipt.outcome(10)`."""

    __slots__ = ("_ask", "_told")

    def __init__(
        self,
        told: Mapping[str, Any] | None,
        ask: Callable[[], Awaitable[Mapping[str, Any]]] | None = None,
    ) -> None:
        """`told` are the fields of the API's status. Without them `ask` reads them, when the outcome is awaited."""
        self._told = told
        self._ask = ask

    def __await__(self) -> Generator[Any, None, Outcome]:
        if self._told is None and self._ask is not None:
            self._told = yield from self._ask().__await__()
        return self

    @property
    def status(self) -> Status:
        """`succeeded`, `failed`, or `unknown`: Stripe may have executed the request, and that may be settled later."""
        status: Status = self._fields["status"]
        return status

    @property
    def settled(self) -> bool:
        """Whether this is the last outcome of the request."""
        return self.status != "unknown"

    @property
    def request_id(self) -> str:
        return str(self._fields["request_id"])

    @property
    def attempts(self) -> int:
        """The number of calls to Stripe."""
        return int(self._fields["attempts"])

    @property
    def parsed_data(self) -> Mapping[str, Any] | None:
        """Stripe's JSON answer. None: it failed, or the answer is too large for the API (the flow gets it in full)."""
        return self._fields.get("parsed_data")

    @property
    def parsed_error(self) -> ParsedError | None:
        """The error that the error flow gets. None: it succeeded."""
        error = self._fields.get("parsed_error")
        return None if error is None else ParsedError(Error.from_dict(error))

    @property
    def _fields(self) -> Mapping[str, Any]:
        if self._told is None:
            raise RuntimeError(
                "Await this outcome first: outcome = await receipt.outcome(timeout_s)"
            )
        return self._told

    def __repr__(self) -> str:
        if self._told is None:
            return "<Outcome, not awaited yet>"
        return f"<Outcome {self.status} of {self.request_id}>"


def outcome_of(receipt: AskedRequest, reader: OutcomeReader | None, timeout_s: float) -> Outcome:
    """Return the outcome of a receipt's request. In an event loop it is read when it is awaited.

    Raises as `Receipt.outcome` does.
    """
    look = _Look(receipt, _require(reader), timeout_s)
    return Outcome(None, look.wait_async) if _runs_in_event_loop() else Outcome(look.wait())


def _require(reader: OutcomeReader | None) -> OutcomeReader:
    if reader is None:
        raise BadSetting(
            "This Dispatcher writes to the queue and cannot read outcomes. Give it the address of the HTTP API: "
            "PAYDISPATCH_API_URL, or Dispatcher.from_env(status_url=...)."
        )
    return reader


def _runs_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _Look:
    """Looks at the status of one request until it is settled or the time is over."""

    def __init__(self, receipt: AskedRequest, reader: OutcomeReader, timeout_s: float) -> None:
        self._receipt = receipt
        self._reader = reader
        self._timeout_s = timeout_s
        self._until = time.monotonic() + timeout_s
        self._last: Mapping[str, Any] | None = None
        self._error: Unavailable | None = None

    def wait(self) -> Mapping[str, Any]:
        self._receipt.wait(self._timeout_s)
        for pause_s in pauses_s():
            try:
                self._take(self._reader.read(*self._asked()))
            except Unavailable as error:
                self._error = error
            if self._is_over():
                break
            time.sleep(min(pause_s, self._left_s()))
        return self._result()

    async def wait_async(self) -> Mapping[str, Any]:
        async with asyncio.timeout(self._timeout_s):
            await self._receipt
        for pause_s in pauses_s():
            try:
                async with asyncio.timeout(self._left_s()):
                    self._take(await self._reader.read_async(*self._asked()))
            except TimeoutError:
                break
            except Unavailable as error:
                self._error = error
            if self._is_over():
                break
            await asyncio.sleep(min(pause_s, self._left_s()))
        return self._result()

    def _asked(self) -> tuple[str, str | None, float]:
        return self._receipt.request_id, self._receipt.fingerprint, self._left_s()

    def _left_s(self) -> float:
        return max(0.0, self._until - time.monotonic())

    def _take(self, status: Mapping[str, Any] | None) -> None:
        if status is not None:
            _check_same(self._receipt, status)
            self._last = status

    def _is_over(self) -> bool:
        return self._has("succeeded", "failed") or self._left_s() <= 0

    def _has(self, *statuses: str) -> bool:
        return self._last is not None and self._last.get("status") in statuses

    def _result(self) -> Mapping[str, Any]:
        if self._last is not None and self._has("succeeded", "failed", "unknown"):
            return self._last
        known = "not known yet" if self._last is None else self._last.get("status")
        why = f" ({self._error})" if self._error else ""
        raise TimeoutError(
            f"No outcome within {self._timeout_s:g} s: {self._receipt}, {known}{why}"
        )


def pauses_s() -> Iterator[float]:
    """Yield the seconds between two looks. They grow, because an outcome that is late may be very late."""
    pause_s = FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(pause_s * _GROWTH, LONGEST_PAUSE_S)


def _check_same(receipt: AskedRequest, status: Mapping[str, Any]) -> None:
    """Raise `IdempotencyKeyReused` for the status of another request, which an idempotency key may stand for."""
    told = (status.get("operation"), status.get("worker_id"), status.get("context_id"))
    if told != (receipt.operation, receipt.worker_id, receipt.context_id):
        raise IdempotencyKeyReused.of_request(receipt.request_id)
    if receipt.fingerprint is not None and status.get("fingerprint") != receipt.fingerprint:
        raise PaydispatchError(
            "The API is older than this SDK: it does not say which request the idempotency key stands for."
        )
