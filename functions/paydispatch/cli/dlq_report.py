"""Prints the parked messages for `paydispatch dlq`."""

from __future__ import annotations

from typing import Any

from paydispatch.cli.arguments import format_age
from paydispatch.cli.tables import show_table
from paydispatch.cli.terminal import complain, say, say_json


def show_walk(walk: dict[str, Any], limit: int, *, as_json: bool) -> None:
    """Print the messages. Print a note on stderr if the walk stopped before the end of the queue."""
    messages = walk["messages"]
    if as_json:
        say_json({"messages": messages, "may_be_more": walk["may_be_more"]})
    else:
        _show_table(messages)
    if walk["may_be_more"]:
        complain(_stop_note(len(messages), limit))


def _stop_note(count: int, limit: int) -> str:
    hint = " (--limit)" if count >= limit else ""
    return f"Stopped after {count}. There may be more{hint}."


def _show_table(messages: list[dict[str, Any]]) -> None:
    if not messages:
        say("The dead-letter queue has no such message.")
        return
    rows = ([_cell(value) for value in message.values()] for message in messages)
    show_table(list(messages[0]), rows)


def _cell(value: Any) -> str:
    return format_age(value) if isinstance(value, float) else str(value or "")
