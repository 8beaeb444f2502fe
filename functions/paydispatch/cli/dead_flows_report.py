"""Prints the dead flows for `paydispatch flows dead`."""

from __future__ import annotations

from typing import Any

from paydispatch.cli.arguments import format_age
from paydispatch.cli.tables import show_table
from paydispatch.cli.terminal import complain, say, say_json


def show_flows(walk: dict[str, Any], limit: int, *, as_json: bool) -> None:
    """Print the flows. Print a note on stderr if the walk stopped before the last one."""
    flows = walk["flows"]
    if as_json:
        say_json({"flows": flows, "may_be_more": walk["may_be_more"]})
    elif flows:
        show_table(list(flows[0]), ([_cell(value) for value in flow.values()] for flow in flows))
    else:
        say("There is no such dead flow.")
    if walk["may_be_more"]:
        complain(_stop_note(len(flows), limit))


def _stop_note(count: int, limit: int) -> str:
    hint = " (--limit)" if count >= limit else ""
    return f"Stopped after {count}. There may be more{hint}."


def _cell(value: Any) -> str:
    return format_age(value) if isinstance(value, float) else str(value or "")
