"""`paydispatch local`: runs the whole stack on this machine until Ctrl-C."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from paydispatch.cli.arguments import api_url, flows_folder, port
from paydispatch.cli.extras import LOCAL
from paydispatch.cli.terminal import (
    complain,
    complain_in_lines,
    open_console,
    say_json,
    say_lines,
)
from paydispatch.domain.text.printable import printable

if TYPE_CHECKING:
    import argparse

    from paydispatch.local.addresses import Addresses
    from paydispatch.local.settings import LocalSettings
    from paydispatch.local.stack import LocalStack

_LOOK_EVERY_S = 1.0
NAMED_CHANGES = 5


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "local",
        help="run the whole stack on this machine",
        description="Start every part of the stack on this machine, and run them until Ctrl-C. Print a line on stderr "
        "for each failing flow and for each request that ends in an error. If a flow or a module beside the flows "
        "folder is changed, the worker is restarted with it.",
        epilog="""\
examples:
  paydispatch local --port 8080
  paydispatch local --flows flows --verbose
  paydispatch local --json > stack.json

exit codes:
  0    stopped by Ctrl-C or SIGTERM
  1    a part failed""",
    )
    parser.add_argument(
        "--port", type=port, default=0, help="port of the HTTP gateway (default: 0, a free port)"
    )
    stripe = parser.add_mutually_exclusive_group()
    stripe.add_argument(
        "--stripe-base",
        type=api_url,
        metavar="URL",
        help="use this Stripe instead of the twin, with the rate limits of STRIPE_LIMIT_* (the twin has none)",
    )
    stripe.add_argument(
        "--lenient",
        action="store_true",
        help="let the twin accept creates that break a rule of Stripe, or that name an unknown object",
    )
    parser.add_argument(
        "--no-events",
        dest="events",
        action="store_false",
        help="let the twin send no events to the API of the stack",
    )
    parser.add_argument(
        "--redis-url", metavar="URL", help="use this Redis instead of an embedded server"
    )
    parser.add_argument(
        "--flows",
        type=Path,
        metavar="DIR",
        help="folder of the flow scripts (default: FLOWS_DIR, or ./flows)",
    )
    parser.add_argument("--json", action="store_true", help="print the addresses as one JSON line")
    parser.add_argument("--verbose", action="store_true", help="print the output of every part")
    parser.set_defaults(run=run, extra=LOCAL)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 after Ctrl-C or SIGTERM, and 1 if a part did not start or stopped on its own."""
    from paydispatch.local.failures import Failures
    from paydispatch.local.flow_changes import FlowChanges
    from paydispatch.local.processes import PartFailed
    from paydispatch.local.stack import LocalStack

    settings, flows = _settings(arguments), flows_folder(arguments.flows)
    for ending in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores SIGINT
        signal.signal(ending, _as_ctrl_c)
    try:
        with LocalStack(settings) as stack:
            _show(stack.addresses, as_json=arguments.json)
            failures, changes = Failures(stack.directory), FlowChanges(flows)
            while True:
                stack.wait(_LOOK_EVERY_S)
                _reload(stack, changes.read())
                for failure in failures.read():
                    complain(failure)
    except KeyboardInterrupt:
        return 0
    except PartFailed as failure:
        complain_in_lines(f"paydispatch local: {failure}")
        return 1


def _reload(stack: LocalStack, changed: list[str]) -> None:
    """Restart the worker if files of the flows were changed. The other parts run on, with their ports and state."""
    if changed:
        stack.restart("worker")
        named = ", ".join(changed[:NAMED_CHANGES]) + (", …" if len(changed) > NAMED_CHANGES else "")
        complain(f"The worker has the changed flows: {named}.")


def _as_ctrl_c(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _settings(arguments: argparse.Namespace) -> LocalSettings:
    """Return the settings of the stack. Raises `PaydispatchError` for an option with which no part could start."""
    from paydispatch.adapters.redis.connection import refuse_eviction
    from paydispatch.domain.web.protected_urls import check_redis_url
    from paydispatch.local.settings import LocalSettings
    from paydispatch.settings import allow_eviction, allow_plaintext

    if arguments.redis_url:
        url = check_redis_url(
            "--redis-url", arguments.redis_url, plaintext_allowed=allow_plaintext()
        )
        refuse_eviction(url, allowed=allow_eviction())
    return LocalSettings(
        port=arguments.port,
        stripe_base=arguments.stripe_base,
        lenient=arguments.lenient,
        events=arguments.events,
        console=True,
        redis_url=arguments.redis_url,
        flows=flows_folder(arguments.flows),
        verbose=arguments.verbose,
    )


def _show(addresses: Addresses, *, as_json: bool) -> None:
    if as_json:
        say_json(addresses.as_json())
    else:
        _show_table(addresses)


def _show_table(addresses: Addresses) -> None:
    from rich.text import Text

    console = open_console()
    for name, value in addresses.as_json().items():
        if value is not None:
            line = Text.assemble((f"{name:<22}", "bold"), " ", printable(value))
            console.print(line, soft_wrap=True)
    say_lines(f"\nTry it (Ctrl-C stops the stack):\n\n{_example(addresses.api)}")
    sys.stdout.flush()


def _example(api: str) -> str:
    body = {
        "worker_id": "payment-worker-1",
        "context_id": "context-1",
        "stripe_secret": "sk_test_anything",
        "params": {"name": "Book"},
    }
    return f"curl {api}/v1/products -H 'content-type: application/json' -d '{json.dumps(body)}'"
