"""Prints the limits of accounts, the pauses and the breakers, as tables or as JSON."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from paydispatch.cli.arguments import format_age
from paydispatch.cli.tables import show_table
from paydispatch.cli.terminal import say, say_json

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMIT_COLUMNS = ("account", "operation", "limit", "now", "in flight", "reserved", "deferred for")
HOLD_COLUMNS = ("calls of", "held back by", "for", "detail", "next")


def show_overview(overview: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        say_json(overview)
        return
    rows = [row for view in overview["accounts"] for row in _rows(view)]
    if rows:
        show_table(LIMIT_COLUMNS, rows)
    else:
        say("No account has made a call yet.")
    if overview["more_accounts"]:
        say("There are more accounts. Name one with --account.")
    show_holds(overview["holds"])


def show_account(view: dict[str, Any]) -> None:
    show_table(LIMIT_COLUMNS, _rows(view))


def show_holds(holds: Iterable[dict[str, Any]]) -> None:
    rows = [_hold_row(hold) for hold in holds]
    if rows:
        show_table(HOLD_COLUMNS, rows)


def _rows(view: dict[str, Any]) -> Iterable[list[str]]:
    for limit in view["limits"]:
        yield [view["account"], limit["operation"] or "(all)", *_numbers(limit)]


def _numbers(limit: dict[str, Any]) -> list[str]:
    own = " (set)" if limit["overridden"] else ""
    cap = limit["cap_in_flight"]
    return [
        f"{_rate(limit['configured'])}{own}",
        _rate(limit["rate"]),
        "" if cap is None else f"{limit['in_flight']} of {cap}",
        str(limit["reserved"] or ""),
        _left(limit["deferred_until"]),
    ]


def _rate(rate: int | None) -> str:
    return "off" if rate is None else f"{rate}/s"


def _left(until: float | None) -> str:
    return "" if until is None else format_age(max(0.0, until - time.time()))


def _hold_row(hold: dict[str, Any]) -> list[str]:
    since_s = hold["since_s"]
    age = "" if since_s is None else format_age(max(0.0, time.time() - since_s))
    return [hold["subject"], hold["kind"], age, hold["detail"], hold["next_step"]]
