"""`limits`, `pause` and `resume`: read and change the limits, the pauses and the breakers of accounts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.errors import InvalidField, PaydispatchError
from paydispatch.domain.operators.holds import HoldKind
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.text.redaction import redact
from paydispatch.services.limits import (
    MODES,
    end_pause,
    find_account,
    find_refused_key,
    look_at_limits,
    pauses_of,
)
from paydispatch.services.operate.arguments import one_of, text
from paydispatch.services.operate.words import OFF, account, key_digits, limit, operation

if TYPE_CHECKING:
    from paydispatch.domain.rates.views import AccountView
    from paydispatch.ports import LimitBoard
    from paydispatch.services.limits import LimitsOverview
    from paydispatch.services.operate.arguments import Arguments
    from paydispatch.services.operate.ports import Document, OperatorPorts


async def show_limits(ports: OperatorPorts, asked: Arguments) -> Document:
    named = _read_account(asked)
    asked.end()
    async with ports.limit_board(reads_only=True) as board:
        return _overview(await look_at_limits(board, await named.find(board)))


async def set_limit(ports: OperatorPorts, asked: Arguments) -> Document:
    named = _read_account(asked, required=True)
    of = asked.optional("operation", operation)
    wanted = asked.required("limit", limit)
    asked.end()
    async with ports.limit_board() as board:
        found = await named.must_find(board)
        await board.set_limit(found, of, None if wanted == OFF else int(wanted))
        return _account(await board.show(found))


async def reset_limits(ports: OperatorPorts, asked: Arguments) -> Document:
    named = _read_account(asked, required=True)
    asked.end()
    async with ports.limit_board() as board:
        found = await named.must_find(board)
        await board.reset(found)
        return _account(await board.show(found))


async def close_breaker(ports: OperatorPorts, asked: Arguments) -> Document:
    """Return the name of the account or the hash of the key whose breaker was open, or null."""
    named, digits = _read_account(asked), asked.optional("key", key_digits)
    asked.end()
    if (named.account is None) == (digits is None):
        raise InvalidField("account", "Name either an account or a key.")
    async with ports.limit_board() as board:
        if digits is not None:
            return {"closed": await _close_key(board, digits)}
        found = await named.must_find(board)
        was_open = (await board.show(found)).breaker_open
        await board.close_breaker(found)
        return {"closed": found if was_open else None}


async def pause(ports: OperatorPorts, asked: Arguments) -> Document:
    """Return the account with its pauses for the named lane, or for all lanes."""
    named, lane = _read_paused(asked)
    by = redact(asked.optional("by", text) or asked.caller)  # because Redis keeps it, in the clear
    asked.end()
    async with ports.limit_board() as board:
        found = await named.find(board)
        await board.pause(found, lane, by=by)
        pauses = [one for one in await pauses_of(board, found) if one.lane is lane]
        return {"account": found, "pauses": [asdict(one) for one in pauses]}


async def resume(ports: OperatorPorts, asked: Arguments) -> Document:
    """Return the account, whether there was a pause, and the pauses that are left."""
    named, lane = _read_paused(asked)
    asked.end()
    async with ports.limit_board() as board:
        found = await named.find(board)
        ended = await end_pause(board, found, lane)
        holds = (await look_at_limits(board)).holds
        left = [
            {"subject": hold.subject, "detail": hold.detail, "next_step": hold.next_step}
            for hold in holds
            if hold.kind is HoldKind.PAUSED
        ]
        return {"account": found, "resumed": ended, "still_paused": left}


@dataclass(frozen=True, slots=True)
class _Named:
    """An account as the operator names it."""

    account: str | None
    mode: str | None

    async def find(self, board: LimitBoard) -> str | None:
        """Return the account with its mode. None: the operator named none."""
        return None if self.account is None else await self.must_find(board)

    async def must_find(self, board: LimitBoard) -> str:
        return await find_account(board, self.account or "", self.mode)


def _read_account(asked: Arguments, *, required: bool = False) -> _Named:
    read = asked.required if required else asked.optional
    return _Named(read("account", account), asked.optional("mode", one_of(MODES)))


def _read_paused(asked: Arguments) -> tuple[_Named, RateLane | None]:
    """Return the account and the lane of a pause. Raises `PaydispatchError` unless they or `all` are named."""
    named = _read_account(asked)
    lane = asked.optional("lane", one_of([each.value for each in RateLane]))
    check_paused(account=named.account, lane=lane, mode=named.mode, everything=asked.flag("all"))
    return named, None if lane is None else RateLane(lane)


def check_paused(
    *, account: str | None, lane: str | None, mode: str | None, everything: bool
) -> None:
    """Raise `PaydispatchError` unless the arguments name an account, a lane or all."""
    if everything and (account or lane):
        raise PaydispatchError("--all stands alone, without --account and --lane.")
    if not (everything or account or lane):
        raise PaydispatchError("Name what is meant: --account ACCT, --lane LANE, or --all.")
    if mode and not account:
        raise PaydispatchError("--mode needs --account.")


async def _close_key(board: LimitBoard, digits: str) -> str | None:
    key = await find_refused_key(board, digits)
    if key:
        await board.close_key_breaker(key)
    return key


def _overview(overview: LimitsOverview) -> Document:
    return {
        "accounts": [_account(view) for view in overview.accounts],
        "pauses": [asdict(pause) for pause in overview.pauses],
        "key_breakers": [asdict(breaker) for breaker in overview.key_breakers],
        "more_accounts": overview.more_accounts,
        "holds": [asdict(hold) for hold in overview.holds],
    }


def _account(view: AccountView) -> Document:
    return {**asdict(view), "breaker_open": view.breaker_open}
