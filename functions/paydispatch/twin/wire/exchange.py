"""The state of one call in the twin, and the instructions to the transport."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING

from paydispatch.twin.events.event import Cause
from paydispatch.twin.faults import Verdict
from paydispatch.twin.idempotency import Saved
from paydispatch.twin.wire.calls import Answer, Ending

if TYPE_CHECKING:
    from paydispatch.twin.accounts import Account
    from paydispatch.twin.idempotency import Entry
    from paydispatch.twin.ledger import Attempt
    from paydispatch.twin.wire.calls import Call
    from paydispatch.twin.wire.errors import StripeError
    from paydispatch.twin.wire.requests import Request

_ENDINGS = {"reset": Ending.RESET, "cut_off": Ending.CUT_OFF, "hang": Ending.HANG}
_ECHOED = ("Idempotency-Key", "Stripe-Account", "Stripe-Context")
_NOT_JSON = (
    b"<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>\n"
)


class Exchange:
    """The answer to one call. The twin fills it, and the transport reads `delay_ms`, `ending` and `final_answer()`."""

    def __init__(self, call: Call, request_id: str, default_version: str, now_s: float) -> None:
        self.request_id = request_id
        self.call_headers = call.headers
        self.cause = Cause(request_id)
        """The call as the cause of the events that it leads to."""
        self.verdict = Verdict()
        self.attempt: Attempt | None = None
        self.entry: Entry | None = None
        self.in_flight: tuple[Account, str] | None = None
        """The account and the operation that the call counts against until it is settled."""
        self._headers = {
            "Date": formatdate(now_s, usegmt=True),
            "Request-Id": request_id,
            "Stripe-Version": call.headers.get("stripe-version", default_version),
        }
        for name in _ECHOED:
            if name.lower() in call.headers:
                self._headers[name] = call.headers[name.lower()]
        self._status = 500
        self._body = b""

    @property
    def stripe_version(self) -> str:
        """The version of Stripe's API that the call names, or else the default."""
        return self._headers["Stripe-Version"]

    @property
    def delay_ms(self) -> float:
        return self.verdict.delay_ms

    @property
    def ending(self) -> Ending:
        return _ENDINGS.get(self.verdict.kind or "", Ending.WHOLE)

    @property
    def seen_status(self) -> int | None:
        """The status that the client receives, or None if it receives no answer."""
        return None if self.ending in (Ending.RESET, Ending.HANG) else self.final_answer().status

    def meet(self, request: Request, verdict: Verdict) -> None:
        """Record the request of the call and the fault that applies to it."""
        self.verdict = verdict
        if self.attempt is not None:
            self.attempt.object = request.collection.name
            self.attempt.operation = request.operation.name if request.operation else None
            self.attempt.fault = verdict.kind
            self.attempt.fault_id = verdict.rule_id

    def answer(self, status: int, body: bytes) -> None:
        self._status, self._body = status, body

    def refuse(self, error: StripeError) -> None:
        self.answer(error.status, error.body(self.request_id))
        self._headers.update(error.headers)

    def replay(self, saved: Saved) -> None:
        self.answer(saved.status, saved.body)
        self._headers["Idempotent-Replayed"] = "true"
        self._headers["Original-Request"] = saved.request_id
        if self.attempt is not None:
            self.attempt.replayed = True

    def to_saved(self) -> Saved:
        """Return the answer in the form that the idempotency layer saves."""
        return Saved(self._status, self._body, self.request_id)

    def final_answer(self) -> Answer:
        """Return the answer to send. For the fault `not_json` that is a gateway's error page."""
        if self.verdict.kind == "not_json":
            return Answer(502, _NOT_JSON, self._headers, "text/html")
        return Answer(self._status, self._body, self._headers)
