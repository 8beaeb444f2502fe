"""A read at Stripe waits until payments and batch work leave it a token."""

from __future__ import annotations

import asyncio

import pytest

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.rates.limits import DefaultLimits, Limits
from paydispatch.domain.rates.outage import FAILURES_IN_A_ROW
from paydispatch.domain.rates.tokens import Granted, TokenAsk
from paydispatch.services.look_turns import wait_for_turn
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_limiter import MemoryLimiter

ACCOUNT = "live acct_1"
READ = "list_payment_intent"


class Ports:
    def __init__(self) -> None:
        limits = Limits(account=10, operation=10)
        self.clock = MemoryClock()
        self.limiter = MemoryLimiter(self.clock, DefaultLimits(live=limits, sandbox=limits))

    def book(self, seconds: int) -> None:
        """Take all tokens of the account, `seconds` ahead."""
        ask = TokenAsk(
            account=ACCOUNT,
            operation="create_product",
            lane=RateLane.INTERACTIVE,
            longest_wait_s=20,
        )
        account, now_s = self.limiter.reach(ACCOUNT), self.clock.now_s()
        while isinstance(granted := account.take(ask, now_s), Granted):
            if granted.wait_s >= seconds:
                return


async def test_a_read_with_a_free_token_goes_at_once() -> None:
    ports = Ports()
    began_at = ports.clock.now_s()
    await wait_for_turn(ports, ACCOUNT, READ)
    assert ports.clock.now_s() - began_at < 0.5


async def test_a_read_asks_again_until_payments_leave_it_a_token() -> None:
    ports = Ports()
    began_at = ports.clock.now_s()
    ports.book(seconds=1)
    await wait_for_turn(ports, ACCOUNT, READ)
    assert ports.clock.now_s() - began_at >= 1


async def test_a_read_of_a_paused_account_waits_until_its_time_is_over() -> None:
    ports = Ports()
    ports.limiter.pause(ACCOUNT)
    task = asyncio.create_task(wait_for_turn(ports, ACCOUNT, READ))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not task.done()
    ports.limiter.resume(ACCOUNT)
    await task


async def test_a_read_without_a_limiter_is_not_made() -> None:
    ports = Ports()
    ports.limiter.away = True
    with pytest.raises(Unavailable):
        await wait_for_turn(ports, ACCOUNT, READ)


async def test_an_open_breaker_holds_back_no_read() -> None:
    ports = Ports()
    began_at = ports.clock.now_s()
    account = ports.limiter.reach(ACCOUNT)
    for _ in range(FAILURES_IN_A_ROW):
        account.outage.fail(began_at)
    await wait_for_turn(ports, ACCOUNT, READ)
    assert ports.clock.now_s() - began_at < 0.5
