"""A small Stripe with the rules that matter here: what the idempotency layer keeps, for how long, and what it makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paydispatch.domain.attempts import NotSent, Unknown
from paydispatch.domain.unknown_ends import Found, NotFound

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from tests.model.virtual_time import ModelClock

    from paydispatch.domain.attempts import Attempt
    from paydispatch.domain.unknown_ends import Sighting, Window

PRUNED_AFTER_S = 24 * 3600.0
LONGEST_EXECUTION_S = 80.0
"""Stripe's own timeouts nest inside its clients' read timeout."""


@dataclass(frozen=True)
class Reply:
    http_status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Execution:
    """A create that runs at Stripe, whether or not anybody still waits for it."""

    request_id: str
    params: Mapping[str, Any]
    ends_by: float
    """Unix seconds."""
    replied: asyncio.Future[Reply]


@dataclass(frozen=True)
class Made:
    """An object there is."""

    id: str
    request_id: str
    """The idempotency key it was made under."""
    at: float
    params: Mapping[str, Any]


@dataclass
class _Key:
    since: float
    reply: Reply | None = None


def refusal(http_status: int, code: str, **headers: str) -> Reply:
    error = {"type": "invalid_request_error", "code": code, "message": code}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(http_status, {"error": error}, named)


REFUSALS = {
    "400": refusal(400, "resource_missing"),
    "401": refusal(401, "api_key_expired"),
    "409 locked": refusal(409, "lock_timeout"),
    "429": refusal(429, "rate_limit"),
    "429 for good": refusal(429, "rate_limit", stripe_should_retry="false"),
    "503": refusal(503, "api_error"),
}
"""What is answered in front of the idempotency layer: nothing was done, nothing is kept."""

BROKEN_BEFORE: dict[str, Attempt] = {
    "no connection": NotSent("connection refused"),
    "reset before": Unknown("connection reset", "connection_lost"),
}
"""The network before the request arrived; a reset is no proof of that."""

ENDINGS = ("created", "declined", "500 and nothing made", "500 though made")
"""How an execution ends. Each of these answers is kept."""


class ModelStripe:
    def __init__(self, clock: ModelClock, loop: asyncio.AbstractEventLoop) -> None:
        self._clock = clock
        self._loop = loop
        self._keys: dict[str, _Key] = {}
        self.executing: list[Execution] = []
        self.made: list[Made] = []
        self.posts: dict[str, list[float]] = {}
        """{idempotency key: unix seconds of each arrival}"""

    def receive(self, request_id: str, params: Mapping[str, Any]) -> Reply | Execution:
        """A POST arrives at the idempotency layer."""
        now_s = self._clock.now_s()
        self.posts.setdefault(request_id, []).append(now_s)
        key = self._keys.get(request_id)
        if key is not None and key.reply is not None and now_s - key.since >= PRUNED_AFTER_S:
            key = None
        if key is None:
            return self._execute(request_id, params, now_s)
        return key.reply or refusal(409, "idempotency_key_in_use")

    def _execute(self, request_id: str, params: Mapping[str, Any], now_s: float) -> Execution:
        self._keys[request_id] = _Key(now_s)
        ends_by = now_s + LONGEST_EXECUTION_S
        execution = Execution(request_id, params, ends_by, self._loop.create_future())
        self.executing.append(execution)
        return execution

    def finish(self, execution: Execution, ending: str) -> None:
        self.executing.remove(execution)
        if ending in ("created", "500 though made"):
            now_s, id_ = self._clock.now_s(), f"pi_{len(self.made) + 1}"
            self.made.append(Made(id_, execution.request_id, now_s, execution.params))
        reply = self._reply(ending)
        kept = {**reply.headers, "idempotent-replayed": "true"}
        self._keys[execution.request_id].reply = Reply(reply.http_status, reply.body, kept)
        if not execution.replied.done():
            execution.replied.set_result(reply)

    def _reply(self, ending: str) -> Reply:
        if ending == "created":
            return Reply(200, {"id": f"pi_{len(self.made)}", "object": "payment_intent"})
        if ending == "declined":
            return refusal(402, "card_declined")
        return refusal(500, "api_error")

    def objects_of(self, request_id: str) -> list[Made]:
        return [made for made in self.made if made.request_id == request_id]

    def listed(self, mark: tuple[str, str], within: Window) -> Sighting:
        """The object whose metadata holds `mark`, if it was created within the window."""
        name, value = mark
        for made in self.made:
            inside = within.earliest <= made.at <= within.latest
            if inside and made.params["metadata"].get(name) == value:
                return Found({"id": made.id, "object": "payment_intent"})
        return NotFound()
