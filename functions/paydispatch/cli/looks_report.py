"""Describe the looks of a place for an operator."""

from __future__ import annotations

from typing import Any

from paydispatch.cli.arguments import format_age


def describe_looks(place: dict[str, Any], now_s: float) -> str:
    """Return one line: `unknown in test acct_1, payment_intent: 3, since 5m, last look 4m ago, next look in 6m`."""
    parts = [f"unknown in {place['account']}, {place['object']}: {place['unknown']}"]
    if place["since"] is not None:
        parts.append(f"since {format_age(max(0.0, now_s - place['since']))}")
    if place["last_look_at"] is not None:
        parts.append(f"last look {format_age(max(0.0, now_s - place['last_look_at']))} ago")
    if place["pages_of_unfinished_pass"] is not None:
        parts.append(f"a pass goes on after {place['pages_of_unfinished_pass']} pages")
    parts.append(_next(place["next_look_at"], now_s))
    return ", ".join(parts)


def _next(next_look_at: float | None, now_s: float) -> str:
    if next_look_at is None:
        return "no look is planned, so that the hourly sweep looks"
    if next_look_at < now_s:
        return f"its look is overdue by {format_age(now_s - next_look_at)}"
    return f"next look in {format_age(next_look_at - now_s)}"
