"""`paydispatch dlq list|show|redrive`: shows the parked messages with their reasons, and sends them back."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from paydispatch.cli.arguments import age_s, count, positive, rate
from paydispatch.cli.dlq_report import show_one, show_walk
from paydispatch.cli.event_log import add_verbose, show_event_log
from paydispatch.cli.terminal import complain
from paydispatch.settings import CallerSettings

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Coroutine

    from paydispatch.domain.operators.redrive import Choice
    from paydispatch.services.redrive import Redriver, Walk
    from paydispatch.services.redrive_message import RedriveOptions

LIMIT = 1_000
KINDS = ("http", "api", "dispatcher")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "dlq", help="list, show or redrive the messages in the dead-letter queue"
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_list(actions)
    _add_show(actions)
    _add_redrive(actions)


def _add_list(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "list", help="list the parked messages, and the action that a redrive would take"
    )
    _add_choice(parser)
    parser.set_defaults(run=run_list)


def _add_show(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser("show", help="print one parked message as JSON")
    parser.add_argument("request_id", metavar="ID", help="id of the request or of the SQS message")
    parser.add_argument("--json", action="store_true", help="print JSON (the default)")
    parser.set_defaults(run=run_show)


def _add_redrive(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "redrive",
        help="send parked messages back to their queues",
        description="Send parked messages back to their queues, as the same requests under the same idempotency keys. "
        "A request that is too old to be sent again goes to reconcile. A message of a settled request stays.",
    )
    _add_choice(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="print the actions without taking them"
    )
    parser.add_argument(
        "--rate", type=rate, metavar="N/s", help="messages per second at most (default: no limit)"
    )
    parser.add_argument(
        "--deadline-s",
        type=positive,
        default=6 * 3600.0,
        metavar="S",
        help="seconds until a request that is sent back is given up (default: 21600, six hours)",
    )
    parser.add_argument(
        "--purge-settled",
        action="store_true",
        help="delete the messages of settled requests (default: they stay)",
    )
    add_verbose(parser)
    parser.set_defaults(run=run_redrive)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--object", metavar="O", help="only messages of this object, such as payment_intent"
    )
    parser.add_argument("--worker-id", metavar="W", help="only messages of this worker")
    parser.add_argument("--account", metavar="ACCT", help="only messages of this connected account")
    parser.add_argument(
        "--reason", metavar="R", help="only messages with this reason, as printed by `list`"
    )
    parser.add_argument(
        "--kind", choices=KINDS, help="only messages parked with an error of this kind"
    )
    parser.add_argument(
        "--older-than",
        type=age_s,
        metavar="AGE",
        help="only messages older than this, such as 2h or 3d",
    )
    parser.add_argument(
        "--newer-than", type=age_s, metavar="AGE", help="only messages newer than this"
    )
    parser.add_argument(
        "--limit",
        type=count,
        default=LIMIT,
        metavar="N",
        help=f"stop after N messages (default: {LIMIT})",
    )
    parser.add_argument("--json", action="store_true", help="print the messages as JSON")


def run_list(arguments: argparse.Namespace) -> int:
    """Return 1 if the work on a message failed, otherwise 0."""
    from paydispatch.services.redrive import Walk

    walk = Walk()
    with show_event_log(verbose=False):
        return _follow(_examine(_choice(arguments), arguments.limit, walk), walk, arguments)


def run_show(arguments: argparse.Namespace) -> int:
    """Return 1 if there is no such message, otherwise 0."""
    from paydispatch.domain.operators.redrive import Choice
    from paydispatch.services.redrive import Walk

    walk = Walk()
    with show_event_log(verbose=False):
        asyncio.run(_examine(Choice(request_id=arguments.request_id), 1, walk))
    if not walk.examined:
        complain(f"There is no parked message with the id {arguments.request_id}.")
        return 1
    show_one(walk.examined[0])
    return 0


def run_redrive(arguments: argparse.Namespace) -> int:
    """Return 1 if the work on a message failed, otherwise 0."""
    from paydispatch.services.redrive import Walk

    walk, work = Walk(), _examine if arguments.dry_run else _redrive
    walking = work(_choice(arguments), arguments.limit, walk, _options(arguments))
    with show_event_log(verbose=arguments.verbose):
        return _follow(walking, walk, arguments)


def _follow(walking: Coroutine[None, None, None], walk: Walk, arguments: argparse.Namespace) -> int:
    """Run the walk and print its messages, also if it fails in the middle, because their actions were taken."""
    try:
        asyncio.run(walking)
    except BaseException:
        if walk.examined:
            show_walk(walk, arguments.limit, as_json=arguments.json)
        raise
    show_walk(walk, arguments.limit, as_json=arguments.json)
    return 1 if walk.failed else 0


async def _examine(
    choice: Choice, at_most: int, walk: Walk, options: RedriveOptions | None = None
) -> None:
    async with _redriver(options) as redriver:
        await redriver.examine(choice, at_most=at_most, walk=walk)


async def _redrive(choice: Choice, at_most: int, walk: Walk, options: RedriveOptions) -> None:
    async with _redriver(options) as redriver:
        await redriver.redrive(choice, at_most=at_most, walk=walk)


@asynccontextmanager
async def _redriver(options: RedriveOptions | None) -> AsyncIterator[Redriver]:
    import boto3

    from paydispatch.adapters.aws.dead_letters import SqsDeadLetters
    from paydispatch.adapters.aws.errors import CLIENT_CONFIG, SEND_CONFIG
    from paydispatch.adapters.aws.sqs import SqsAsyncQueue
    from paydispatch.adapters.clock import SystemClock
    from paydispatch.adapters.command_event_log import CommandEventLog
    from paydispatch.adapters.redis.connection import connect_async
    from paydispatch.adapters.redis.eviction import EvictionCheck
    from paydispatch.adapters.redis.requests.request_slots import RedisRequests
    from paydispatch.adapters.redis.streams.doorbell import NoDoorbell, SqsDoorbell
    from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
    from paydispatch.services.redrive import Redriver
    from paydispatch.services.redrive_message import RedrivePorts

    settings = CallerSettings.from_env()
    doorbell_url = settings.doorbell_queue_url
    sqs = boto3.client("sqs", config=CLIENT_CONFIG)
    sending = boto3.client("sqs", config=SEND_CONFIG)
    clock, log = SystemClock(), CommandEventLog()
    eviction = EvictionCheck(allowed=settings.allow_eviction, log=log)
    redis = connect_async(settings.redis_url, eviction)
    tenant = settings.queue_tenant
    ports = RedrivePorts(
        dead_letters=SqsDeadLetters(sqs, settings.dead_letter_queue_url),
        queue=SqsAsyncQueue(sending, settings.queue_urls, dead_letter_queue_url=None),
        requests=RedisRequests(redis, clock, queue_tenant=tenant),
        outcomes=RedisOutcomes(redis, queue_tenant=tenant),
        doorbell=SqsDoorbell(sqs, doorbell_url, log) if doorbell_url else NoDoorbell(),
        clock=clock,
        log=log,
        queue_tenant=tenant,
    )
    try:
        yield Redriver(ports, options)
    finally:
        await redis.aclose()
        sqs.close()
        sending.close()


def _choice(arguments: argparse.Namespace) -> Choice:
    from paydispatch.domain.operators.redrive import Choice

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
    from paydispatch.services.redrive_message import RedriveOptions

    return RedriveOptions(
        deadline_s=arguments.deadline_s,
        rate_per_s=arguments.rate,
        purge_settled=arguments.purge_settled,
    )
