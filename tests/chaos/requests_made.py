"""The requests of a chaos run: what is asked for, and what is known of each that was submitted."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

    from tests.chaos.plan import Plan

WORKERS = 4
KEY = "sk_test_chaos_travels_sealed_only"

_PARAMS: dict[str, dict[str, Any]] = {
    "coupon": {"percent_off": 10, "duration": "once"},
    "product": {"name": "Tea"},
    "price": {"currency": "usd", "unit_amount": 1500, "product": "prod_chaos"},
    "subscription": {"customer": "cus_chaos", "items": [{"price": "price_chaos"}]},
    "payment_intent": {"amount": 2000, "currency": "usd"},
}
_DECLINED = {"payment_method": "pm_card_chargeDeclined", "confirm": True}
_SCRIPTS = {
    "plain": 90,
    "raises_once": 3,
    "raises": 1,
    "hangs_once": 0.5,
    "later_once": 2,
    "follows_up": 4,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request before it is submitted."""

    n: str
    object: str
    params: dict[str, Any]
    worker_id: str
    context_id: str
    lane: str
    deadline_s: float | None


@dataclass(frozen=True, slots=True)
class Submitted:
    """One that was accepted: it must end in exactly one flow."""

    request_id: str
    wanted: Wanted
    way: str
    poison: bool = False
    """It must end in an error of the dispatcher's, and fail nobody else."""


@dataclass(slots=True)
class Book:
    """All that was accepted, by whatever thread."""

    submitted: dict[str, Submitted] = field(default_factory=dict)
    unattributable: list[str] = field(default_factory=list)
    """Texts of messages that belong to nobody."""
    surprises: list[str] = field(default_factory=list)
    """What the ways in did that they must not do."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, request_id: str, wanted: Wanted, way: str, *, poison: bool = False) -> None:
        with self._lock:
            self.submitted[request_id] = Submitted(request_id, wanted, way, poison)


def make(plan: Plan, way: str, number: int, dice: random.Random) -> Wanted:
    name = dice.choice(list(_PARAMS))
    script = dice.choices(list(_SCRIPTS), list(_SCRIPTS.values()))[0]
    n = f"{way}-{number}"
    params = {**_PARAMS[name], "metadata": {"n": n, "script": script}}
    if name == "payment_intent" and dice.random() < 0.15:
        params |= _DECLINED
    return Wanted(
        n=n,
        object=name,
        params=params,
        worker_id=f"chaos-{dice.randrange(WORKERS)}",
        context_id=f"context-{dice.randrange(plan.contexts)}",
        lane="batch" if dice.random() < 0.25 else "interactive",
        deadline_s=8.0 if dice.random() < 0.02 else None,
    )
