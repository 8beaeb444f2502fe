"""`paydispatch forget`: erases the data of a conversation, because a person asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.cli.extras import WORKER
from paydispatch.cli.operate import add_stack, ask
from paydispatch.cli.terminal import say, say_json

if TYPE_CHECKING:
    import argparse

    from paydispatch.services.operate.ports import Document

EXAMPLES = """\
examples:
  paydispatch forget --context order-1001 --dry-run
  paydispatch forget --context order-1001
  paydispatch forget --context order-1001 --worker-id payment-worker-1 --tenant acme

exit codes:
  0    nothing of the conversation is left
  1    unfinished work is left: run the command again when it is done
  2    invalid arguments, a missing variable, or an unavailable service"""

KINDS = {
    "requests": ("request", "requests", "not settled yet"),
    "outcomes": ("outcome", "outcomes", "whose flow has not finished"),
    "dead_flows": ("dead flow", "dead flows", ""),
    "dead_letters": ("dead letter", "dead letters", "of a request that is not settled yet"),
}
"""{field of `Erasure`: one of it, many of it, why some are left}."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "forget",
        help="erase the data of a conversation (context_id)",
        description="Erase the results, errors, parameters and dead letters of a context. The guards against a second "
        "payment stay: they name no person. Unfinished work stays and is counted. Log lines expire with their log "
        "group, and Stripe keeps its own objects.",
        epilog=EXAMPLES,
    )
    parser.add_argument("--context", required=True, metavar="C", help="the context_id")
    parser.add_argument("--worker-id", metavar="W", help="only in this worker (default: in all)")
    parser.add_argument(
        "--tenant", metavar="T", help="the tenant (default: that of the queue, QUEUE_TENANT)"
    )
    parser.add_argument("--dry-run", action="store_true", help="count, and erase nothing")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    add_stack(parser)
    parser.set_defaults(run=run, extra=WORKER)


def run(arguments: argparse.Namespace) -> int:
    """Return 1 if unfinished work is left."""
    erasure = ask(
        arguments,
        "forget",
        context=arguments.context,
        worker_id=arguments.worker_id,
        tenant=arguments.tenant,
        dry_run=arguments.dry_run,
    )
    if arguments.json:
        say_json(erasure)
    else:
        _show(erasure)
    return 0 if erasure["complete"] else 1


def _show(erasure: Document) -> None:
    counts = {kind: erasure[kind] for kind in KINDS}
    gone = [_count(kind, found["erased"]) for kind, found in counts.items() if found["erased"]]
    say(f"{'Would erase' if erasure['dry_run'] else 'Erased'}: {', '.join(gone) or 'nothing'}.")
    for kind, found in counts.items():
        if found["left"]:
            say(f"Left: {_count(kind, found['left'])} {KINDS[kind][2]}.")


def _count(kind: str, number: int) -> str:
    one, many, _ = KINDS[kind]
    return f"{number} {one if number == 1 else many}"
