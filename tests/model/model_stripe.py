"""A small Stripe: accounts and modes, the answers that the idempotency layer keeps and for how long, and the moments at
which lists show an object that is still being created."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paydispatch.domain.attempts import NotSent, RefusedInFront, Unknown
from paydispatch.domain.operators.lookup_results import Found, NotFound, Page

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from tests.model.virtual_time import ModelClock

    from paydispatch.domain.attempts import Attempt
    from paydispatch.domain.operators.lookup_results import LookupResult
    from paydispatch.domain.operators.lookups import Window

PRUNED_AFTER_S = 24 * 3600.0
LONGEST_EXECUTION_S = 80.0
"""Stripe's own timeouts are shorter than its clients' read timeout."""


@dataclass(frozen=True)
class Account:
    """The account and mode of a Stripe key. Idempotency keys and lists belong to an account and a mode."""

    id: str
    mode: str
    tenant: str
    """The tenant that owns the account."""
    mute: bool = False
    """Whether the key may not call `GET /v1/account`."""

    @property
    def place(self) -> tuple[str, str]:
        return self.id, self.mode


SHOP_KEY = "sk_test_" + "Shop" * 6
SHOP_LIVE_KEY = "sk_live_" + "Shop" * 6
ROLLED_KEY = "sk_test_" + "Roll" * 6
OTHER_KEY = "sk_test_" + "Othr" * 6
MUTE_KEY = "rk_test_" + "Mute" * 6
MUTE_ROLLED_KEY = "rk_test_" + "Muto" * 6
ACME_KEY = "sk_test_" + "Acme" * 6
MALLORY_KEY = "sk_test_" + "Mall" * 6

ACCOUNTS = {
    SHOP_KEY: Account("acct_shop", "test", "local"),
    SHOP_LIVE_KEY: Account("acct_shop", "live", "local"),
    ROLLED_KEY: Account("acct_shop", "test", "local"),
    OTHER_KEY: Account("acct_other", "test", "local"),
    MUTE_KEY: Account("acct_shop", "test", "local", mute=True),
    MUTE_ROLLED_KEY: Account("acct_shop", "test", "local", mute=True),
    ACME_KEY: Account("acct_acme", "test", "acme"),
    MALLORY_KEY: Account("acct_mallory", "test", "mallory"),
}


@dataclass(frozen=True)
class Reply:
    http_status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Made:
    """An object at Stripe. Lists show it from the moment of its creation here."""

    id: str
    request_id: str
    """The idempotency key of the create."""
    fingerprint: str
    """The fingerprint of the request that created it."""
    account: Account
    at: float
    params: Mapping[str, Any]
    status: str = "requires_confirmation"

    @property
    def declined(self) -> bool:
        return self.status == "requires_payment_method"

    def body(self) -> dict[str, Any]:
        error = {"type": "card_error", "code": "card_declined", "message": "declined"}
        return {
            "id": self.id,
            "object": "payment_intent",
            "status": self.status,
            "created": int(self.at),
            "metadata": self.params["metadata"],
            **({"last_payment_error": error} if self.declined else {}),
        }


@dataclass(eq=False)
class Execution:
    """A create that Stripe executes, whether or not a caller still waits for it."""

    request_id: str
    fingerprint: str
    account: Account
    params: Mapping[str, Any]
    ends_by: float
    """Unix seconds."""
    replied: asyncio.Future[Reply]
    made: Made | None = None
    """The object, as soon as lists show it."""

    @property
    def confirms(self) -> bool:
        return "confirm" in self.params


@dataclass
class _Key:
    since: float
    params: Mapping[str, Any]
    reply: Reply | None = None


def refusal(http_status: int, code: str, **headers: str) -> Reply:
    error = {"type": "invalid_request_error", "code": code, "message": code}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(http_status, {"error": error}, named)


REFUSALS = {
    "401": refusal(401, "api_key_expired"),
    "429": refusal(429, "rate_limit"),
    "503": refusal(503, "api_error"),
}
"""Answers that come from in front of the idempotency layer: Stripe executes nothing and keeps no answer."""

RARE_REFUSALS = {
    "400": refusal(400, "resource_missing"),
    "409 locked": refusal(409, "lock_timeout"),
    "429 for good": refusal(429, "rate_limit", stripe_should_retry="false"),
}
"""Answers that paydispatch treats like one of those above. A search for few faults leaves them out."""

OTHER_PARAMETERS = Reply(400, {"error": {"type": "idempotency_error", "message": "other"}})

BROKEN_BEFORE: dict[str, Attempt] = {"no connection": NotSent("connection refused")}
RARELY_BROKEN_BEFORE: dict[str, Attempt] = {
    "reset before": Unknown("connection reset", "connection_lost")
}
"""Network faults before the request arrived. After a reset the caller cannot know that it did not arrive."""

EXPIRED_KEY = RefusedInFront(401, REFUSALS["401"].body["error"], None, "req_account")

ENDINGS = ("created", "declined", "500 and nothing made", "500 though made")
"""The ways in which an execution ends. Stripe keeps each of these answers."""


class ModelStripe:
    def __init__(self, clock: ModelClock, loop: asyncio.AbstractEventLoop) -> None:
        self._clock = clock
        self._loop = loop
        self._keys: dict[tuple[tuple[str, str], str], _Key] = {}
        self.executing: list[Execution] = []
        self.made: list[Made] = []
        self.declined: set[tuple[str, str]] = set()
        """{(idempotency key, fingerprint)} of the declined creates"""
        self.posts: dict[tuple[str, str], list[float]] = {}
        """{(tenant of the account, idempotency key): unix seconds of each arrival}"""

    def receive(
        self, request_id: str, fingerprint: str, params: Mapping[str, Any], account: Account
    ) -> Reply | Execution:
        """Take a POST at the idempotency layer: execute it, or return the kept answer or a refusal."""
        now_s = self._clock.now_s()
        self.posts.setdefault((account.tenant, request_id), []).append(now_s)
        key = self._keys.get((account.place, request_id))
        if key is not None and key.reply is not None and now_s - key.since >= PRUNED_AFTER_S:
            key = None
        if key is None:
            return self._execute(request_id, fingerprint, params, account)
        if key.params != params:
            return OTHER_PARAMETERS
        return key.reply or refusal(409, "idempotency_key_in_use")

    def _execute(
        self, request_id: str, fingerprint: str, params: Mapping[str, Any], account: Account
    ) -> Execution:
        now_s = self._clock.now_s()
        self._keys[account.place, request_id] = _Key(now_s, params)
        execution = Execution(
            request_id,
            fingerprint,
            account,
            params,
            ends_by=now_s + LONGEST_EXECUTION_S,
            replied=self._loop.create_future(),
        )
        self.executing.append(execution)
        return execution

    def show(self, execution: Execution) -> Made:
        """Make the object, which lists show before its payment is confirmed or declined."""
        execution.made = Made(
            f"pi_{len(self.made) + 1}",
            execution.request_id,
            execution.fingerprint,
            execution.account,
            self._clock.now_s(),
            execution.params,
        )
        self.made.append(execution.made)
        return execution.made

    def finish(self, execution: Execution, ending: str) -> None:
        self.executing.remove(execution)
        reply = self._end(execution, ending)
        kept = {**reply.headers, "idempotent-replayed": "true"}
        key = self._keys[execution.account.place, execution.request_id]
        key.reply = Reply(reply.http_status, reply.body, kept)
        if not execution.replied.done():
            execution.replied.set_result(reply)

    def _end(self, execution: Execution, ending: str) -> Reply:
        if ending in ("created", "500 though made"):
            made = execution.made or self.show(execution)
            made.status = "succeeded"
            return Reply(200, made.body()) if ending == "created" else refusal(500, "api_error")
        if ending == "declined":
            self.declined.add((execution.request_id, execution.fingerprint))
            if execution.made is not None:
                execution.made.status = "requires_payment_method"
            return refusal(402, "card_declined")
        return refusal(500, "api_error")

    def list_created(self, within: Window, account: Account) -> Page:
        """Return all objects that were created within the window, the newest first."""
        listed = [
            made.body()
            for made in reversed(self.made)
            if within.earliest <= made.at <= within.latest and made.account.place == account.place
        ]
        return Page(listed, has_more=False, answered_at=self._clock.now_s())

    def find_created(self, mark: tuple[str, str], within: Window, account: Account) -> LookupResult:
        """Return the object with `mark` in its metadata, if it was created within the window."""
        name, value = mark
        for made in self.made:
            inside = within.earliest <= made.at <= within.latest
            marked = made.params["metadata"].get(name) == value
            if inside and marked and made.account.place == account.place:
                return Found(made.body())
        return NotFound(self._clock.now_s())
