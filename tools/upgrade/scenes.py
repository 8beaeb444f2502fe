"""The requests of a recording, and what Stripe does with each."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

WORKER = "recorded-worker"

IDLE = "recorded-idle"
"""A worker whose flows never run during the recording."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One request. Its name is the begin of its context and the name of its key's account."""

    name: str
    params: dict[str, Any] = field(default_factory=dict)
    path: str = "/v1/products"
    method: str = "POST"
    more: dict[str, Any] = field(default_factory=dict)
    """Fields of the body beside worker, context, key and parameters."""
    idempotency_key: str | None = None

    @property
    def key(self) -> str:
        return "sk_test_recorded" + self.name.title().replace("_", "")

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "worker_id": WORKER,
            "context_id": self.name,
            "params": self.params,
            "stripe_secret": self.key,
        }
        return {name: value for name, value in (body | self.more).items() if value is not None}


def product(name: str, **options: Any) -> Scene:
    return Scene(name, {"name": name, "metadata": {"scene": name}}, **options)


CALLED = (
    *(product(name) for name in ("finished", "later", "dead", "follows", "dies", "refused")),
    *(product(name) for name in ("lost", "limited", "gone", "absent")),
    product("keyed_refused", idempotency_key="recorded-refused"),
)
"""Called, and then run by the worker up to where its flow ends, waits or dies."""

PAUSED = product("paused", more={"lane": "batch"})
"""Accepted while an operator has paused its lane."""

UNREAD = tuple(
    product(name, more={"context_id": context, "worker_id": IDLE})
    for name, context in (
        *(("unread", "unread"), ("unread_refused", "unread_refused")),
        *((f"ordered_{n}", "ordered") for n in range(3)),
    )
)
"""Called. No runner has read their outcomes."""

KILLED = (product("killed_before"), product("killed_after"))
"""The process of the caller is killed in their POST, before Stripe executes it and after."""

BEGUN = (
    product("begun"),
    product("batch", more={"lane": "batch"}),
    product("keyed", idempotency_key="recorded-keyed"),
    product("named_key", more={"stripe_secret": None, "secret_ref": "demo"}),
    product("connected", more={"stripe_account": "acct_recorded1"}),
    product("exhausted"),
    Scene("deleted", path="/v1/coupons/recorded", method="DELETE"),
    Scene(
        "captured",
        {"metadata": {"scene": "captured"}},
        path="/v1/payment_intents/pi_recorded/capture",
    ),
)
"""Accepted by the API, and never received. SQS has moved `exhausted` to the dead-letter queue."""


def _produced(version: int, **fields: Any) -> str:
    message = {
        "v": version,
        "object": "product",
        "params": {"name": "Tea"},
        "worker_id": WORKER,
        "secret_ref": "demo",
    }
    return json.dumps({**message, **fields})


PRODUCED = (
    _produced(2, context_id="produced"),
    _produced(2, context_id="produced_with_id", request_id="recorded-1"),
    _produced(1, context_id="produced_v1"),
    _produced(2, context_id="reused", request_id="recorded-1"),
    _produced(2, context_id="unreadable", attempt=-1),
)
"""Messages that a producer wrote to the queue itself."""

NO_ADDRESS = ("no JSON", json.dumps({"v": 2, "params": {}}))
"""Messages that name no worker. They go to the dead-letter queue."""
