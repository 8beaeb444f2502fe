"""The limiter, the breakers of keys and the operator's board in memory, with the rules of the Lua scripts."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.rates.account_limits import ALL, AccountLimits
from paydispatch.domain.rates.calendar import slot_of
from paydispatch.domain.rates.key_breaker import KeyBreaker
from paydispatch.domain.rates.lanes import LANES, RateLane
from paydispatch.domain.rates.limit_state import LimitState
from paydispatch.domain.rates.limits import DefaultLimits
from paydispatch.domain.rates.outage import Outage
from paydispatch.domain.rates.tokens import Postponed, Why
from paydispatch.domain.rates.views import AccountView, KeyBreakerView, LimitView, Pause

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.domain.rates.feedback import Change, Feedback
    from paydispatch.domain.rates.lanes import LaneRule
    from paydispatch.domain.rates.tokens import Granted, TokenAsk
    from paydispatch.ports import Clock

Pauses = dict[RateLane | None, Pause]


class MemoryLimiter:
    """A `Limiter`. `NO_LIMITS` as defaults suits tests that do not measure limits."""

    def __init__(
        self,
        clock: Clock,
        defaults: DefaultLimits | None = None,
        rules: Mapping[RateLane, LaneRule] = LANES,
    ) -> None:
        self.clock = clock
        self.defaults = defaults or DefaultLimits()
        self.accounts: dict[str, AccountLimits] = {}
        self.account_pauses: dict[str, Pauses] = {}
        self.global_pauses: Pauses = {}
        self.away = False
        self._rules = rules
        self._names = itertools.count(1)

    async def take(self, ask: TokenAsk) -> Granted | Postponed:
        name = f"call-{next(self._names)}"
        return self.reach(ask.account).take(ask, self.clock.now_s(), name=name)

    async def confirm(self, granted: Granted) -> bool:
        return self.reach(granted.ask.account).confirm(granted)

    async def report(self, granted: Granted, feedback: Feedback) -> Change:
        return self.reach(granted.ask.account).report(granted, feedback, self.clock.now_s())

    def pause(self, account: str | None = None, lane: RateLane | None = None, by: str = "") -> None:
        """Pause a lane, or all lanes, of one account or of all."""
        pause = Pause(lane=lane, since_s=self.clock.now_s(), by=by)
        self._pauses(account).setdefault(lane, pause)

    def resume(self, account: str | None = None, lane: RateLane | None = None) -> None:
        if lane is None:
            self._pauses(account).clear()
        else:
            self._pauses(account).pop(lane, None)

    def reach(self, account: str) -> AccountLimits:
        """Return the state of an account with the pauses of now. Raises `Unavailable` while `away`."""
        if self.away:
            raise Unavailable("Redis is unavailable")
        limits = self.accounts.get(account)
        if limits is None:
            limits = AccountLimits(
                self.defaults.of(account), since_s=self.clock.now_s(), rules=self._rules
            )
            self.accounts[account] = limits
        limits.paused = self._paused_lanes(account)
        return limits

    def _pauses(self, account: str | None) -> Pauses:
        return (
            self.global_pauses if account is None else self.account_pauses.setdefault(account, {})
        )

    def _paused_lanes(self, account: str) -> set[RateLane]:
        paused = {**self.global_pauses, **self.account_pauses.get(account, {})}
        return set(RateLane) if None in paused else {lane for lane in paused if lane is not None}


class MemoryKeyBreakers:
    """A `KeyBreakers`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.breakers: dict[tuple[str, str], KeyBreaker] = {}
        """By the hash of the key and the operation, or `ALL`."""
        self.away = False

    async def check(self, key_sha256: str, operation: str) -> Postponed | None:
        now_s = self._now_s()
        found = [self.breakers.get((key_sha256, name)) for name in (ALL, operation)]
        breakers = [breaker for breaker in found if breaker]
        wait_s = max((breaker.wait_s(now_s) for breaker in breakers), default=0.0)
        if wait_s > 0:
            return Postponed(why=Why.KEY_REFUSED, delay_s=wait_s)
        for breaker in breakers:
            breaker.let_through(now_s)
        return None

    async def open(self, key_sha256: str, operation: str | None) -> bool:
        now_s = self._now_s()
        name = (key_sha256, operation or ALL)
        if name in self.breakers:
            self.breakers[name].refuse(now_s)
            return False
        self.breakers[name] = KeyBreaker.begin(now_s)
        return True

    async def close(self, key_sha256: str, operation: str) -> None:
        self._now_s()
        for name in (ALL, operation):
            self.breakers.pop((key_sha256, name), None)

    def _now_s(self) -> float:
        if self.away:
            raise Unavailable("Redis is unavailable")
        return self._clock.now_s()


@dataclass
class MemoryLimitBoard:
    """A `LimitBoard` over the twins."""

    limiter: MemoryLimiter
    keys: MemoryKeyBreakers
    overridden: dict[str, set[str]] = field(default_factory=dict)
    """The names of the limits that were set, by account."""

    async def accounts(self) -> Sequence[str]:
        self._reach()
        paused = {name for name, pauses in self.limiter.account_pauses.items() if pauses}
        return sorted({*self.limiter.accounts, *paused})

    async def show(self, account: str) -> AccountView:
        limits = self.limiter.reach(account)
        names = {*limits.states, *self.overridden.get(account, ())} - {ALL}
        return AccountView(
            account=account,
            limits=[self._view(account, name) for name in (ALL, *sorted(names))],
            pauses=list(self.limiter.account_pauses.get(account, {}).values()),
            failures_in_a_row=limits.outage.failures,
            next_probe_at=limits.outage.next_probe_at,
        )

    async def set_limit(self, account: str, operation: str | None, rate: int | None) -> None:
        state = self.limiter.reach(account)
        if operation is None:
            state.limits = replace(state.limits, account=rate)
        else:
            operations = {**state.limits.operations, operation: rate}
            state.limits = replace(state.limits, operations=operations)
        self.overridden.setdefault(account, set()).add(operation or ALL)

    async def reset(self, account: str) -> None:
        state = self.limiter.reach(account)
        state.limits = self.limiter.defaults.of(account)
        for limit in state.states.values():
            limit.learned = limit.cap = None
        self.overridden.pop(account, None)

    async def pause(self, account: str | None, lane: RateLane | None, *, by: str) -> None:
        self._reach()
        self.limiter.pause(account, lane, by)

    async def resume(self, account: str | None, lane: RateLane | None) -> None:
        self._reach()
        self.limiter.resume(account, lane)

    async def global_pauses(self) -> Sequence[Pause]:
        self._reach()
        return list(self.limiter.global_pauses.values())

    async def close_breaker(self, account: str) -> None:
        self.limiter.reach(account).outage = Outage()

    async def key_breakers(self) -> Sequence[KeyBreakerView]:
        self._reach()
        return [
            KeyBreakerView(
                key_sha256=key,
                operation=operation or None,
                since_s=breaker.since_s,
                next_probe_at=breaker.next_probe_at,
                refusals=breaker.refusals,
            )
            for (key, operation), breaker in sorted(self.keys.breakers.items())
        ]

    async def close_key_breaker(self, key_sha256: str) -> None:
        self._reach()
        for name in [name for name in self.keys.breakers if name[0] == key_sha256]:
            del self.keys.breakers[name]

    def _reach(self) -> None:
        if self.limiter.away:
            raise Unavailable("Redis is unavailable")

    def _view(self, account: str, name: str) -> LimitView:
        limits, now_s = self.limiter.accounts[account], self.limiter.clock.now_s()
        state, configured = limits.states.get(name, LimitState()), limits.configured(name)
        cap = None if configured is None else state.cap_in_flight(now_s, configured)
        later = [at for at in state.later.values() if at > now_s]
        return LimitView(
            operation=name or None,
            configured=configured,
            overridden=name in self.overridden.get(account, ()),
            rate=limits.rate(name, now_s),
            cap_in_flight=cap,
            in_flight=sum(until > now_s for until in state.in_flight.values()),
            reserved=state.calendar.reserved_after(slot_of(now_s)),
            deferred_until=max(later, default=None),
        )
