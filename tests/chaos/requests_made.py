"""The requests of a chaos run, and the record of those that a way in accepted."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.chaos.targets import KINDS

from paydispatch.domain.stripe.resources import create_of

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from tests.chaos.plan import Plan
    from tests.chaos.targets import Targets

WORKERS = 4
LOCAL = "local"
"""The queue's tenant. Direct producers may write unsealed requests for this tenant only."""

TENANTS = {LOCAL: 6, "acme": 2, "globex": 2}
"""{tenant: weight}. The tenants use the same names of workers and contexts, but must not affect each other."""

KEYS = ("sk_test_chaosone__travels_sealed_only", "rk_test_chaostwo__mute_travels_sealed__mute")
"""The keys of two accounts. The second key may not call `GET /v1/account`."""

ROTATING = "rotating"
"""The named secret that sometimes holds the key of another account for a while."""

ROTATING_KEYS = ("sk_test_chaosthree__first", "sk_test_chaosfour__second")
ROTATING_DEADLINE_S = 40.0
"""The longest that a request waits until the secret again holds the key of its account."""

ALONE_DEADLINE_S = 45.0
"""The deadline where every answer is lost, so that a request that no event can prove ends within the run."""

_PARAMS: dict[str, dict[str, Any]] = {
    "coupon": {"percent_off": 10, "duration": "once"},
    "product": {"name": "Tea"},
    "price": {"currency": "usd", "unit_amount": 1500, "product_data": {"name": "Tea"}},
    "payment_intent": {"amount": 2000, "currency": "usd"},
}
_DECLINED = {
    "payment_method": "pm_card_chargeDeclined",
    "confirm": True,
    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
}
SHARE_OF_OTHER_OPERATIONS = 1 / 3

NO_SUBSCRIPTIONS: Mapping[str, dict[str, Any]] = {}
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
    operation: str
    params: dict[str, Any]
    worker_id: str
    context_id: str
    lane: str
    deadline_s: float | None
    tenant: str = LOCAL
    key: str = KEYS[0]
    secret_ref: str | None = None
    """The name of a secret, used instead of the key."""
    path: Mapping[str, str] = field(default_factory=dict)
    """The ids in the operation's path. Empty for a create."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A request that was accepted. It must end in exactly one settled flow."""

    request_id: str
    wanted: Wanted
    way: str
    poison: bool = False
    """Whether it must end in an error of kind `dispatcher` and fail no other request."""


@dataclass(slots=True)
class Book:
    """The record of all accepted requests. All producer threads write to it."""

    submitted: dict[str, Submitted] = field(default_factory=dict)
    unattributable: list[str] = field(default_factory=list)
    """The `n` of each message that cannot be attributed to a worker."""
    surprises: list[str] = field(default_factory=list)
    """Forbidden behaviour of the ways in, one sentence each."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, request_id: str, wanted: Wanted, way: str, *, poison: bool = False) -> None:
        with self._lock:
            self.submitted[request_id] = Submitted(request_id, wanted, way, poison)


def make(
    plan: Plan,
    way: str,
    number: int,
    dice: random.Random,
    subscriptions: Mapping[str, dict[str, Any]] = NO_SUBSCRIPTIONS,
    targets: Targets | None = None,
) -> Wanted:
    """Return a request. With `targets` a third of the requests act on an object that exists."""
    wanted = _make_create(plan, way, number, dice, subscriptions)
    if plan.lists_off:
        wanted = replace(wanted, deadline_s=wanted.deadline_s or ALONE_DEADLINE_S)
    if targets is None or wanted.secret_ref or dice.random() >= SHARE_OF_OTHER_OPERATIONS:
        return wanted
    operation = dice.choice(list(KINDS))
    kind = KINDS[operation]
    metadata = {"metadata": wanted.params["metadata"]} if kind.takes_metadata else {}
    return replace(
        wanted,
        object=kind.object,
        operation=operation,
        params={**kind.params, **metadata},
        path=targets.path_for(operation, wanted.key),
    )


def _make_create(
    plan: Plan,
    way: str,
    number: int,
    dice: random.Random,
    subscriptions: Mapping[str, dict[str, Any]],
) -> Wanted:
    """Return a create. `subscriptions` has the parameters of a subscription for the account of each key.

    Only a key that is there subscribes, because the customer and the price exist in its account alone.
    """
    rotates = dice.random() < 0.04
    key = dice.choice(KEYS)
    all_params = dict(_PARAMS)
    if key in subscriptions and not rotates:
        all_params["subscription"] = subscriptions[key]
    name = dice.choice(list(all_params))
    script = dice.choices(list(_SCRIPTS), list(_SCRIPTS.values()))[0]
    n = f"{way}-{number}"
    params = {**all_params[name], "metadata": {"n": n, "script": script}}
    if name == "payment_intent" and dice.random() < 0.15:
        params |= _DECLINED
    return Wanted(
        n=n,
        object=name,
        operation=create_of(name),
        params=params,
        worker_id=f"chaos-{dice.randrange(WORKERS)}",
        context_id=f"context-{dice.randrange(plan.contexts)}",
        lane="batch" if dice.random() < 0.25 else "interactive",
        deadline_s=_deadline_s(dice, rotates=rotates),
        tenant=LOCAL if rotates else dice.choices(list(TENANTS), list(TENANTS.values()))[0],
        key=key,
        secret_ref=ROTATING if rotates else None,
    )


def _deadline_s(dice: random.Random, *, rotates: bool) -> float | None:
    if rotates:
        return ROTATING_DEADLINE_S
    return 8.0 if dice.random() < 0.02 else None


def rival_of(wanted: Wanted) -> Wanted:
    """Return another request for the same id, with other metadata and another worker."""
    return replace(
        wanted,
        n=f"{wanted.n}-rival",
        params={**wanted.params, "metadata": {"n": f"{wanted.n}-rival", "script": "plain"}},
        worker_id=f"{wanted.worker_id}-rival",
    )
