"""What holds calls back: a pause, an open breaker, or a limit that shrank. Pure: views in, sentences out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paydispatch.domain.rates.views import AccountView, KeyBreakerView, LimitView, Pause

SHOWN_OF_A_HASH = 12
"""The digits of a key's hash that are shown. They suffice to name the key to `limits close-breaker`."""

ALL_ACCOUNTS = "all accounts"


class HoldKind(StrEnum):
    PAUSED = "paused"
    ACCOUNT_BREAKER = "breaker of the account open"
    KEY_BREAKER = "breaker of a key open"
    SHRUNK = "limit shrunk"
    CAPPED = "calls in flight capped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One reason for which calls go later than they could."""

    kind: HoldKind
    subject: str
    """The account, `ALL_ACCOUNTS`, or the key by its hash."""
    detail: str
    next_step: str
    since_s: float | None = None
    """Unix seconds. None: not known."""

    @property
    def stops(self) -> bool:
        """Whether calls do not go at all. A shrunk limit only slows them down, and comes back by itself."""
        return self.kind not in (HoldKind.SHRUNK, HoldKind.CAPPED)


def lane_of(pause: Pause) -> str:
    return "all lanes" if pause.lane is None else f"lane {pause.lane.value}"


def of_pauses(account: str | None, pauses: Sequence[Pause]) -> Iterator[Hold]:
    """Yield the pauses of an account, or with None those of all accounts."""
    for pause in pauses:
        by = f" by {pause.by}" if pause.by else ""
        yield Hold(
            kind=HoldKind.PAUSED,
            subject=account or ALL_ACCOUNTS,
            detail=f"{lane_of(pause)} paused{by}",
            next_step=f"paydispatch resume {_resume_words(account, pause)}",
            since_s=pause.since_s,
        )


def of_account(view: AccountView) -> Iterator[Hold]:
    yield from of_pauses(view.account, view.pauses)
    if view.breaker_open:
        yield Hold(
            kind=HoldKind.ACCOUNT_BREAKER,
            subject=view.account,
            detail=f"{view.failures_in_a_row} calls in a row without an answer",
            next_step="a probe that Stripe answers closes it, or paydispatch limits close-breaker "
            f"--account '{view.account}'",
        )
    for limit in view.limits:
        yield from _of_limit(view.account, limit)


def of_key(view: KeyBreakerView) -> Hold:
    where = view.operation or "all operations"
    return Hold(
        kind=HoldKind.KEY_BREAKER,
        subject=f"key {view.key_sha256[:SHOWN_OF_A_HASH]}",
        detail=f"{where}: refused {view.refusals} times",
        next_step="replace the key or its permissions. A probe that Stripe accepts closes it, or paydispatch limits "
        f"close-breaker --key {view.key_sha256[:SHOWN_OF_A_HASH]}",
        since_s=view.since_s,
    )


def _of_limit(account: str, limit: LimitView) -> Iterator[Hold]:
    name = limit.operation or "all operations"
    if limit.rate is not None and limit.configured is not None and limit.rate < limit.configured:
        yield Hold(
            kind=HoldKind.SHRUNK,
            subject=account,
            detail=f"{name}: {limit.rate} of {limit.configured} calls per second, after a 429",
            next_step="it comes back step by step. If it shrinks often, set a lower limit",
        )
    if limit.cap_in_flight is not None:
        yield Hold(
            kind=HoldKind.CAPPED,
            subject=account,
            detail=f"{name}: {limit.in_flight} of {limit.cap_in_flight} calls in flight, after a 429",
            next_step="the cap widens step by step",
        )


def _resume_words(account: str | None, pause: Pause) -> str:
    lane = "" if pause.lane is None else f"--lane {pause.lane.value}"
    if account is None:
        return lane or "--all"
    return f"--account '{account}' {lane}".rstrip()
