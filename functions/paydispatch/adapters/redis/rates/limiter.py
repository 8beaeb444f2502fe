"""`Limiter` on Redis: one script takes the tokens of all calls of an account that ask together."""

from __future__ import annotations

import itertools
import time
from functools import cached_property
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.coalescer import Coalescer
from paydispatch.adapters.redis.rates.commands import (
    account_keys,
    first_arguments,
    group_arguments,
    group_asks,
    read_answers,
    read_paused,
    rule_arguments,
)
from paydispatch.adapters.redis.rates.pauses import REMEMBER_S, GlobalPauses
from paydispatch.adapters.redis.scripts import call_script
from paydispatch.adapters.redis.shared_pipelines import SharedPipelines
from paydispatch.domain.rates.account_limits import PAUSED_WAIT_S, is_quiet
from paydispatch.domain.rates.feedback import NO_CHANGE, Change, Feedback
from paydispatch.domain.rates.lanes import LANES
from paydispatch.domain.rates.tokens import Postponed, Why

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis.asyncio import Redis

    from paydispatch.adapters.redis.rates.commands import NowS
    from paydispatch.domain.rates.lanes import LaneRule, RateLane
    from paydispatch.domain.rates.limits import DefaultLimits
    from paydispatch.domain.rates.tokens import Granted, TokenAnswer, TokenAsk

NOTE_EVERY_S = 3_600.0
"""How often a process notes that an account is called."""

FORGET_ACCOUNTS_S = 30 * 86_400
NOTES = 10_000
"""A process remembers the notes of so many accounts."""


class RedisLimiter:
    """Runs the scripts `take`, `confirm` and `report` of `lua/rates/`."""

    def __init__(
        self,
        redis: Redis,
        defaults: DefaultLimits,
        rules: Mapping[RateLane, LaneRule] = LANES,
        *,
        now_s: NowS = None,
        remember_pauses_s: float = REMEMBER_S,
        pipelines: SharedPipelines | None = None,
    ) -> None:
        self._pipelines = pipelines or SharedPipelines(redis)
        self._defaults = defaults
        self._rules = rules
        self._rule_arguments = rule_arguments(rules)
        self._now_s = now_s
        self._pauses = GlobalPauses(redis, remember_pauses_s)
        self._takes: Coalescer[TokenAsk, TokenAnswer] = Coalescer(self._take)
        self._confirms: Coalescer[Granted, bool] = Coalescer(self._confirm)
        self._commands = itertools.count(1)
        self._noted: dict[str, float] = {}

    async def take(self, ask: TokenAsk) -> TokenAnswer:
        paused = self._pauses.known
        if ask.lane in (await self._pauses.lanes() if paused is None else paused):
            return Postponed(why=Why.PAUSED, delay_s=PAUSED_WAIT_S)
        return await self._takes.ask(ask.account, ask)

    async def confirm(self, granted: Granted) -> bool:
        paused = await self._pauses.lanes()
        if granted.ask.lane not in paused and await self._confirms.ask(
            granted.ask.account, granted
        ):
            return True
        if granted.in_flight:
            await self._report(granted, Feedback.NOT_CALLED)
        return False

    async def report(self, granted: Granted, feedback: Feedback) -> Change:
        """Report the end of a call, unless nothing would change: then there is no round trip."""
        if not is_quiet(granted, feedback):
            return await self._report(granted, feedback)
        if granted.in_flight:
            await self._report(granted, Feedback.NOT_CALLED)
        return NO_CHANGE

    @cached_property
    def _process(self) -> str:
        """The name of this process, drawn at its first call, because many processes may start from one snapshot."""
        return token_hex(6)

    async def _take(self, account: str, asks: Sequence[TokenAsk]) -> list[TokenAnswer]:
        await self._note(account)
        groups = group_asks(asks, self._rules)
        prefix = f"{self._process}-{next(self._commands)}-"
        text = await self._run(
            "take",
            account,
            *first_arguments(account, self._defaults, self._now_s),
            prefix,
            *self._rule_arguments,
            *group_arguments(groups),
        )
        return read_answers(text, asks, groups, prefix)

    async def _confirm(self, account: str, waited: Sequence[Granted]) -> list[bool]:
        epoch, *fields = await self._run("confirm", account)
        paused = read_paused(fields)
        return [granted.epoch == epoch and granted.ask.lane not in paused for granted in waited]

    async def _report(self, granted: Granted, feedback: Feedback) -> Change:
        account, operation = granted.ask.account, granted.ask.operation
        shrunk, opened = await self._run(
            "report",
            account,
            *first_arguments(account, self._defaults, self._now_s),
            operation,
            granted.in_flight,
            granted.epoch,
            feedback.value,
        )
        return Change(shrunk_to=int(shrunk) or None, breaker_opened=bool(opened))

    async def _note(self, account: str) -> None:
        """Note that the account is called, at most once an hour."""
        now = time.monotonic()
        if now < self._noted.get(account, -1.0):
            return
        seen_s = time.time() if self._now_s is None else self._now_s()
        await self._pipelines.run(
            ("ZADD", keys.RATE_ACCOUNTS, "GT", seen_s, account),
            ("ZREMRANGEBYSCORE", keys.RATE_ACCOUNTS, "-inf", seen_s - FORGET_ACCOUNTS_S),
        )
        if len(self._noted) >= NOTES:
            self._noted.clear()
        self._noted[account] = now + NOTE_EVERY_S

    async def _run(self, name: str, account: str, *arguments: Any) -> Any:
        (answer,) = await self._pipelines.run(call_script(name, account_keys(account), *arguments))
        return answer
