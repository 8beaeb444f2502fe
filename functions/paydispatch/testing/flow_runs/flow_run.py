"""The result of a flow that a test ran: its requests, its log, and the time after which it asked to run again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.domain.envelope import Envelope


@dataclass(frozen=True, slots=True)
class Dispatched:
    """One request that a flow dispatched. It would go to the queue when the flow returns."""

    operation: str
    """`capture_payment_intent`"""
    path: Mapping[str, str]
    """The ids in the path, by name: `{"intent": "pi_1"}`."""
    params: Mapping[str, Any]
    request_id: str
    """The same on every run of the flow."""
    lane: str
    stripe_account: str | None
    unchecked_params: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_envelope(cls, envelope: Envelope) -> Dispatched:
        return cls(
            operation=envelope.operation,
            path=envelope.path,
            params=envelope.params,
            request_id=envelope.request_id,
            lane=envelope.lane.value,
            stripe_account=envelope.stripe_account,
            unchecked_params=envelope.unchecked_params,
        )

    def __str__(self) -> str:
        named = [*map(repr, self.path.values()), *(f"{k}={v!r}" for k, v in self.params.items())]
        return f"{self.operation}({', '.join(named)})"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that the flow wrote with `flow.log`."""

    level: str
    """`WARNING`"""
    message: str

    def __str__(self) -> str:
        return f"{self.level} {self.message}"


@dataclass(frozen=True, slots=True)
class FlowRun:
    """The end of a flow's last run, and the requests of all its runs."""

    dispatched: Sequence[Dispatched]
    """Each request once, in order. A request that two runs dispatch under one id is one request."""
    logged: Sequence[LogLine]
    """The lines of all runs."""
    retry_after_s: float | None = None
    """The seconds of the `RetryLater` that the last run raised. None: it returned. A run that raises sends nothing."""

    @property
    def log(self) -> str:
        """The lines as one text, each with its level in front."""
        return "\n".join(map(str, self.logged))

    def assert_dispatched(self, operation: str, /, *ids: str, **params: Any) -> Dispatched:
        """Return the first request of this operation that has these ids in its path and these parameters.

        It may have other parameters too: `ran.assert_dispatched("capture_payment_intent", "pi_1")`. Raises
        `AssertionError` with all requests of the flow.
        """
        for request in self.dispatched:
            if _is_wanted(request, operation, ids, params):
                return request
        wanted = Dispatched(operation, dict(enumerate(ids)), params, "", "", None)  # type: ignore[arg-type]
        raise AssertionError(f"The flow did not dispatch {wanted}. {self._requests()}")

    def assert_effects(self, count: int) -> None:
        """Raise `AssertionError` unless the flow asks Stripe for so many effects, however often it ran.

        With `run_flow(..., runs=2)` this shows that a repeat of the flow asks for nothing new.
        """
        found = len(self.dispatched)
        if found != count:
            raise AssertionError(f"Expected {count} effects, not {found}. {self._requests()}")

    def _requests(self) -> str:
        shown = "".join(f"\n  {request}" for request in self.dispatched)
        return f"Its requests are:{shown}" if shown else "It dispatched nothing."


def _is_wanted(
    request: Dispatched, operation: str, ids: Sequence[str], params: Mapping[str, Any]
) -> bool:
    return (
        request.operation == operation
        and tuple(ids) in ((), tuple(request.path.values()))
        and all(
            name in request.params and request.params[name] == value
            for name, value in params.items()
        )
    )
