"""`paydispatch dlq list|show|redrive`: what is parked, why, and sending it back."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from paydispatch.cli.ages import age_s, shown_age
from paydispatch.cli.tables import show_table
from paydispatch.settings import CallerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from paydispatch.domain.redrive import Choice, Plan
    from paydispatch.services.redrive import Examined, RedriveOptions, Redriver

LIMIT = 1_000
KINDS = ("http", "api", "dispatcher")
BODY_SHOWN = 2_000
"""Characters of a message that nobody can read."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("dlq", help="the dead-letter queue: list, show, redrive")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_list(actions)
    _add_show(actions)
    _add_redrive(actions)


def _add_list(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser("list", help="what is parked, and what a redrive would do")
    _add_choice(parser)
    parser.set_defaults(run=run_list)


def _add_show(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser("show", help="one parked message, as JSON")
    parser.add_argument("request_id", metavar="ID", help="of the request, or of the SQS message")
    parser.set_defaults(run=run_show)


def _add_redrive(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "redrive",
        help="send parked messages back to their queues",
        description="The same requests are tried again under the same keys. What is too old for that "
        "goes to reconcile, what is settled stays, and nothing is lost.",
    )
    _add_choice(parser)
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--rate", type=_rate, metavar="N/s", help="at most so many a second")
    parser.add_argument(
        "--deadline-s", type=_positive, default=6 * 3600.0, metavar="S", help="(six hours)"
    )
    parser.add_argument(
        "--purge-settled", action="store_true", help="delete messages of settled requests"
    )
    parser.set_defaults(run=run_redrive)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--object", metavar="O", help="like payment_intent")
    parser.add_argument("--worker-id", metavar="W")
    parser.add_argument("--account", metavar="ACCT", help="the connected account")
    parser.add_argument("--reason", metavar="R", help="why it was parked, as `list` says")
    parser.add_argument("--kind", choices=KINDS, help="of the error it was parked with")
    parser.add_argument("--older-than", type=age_s, metavar="AGE", help="like 2h or 3d")
    parser.add_argument("--newer-than", type=age_s, metavar="AGE")
    parser.add_argument("--limit", type=int, default=LIMIT, metavar="N", help=f"({LIMIT})")
    parser.add_argument("--json", action="store_true")


def run_list(arguments: argparse.Namespace) -> int:
    _show_all(asyncio.run(_examine(_choice(arguments), arguments.limit)), as_json=arguments.json)
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    """Return 1 if there is no such message."""
    from paydispatch.domain.redrive import Choice

    found = asyncio.run(_examine(Choice(request_id=arguments.request_id), at_most=1))
    if not found:
        print(f"No parked message of {arguments.request_id}.", file=sys.stderr)
        return 1
    print(json.dumps(_in_full(found[0]), indent=2))
    return 0


def run_redrive(arguments: argparse.Namespace) -> int:
    work = _examine if arguments.dry_run else _redrive
    done = asyncio.run(work(_choice(arguments), arguments.limit, _options(arguments)))
    _show_all(done, as_json=arguments.json)
    return 0


async def _examine(
    choice: Choice, at_most: int, options: RedriveOptions | None = None
) -> list[Examined]:
    async with _redriver(options) as redriver:
        return await redriver.examine(choice, at_most=at_most)


async def _redrive(choice: Choice, at_most: int, options: RedriveOptions) -> list[Examined]:
    async with _redriver(options) as redriver:
        return await redriver.redrive(choice, at_most=at_most)


@asynccontextmanager
async def _redriver(options: RedriveOptions | None) -> AsyncIterator[Redriver]:
    import boto3

    from paydispatch.adapters.aws_errors import CLIENT_CONFIG
    from paydispatch.adapters.clock import SystemClock
    from paydispatch.adapters.doorbell import SqsDoorbell, StreamOnly
    from paydispatch.adapters.journal_logging import LoggingJournal
    from paydispatch.adapters.redis_board import RedisBoard
    from paydispatch.adapters.redis_connection import connect, connect_async
    from paydispatch.adapters.redis_outcomes import RedisOutcomes
    from paydispatch.adapters.sqs import SqsDispatchQueue
    from paydispatch.adapters.sqs_dead_letters import SqsDeadLetters
    from paydispatch.services.redrive import RedrivePorts, Redriver

    settings = CallerSettings.from_env()
    bell_url = settings.doorbell_queue_url
    sqs, clock, journal = boto3.client("sqs", config=CLIENT_CONFIG), SystemClock(), LoggingJournal()
    redis, board = connect_async(settings.redis_url), connect(settings.redis_url)
    ports = RedrivePorts(
        dead_letters=SqsDeadLetters(sqs, settings.dead_letter_queue_url),
        queue=SqsDispatchQueue(sqs, settings.queue_urls, dead_letter_queue_url=None),
        board=RedisBoard(board),
        outcomes=RedisOutcomes(redis, clock, queue_tenant=settings.queue_tenant),
        doorbell=SqsDoorbell(sqs, bell_url, journal) if bell_url else StreamOnly(),
        clock=clock,
        journal=journal,
    )
    try:
        yield Redriver(ports, options)
    finally:
        await redis.aclose()
        board.close()
        sqs.close()


def _choice(arguments: argparse.Namespace) -> Choice:
    from paydispatch.domain.redrive import Choice

    return Choice(
        object=arguments.object,
        worker_id=arguments.worker_id,
        account=arguments.account,
        reason=arguments.reason,
        kind=arguments.kind,
        older_than_s=arguments.older_than,
        newer_than_s=arguments.newer_than,
    )


def _options(arguments: argparse.Namespace) -> RedriveOptions:
    from paydispatch.services.redrive import RedriveOptions

    return RedriveOptions(
        deadline_s=arguments.deadline_s,
        rate_per_s=arguments.rate,
        purge_settled=arguments.purge_settled,
    )


def _show_all(examined: list[Examined], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"messages": [_in_short(one) for one in examined]}))
        return
    if not examined:
        print("The dead-letter queue holds nothing of that kind.")
        return
    rows = [_in_short(one) for one in examined]
    show_table(list(rows[0]), ([_cell(value) for value in row.values()] for row in rows))


def _cell(value: Any) -> str:
    return shown_age(value) if isinstance(value, float) else str(value or "")


def _in_short(one: Examined) -> dict[str, Any]:
    from paydispatch.domain.envelope import Malformed

    named = one.read.address if isinstance(one.read, Malformed) else one.read
    return {
        "id": named.request_id if named else one.parked.message_id,
        "object": named.object if named else None,
        "worker_id": named.worker_id if named else None,
        "account": getattr(named, "stripe_account", None),
        "age_s": round(time.time() - one.parked.sent_at, 1),
        "kind": one.parked.kind,
        "reason": one.parked.reason or "dead-lettered by the queue",
        "status": one.status or "not known",
        "redrive": _planned(one.plan),
        "action": one.action.value,
    }


def _planned(plan: Plan) -> str:
    from paydispatch.domain.redrive import (
        AlreadySettled,
        GoesToReconcile,
        LacksErrorFlow,
        SendBack,
    )

    match plan:
        case SendBack(envelope):
            return f"goes back to the {envelope.lane.value} queue"
        case GoesToReconcile():
            return "goes to reconcile: its key is too old to be sent again"
        case AlreadySettled(status):
            return f"stays: settled ({status}), its flow has been started"
        case LacksErrorFlow(malformed, _):
            return f"its error flow has not run, and is started: {malformed.message}"
        case unreadable:
            return f"stays: {unreadable.message}"


def _in_full(one: Examined) -> dict[str, Any]:
    return {**_in_short(one), "message_id": one.parked.message_id, "envelope": _envelope(one)}


def _envelope(one: Examined) -> Any:
    """What the message says, but for the sealed key; a text that is no envelope with every key blotted out."""
    from paydispatch.domain.credentials import redact
    from paydispatch.domain.envelope import Malformed

    if isinstance(one.read, Malformed):
        return redact(one.parked.body)[:BODY_SHOWN]
    fields = json.loads(one.read.as_message())
    return fields | {"sealed_secret": "(sealed)"} if "sealed_secret" in fields else fields


def _rate(text: str) -> float:
    return _positive(text.removesuffix("/s"))


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number
