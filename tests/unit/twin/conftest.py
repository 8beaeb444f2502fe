"""A client for the pure part of the twin, without sockets and without waiting."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest

from paydispatch.twin.clock import TwinClock
from paydispatch.twin.twin import StripeTwin
from paydispatch.twin.wire.calls import Call, Ending
from paydispatch.twin.wire.exchange import Exchange


@dataclass
class Reply:
    status: int
    headers: Mapping[str, str]
    text: bytes
    ending: Ending
    delay_ms: float

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> Any:
        return self.json["error"]


@dataclass
class Client:
    """A client of a twin, with the key of one account."""

    twin: StripeTwin
    key: str = "sk_test_one"
    headers: dict[str, str] = field(default_factory=dict)

    def with_key(self, key: str) -> "Client":
        return Client(self.twin, key)

    def start(self, method: str, path: str, form: Any = "", **headers: str) -> Exchange:
        """Send a call and leave it running."""
        encoded = form if isinstance(form, str) else urlencode(form)
        query, body = (encoded, "") if method == "GET" else ("", encoded)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"authorization": f"Bearer {self.key}", **self.headers, **named}
        return self.twin.receive(Call(method, path, query, sent, body.encode()))

    def finish(self, exchange: Exchange) -> Reply:
        self.twin.settle(exchange)
        answer = exchange.final_answer()
        return Reply(answer.status, answer.headers, answer.body, exchange.ending, exchange.delay_ms)

    def post(self, path: str, form: Any = "", **headers: str) -> Reply:
        return self.finish(self.start("POST", path, form, **headers))

    def get(self, path: str, query: Any = "", **headers: str) -> Reply:
        return self.finish(self.start("GET", path, query, **headers))

    def effects(self) -> list[dict[str, Any]]:
        effects: list[dict[str, Any]] = json.loads(
            self.twin.ledger.effects(kind=None, after=0, limit=None)
        )["effects"]
        return effects

    def attempts(self) -> list[dict[str, Any]]:
        attempts: list[dict[str, Any]] = json.loads(self.twin.ledger.attempts(after=0, limit=None))[
            "attempts"
        ]
        return attempts

    def fault(self, action: dict[str, Any], **rule: Any) -> str:
        return self.twin.faults.add({"action": action, **rule}).id


@pytest.fixture
def clock() -> TwinClock:
    """A clock that stands still until a test advances it."""
    return TwinClock(source=lambda: 1_700_000_000.0)


@pytest.fixture
def with_seed() -> Callable[[int], Client]:
    return lambda seed: Client(StripeTwin(strict=False, seed=seed))


@pytest.fixture
def stripe(clock: TwinClock) -> Client:
    """A lenient twin without rate limits."""
    return Client(StripeTwin(strict=False, seed=7, clock=clock))


@pytest.fixture
def strict_stripe(clock: TwinClock) -> Client:
    return Client(StripeTwin(strict=True, seed=7, clock=clock))
