"""Take the rate tokens of a read at Stripe. Reads come last: they use what payments and batch work leave free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from paydispatch.domain.rates.lanes import LONGEST_WAIT_S, RateLane
from paydispatch.domain.rates.tokens import Postponed, TokenAsk

if TYPE_CHECKING:
    from paydispatch.ports import Clock, Limiter

LONGEST_PAUSE_S = 5.0
"""The longest sleep of a read that found no room, before it asks again."""


class TurnPorts(Protocol):
    @property
    def limiter(self) -> Limiter: ...

    @property
    def clock(self) -> Clock: ...


async def wait_for_turn(ports: TurnPorts, account: str, read: str) -> None:
    """Wait until the account has a token for one read. `read` names the read, such as `list_payment_intent`.

    The breaker of the account holds back no read. The caller bounds the time. Raises `Unavailable`.
    """
    ask = TokenAsk(
        account=account, operation=read, lane=RateLane.LOOK, longest_wait_s=LONGEST_WAIT_S
    )
    while True:
        answer = await ports.limiter.take(ask)
        if isinstance(answer, Postponed):
            await ports.clock.sleep(min(answer.delay_s, LONGEST_PAUSE_S))
            continue
        await ports.clock.sleep(answer.wait_s)
        if not answer.must_be_confirmed or await ports.limiter.confirm(answer):
            return
