"""The operators' view of limits, pauses and breakers, and the names that they use for accounts and keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.errors import PaydispatchError
from paydispatch.domain.operators.holds import of_account, of_key, of_pauses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.domain.operators.holds import Hold
    from paydispatch.domain.rates.lanes import RateLane
    from paydispatch.domain.rates.views import AccountView, KeyBreakerView, Pause
    from paydispatch.ports import LimitBoard

ACCOUNTS = 1_000
"""Accounts that are shown at most, because no operator reads more. One account can always be named."""

MODES = ("live", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsOverview:
    """The state of all limits."""

    accounts: Sequence[AccountView]
    pauses: Sequence[Pause]
    """Those of all accounts."""
    key_breakers: Sequence[KeyBreakerView]
    more_accounts: bool = False

    @property
    def holds(self) -> list[Hold]:
        """Return the pauses, breakers and limits that hold calls back, the widest first."""
        return [
            *of_pauses(None, self.pauses),
            *(hold for view in self.accounts for hold in of_account(view)),
            *map(of_key, self.key_breakers),
        ]


async def look_at_limits(board: LimitBoard, account: str | None = None) -> LimitsOverview:
    """Return the state of one account, or of all that are known. Raises `Unavailable`."""
    names = [account] if account else await board.accounts()
    return LimitsOverview(
        accounts=[await board.show(name) for name in names[:ACCOUNTS]],
        pauses=await board.global_pauses(),
        key_breakers=await board.key_breakers(),
        more_accounts=len(names) > ACCOUNTS,
    )


async def find_account(board: LimitBoard, named: str, mode: str | None) -> str:
    """Return the name of an account with its mode, such as `live acct_1`.

    Without a mode it must be known in one mode only. Raises `PaydispatchError` otherwise.
    """
    if " " in named:
        if mode and not named.startswith(f"{mode} "):
            raise PaydispatchError(f"The account {named} is not in {mode} mode.")
        return named
    if mode:
        return f"{mode} {named}"
    known = await board.accounts()
    modes = [one for one in (*MODES, "org") if f"{one} {named}" in known]
    if len(modes) == 1:
        return f"{modes[0]} {named}"
    why = f"is known in the modes {' and '.join(modes)}" if modes else "has made no call yet"
    raise PaydispatchError(f"The account {named} {why}. Name one mode: --mode live or --mode test.")


async def find_refused_key(board: LimitBoard, digits: str) -> str | None:
    """Return the hash of the key that begins with `digits` and has an open breaker. None: there is none.

    Raises `PaydispatchError` if there are several.
    """
    found = {one.key_sha256 for one in await board.key_breakers()}
    matching = sorted(key for key in found if key.startswith(digits))
    if len(matching) > 1:
        raise PaydispatchError(
            f"{len(matching)} keys begin with {digits}. Give more of the digits."
        )
    return matching[0] if matching else None


async def pauses_of(board: LimitBoard, account: str | None) -> Sequence[Pause]:
    """Return the pauses that an account has of its own, or with None those of all accounts."""
    if account is None:
        return await board.global_pauses()
    return (await board.show(account)).pauses


async def end_pause(board: LimitBoard, account: str | None, lane: RateLane | None) -> bool:
    """End a pause. Return whether there was one."""
    before = await pauses_of(board, account)
    await board.resume(account, lane)
    return any(lane is None or pause.lane is lane for pause in before)


async def holds_on(board: LimitBoard, account: str | None) -> list[Hold]:
    """Return what stops the calls of one account, or with None the pauses of all accounts."""
    holds = [*of_pauses(None, await board.global_pauses())]
    if account is not None:
        holds += [hold for hold in of_account(await board.show(account)) if hold.stops]
    return holds
