"""The limiter on a cluster of three nodes: the accounts are spread over the nodes, and each keeps its limit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from redis import Redis
from tests.integration.adapters.limit_worlds import redis_limit_world, token_ask
from tests.integration.conftest import start_cluster

from paydispatch.adapters.redis import keys
from paydispatch.domain.rates.feedback import Feedback
from paydispatch.domain.rates.limits import DefaultLimits, Limits
from paydispatch.domain.rates.tokens import Granted

if TYPE_CHECKING:
    from paydispatch.local.processes import Supervisor

NODES = 3
ACCOUNTS = [f"live acct_{number}" for number in range(12)]
LIMITS = DefaultLimits(live=Limits(account=10, operation=10))


@pytest.fixture(scope="module")
def ports(supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    return start_cluster(supervisor, tmp_path_factory, NODES)


async def test_each_account_keeps_its_limit_on_the_node_that_holds_it(ports: list[int]) -> None:
    async with redis_limit_world(f"redis://127.0.0.1:{ports[0]}?cluster=true", LIMITS) as world:
        asks = [token_ask(account=account) for account in ACCOUNTS for _ in range(40)]
        answers = await asyncio.gather(*(world.limiter.take(ask) for ask in asks))
        granted = [answer for answer in answers if isinstance(answer, Granted)]
        assert {one.ask.account for one in granted} == set(ACCOUNTS)
        for account in ACCOUNTS:  # one in each tenth of a second, from now to 2 s from now
            assert sum(one.ask.account == account for one in granted) == 21

        shrinking = next(one for one in granted if one.ask.account == ACCOUNTS[0])
        change = await world.limiter.report(shrinking, Feedback.ACCOUNT_RATE)
        assert change.shrunk_to == 7
        waiting = [one for one in granted if one.must_be_confirmed]
        stand = await asyncio.gather(*(world.limiter.confirm(one) for one in waiting))
        assert {one.ask.account for one, ok in zip(waiting, stand, strict=True) if not ok} == {
            ACCOUNTS[0]
        }
        assert set(await world.board.accounts()) == set(ACCOUNTS)

    nodes = [Redis(port=port, decode_responses=True) for port in ports]
    held = [sum(keys.rate(account) in node.scan_iter() for account in ACCOUNTS) for node in nodes]
    for node in nodes:
        node.close()
    assert sum(held) == len(ACCOUNTS)
    assert min(held) > 0
