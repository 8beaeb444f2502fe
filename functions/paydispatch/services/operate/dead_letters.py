"""`dlq list|show|redrive`: walk through the dead-letter queue in runs, each of which goes on after the one before."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import InvalidField, Unavailable
from paydispatch.domain.operators.redrive import Choice
from paydispatch.services.operate.arguments import amount, count, one_of, positive, text, texts
from paydispatch.services.operate.parked import in_full, in_short
from paydispatch.services.operate.ports import INTERRUPTED
from paydispatch.services.redrive import Walk
from paydispatch.services.redrive_message import RedriveOptions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from paydispatch.services.operate.arguments import Arguments
    from paydispatch.services.operate.ports import Document, OperatorPorts, Slice

LIMIT = 1_000
DEADLINE_S = 6 * 3_600.0
KINDS = ("http", "api", "dispatcher")

SLOWEST_RATE_PER_S = 0.1
"""In a run with an end. A slower redrive would sleep beyond it."""


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Where the next run of a walk goes on."""

    left: int
    """Messages that the operator still wants."""
    seen: frozenset[str]
    """The messages that the runs before have worked on."""


async def list_parked(ports: OperatorPorts, asked: Arguments) -> Document:
    choice, cursor = _read_choice(asked), _read_cursor(asked)
    asked.end()
    return await _examine(ports, choice, cursor, None)


async def redrive(ports: OperatorPorts, asked: Arguments) -> Document:
    choice, cursor = _read_choice(asked), _read_cursor(asked)
    options, dry_run = _read_options(asked, ports.slice), asked.flag("dry_run")
    asked.end()
    if dry_run:
        return await _examine(ports, choice, cursor, options)
    walk = _begin(ports, cursor)
    async with ports.redriver(options) as redriver:

        async def work(at_most: int) -> None:
            await redriver.redrive(choice, at_most=at_most, walk=walk)

        return await _walk(ports, cursor, walk, work)


async def show_parked(ports: OperatorPorts, asked: Arguments) -> Document:
    """Return `{"message": null}` if there is no such message."""
    choice = Choice(request_id=asked.required("request_id", text))
    asked.end()
    async with ports.redriver() as redriver:
        examined = await redriver.examine(choice, at_most=1)
    shown = in_full(examined[0], ports.clock.now_s()) if examined else None
    return {"message": shown}


def join_walks(first: Document, second: Document) -> Document:
    """Return the document of two runs."""
    return {**second, "messages": [*first["messages"], *second["messages"]]}


async def _examine(
    ports: OperatorPorts, choice: Choice, cursor: _Cursor, options: RedriveOptions | None
) -> Document:
    walk = _begin(ports, cursor)
    async with ports.redriver(options) as redriver:

        async def work(at_most: int) -> None:
            await redriver.examine(choice, at_most=at_most, walk=walk)

        return await _walk(ports, cursor, walk, work)


def _begin(ports: OperatorPorts, cursor: _Cursor) -> Walk:
    until = None if ports.slice is None else ports.clock.now_s() + ports.slice.seconds
    return Walk(seen=set(cursor.seen), until=until)


async def _walk(
    ports: OperatorPorts, cursor: _Cursor, walk: Walk, work: Callable[[int], Awaitable[None]]
) -> Document:
    """Return the messages also if the walk stops in the middle, because their actions were taken."""
    at_most = cursor.left if ports.slice is None else min(cursor.left, ports.slice.messages)
    stopped_by = None
    try:
        await work(at_most)
    except Unavailable as error:
        if not walk.examined:
            raise
        stopped_by = str(error)
    except asyncio.CancelledError:
        if (
            not walk.examined or ports.slice is not None
        ):  # only on the operator's machine it is Ctrl-C
            raise
        stopped_by = INTERRUPTED
    document = _describe(walk, ports.clock.now_s())
    if stopped_by is not None:
        return {**document, "stopped_by": stopped_by}
    left = cursor.left - len(walk.examined)
    if ports.slice is None or not (walk.may_be_more and walk.examined and left):
        return document
    return {**document, "cursor": {"left": left, "seen": sorted(walk.seen)}}


def _describe(walk: Walk, now_s: float) -> Document:
    messages = [in_short(one, now_s) for one in walk.examined]
    return {"messages": messages, "may_be_more": walk.may_be_more}


def _read_choice(asked: Arguments) -> Choice:
    return Choice(
        object=asked.optional("object", text),
        worker_id=asked.optional("worker_id", text),
        account=asked.optional("account", text),
        reason=asked.optional("reason", text),
        kind=asked.optional("kind", one_of(KINDS)),
        older_than_s=asked.optional("older_than_s", amount),
        newer_than_s=asked.optional("newer_than_s", amount),
    )


def _read_options(asked: Arguments, slice_: Slice | None) -> RedriveOptions:
    rate = asked.optional("rate_per_s", positive)
    if slice_ is not None and rate is not None and rate < SLOWEST_RATE_PER_S:
        raise InvalidField(
            "rate_per_s", f"With --stack, rate_per_s must be at least {SLOWEST_RATE_PER_S}."
        )
    return RedriveOptions(
        deadline_s=asked.optional("deadline_s", positive) or DEADLINE_S,
        rate_per_s=rate,
        purge_settled=asked.flag("purge_settled"),
    )


def _read_cursor(asked: Arguments) -> _Cursor:
    limit = asked.optional("limit", count) or LIMIT
    cursor = asked.optional("cursor", _cursor)
    return cursor or _Cursor(limit, frozenset())


def _cursor(value: Any) -> _Cursor:
    if not isinstance(value, dict) or set(value) != {"left", "seen"}:
        raise ValueError("it must be the cursor of an answer")
    return _Cursor(count(value["left"]), frozenset(texts(value["seen"])))
