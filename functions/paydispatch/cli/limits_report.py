"""Prints the limits of accounts, the pauses and the breakers, as tables or as JSON."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from paydispatch.cli.arguments import format_age
from paydispatch.cli.tables import show_table
from paydispatch.cli.terminal import say, say_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paydispatch.domain.operators.holds import Hold
    from paydispatch.domain.rates.views import AccountView, LimitView
    from paydispatch.services.limits import LimitsOverview

LIMIT_COLUMNS = ("account", "operation", "limit", "now", "in flight", "reserved", "deferred for")
HOLD_COLUMNS = ("calls of", "held back by", "for", "detail", "next")


def show_overview(overview: LimitsOverview, *, as_json: bool) -> None:
    if as_json:
        say_json(
            {
                "accounts": [account_json(view) for view in overview.accounts],
                "pauses": [asdict(pause) for pause in overview.pauses],
                "key_breakers": [asdict(breaker) for breaker in overview.key_breakers],
                "more_accounts": overview.more_accounts,
            }
        )
        return
    rows = [row for view in overview.accounts for row in _rows(view)]
    if rows:
        show_table(LIMIT_COLUMNS, rows)
    else:
        say("No account has made a call yet.")
    if overview.more_accounts:
        say("There are more accounts. Name one with --account.")
    show_holds(overview.holds)


def show_account(view: AccountView) -> None:
    show_table(LIMIT_COLUMNS, _rows(view))


def show_holds(holds: Iterable[Hold]) -> None:
    rows = [_hold_row(hold) for hold in holds]
    if rows:
        show_table(HOLD_COLUMNS, rows)


def account_json(view: AccountView) -> dict[str, Any]:
    return {**asdict(view), "breaker_open": view.breaker_open}


def _rows(view: AccountView) -> Iterable[list[str]]:
    for limit in view.limits:
        yield [view.account, limit.operation or "(all)", *_numbers(limit)]


def _numbers(limit: LimitView) -> list[str]:
    own = " (set)" if limit.overridden else ""
    capped = limit.cap_in_flight is not None
    return [
        f"{_rate(limit.configured)}{own}",
        _rate(limit.rate),
        f"{limit.in_flight} of {limit.cap_in_flight}" if capped else "",
        str(limit.reserved or ""),
        _left(limit.deferred_until),
    ]


def _rate(rate: int | None) -> str:
    return "off" if rate is None else f"{rate}/s"


def _left(until: float | None) -> str:
    return "" if until is None else format_age(max(0.0, until - time.time()))


def _hold_row(hold: Hold) -> list[str]:
    age = "" if hold.since_s is None else format_age(max(0.0, time.time() - hold.since_s))
    return [hold.subject, hold.kind.value, age, hold.detail, hold.next_step]
