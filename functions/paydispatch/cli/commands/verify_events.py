"""`paydispatch verify-events`: makes a coupon in a sandbox, and says whether its event carries the call's own key."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from paydispatch.cli.arguments import age_s, api_url
from paydispatch.cli.terminal import say, say_json
from paydispatch.domain.credentials import StripeKey
from paydispatch.settings import StripeSettings

if TYPE_CHECKING:
    import argparse

    from paydispatch.services.verify_events import Verified

EXAMPLES = """\
examples:
  paydispatch verify-events --key sk_test_...
  echo "$KEY" | paydispatch verify-events --key - --json

exit codes:
  0    the event carries the key: events can prove requests
  1    no event came, it carries no or another key, or the key
       may not read events
  2    the key is not one of a sandbox, Stripe refused it, or
       Stripe is unavailable"""

SENTENCES = {
    "echoed": "Stripe echoed the key: the event {event_id} came after {after_s} s. Events can prove requests.",
    "other_key": "The event {event_id} came after {after_s} s, but without the call's key. Events prove nothing.",
    "no_event": "No event of the coupon {coupon} came in {after_s} s. Try again with a longer --within.",
    "not_readable": "The key may not read events: {why}.",
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "verify-events",
        help="check in a sandbox that Stripe's events can prove requests",
        description="Make one coupon in your sandbox, wait for its event, and say whether the event carries the "
        "idempotency key of the call. The coupon is deleted again. A live key is refused.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "--key",
        required=True,
        metavar="KEY",
        help="a key of the sandbox, or - to read it from standard input",
    )
    parser.add_argument(
        "--within", type=age_s, default=60.0, metavar="AGE", help="wait this long (default: 60s)"
    )
    parser.add_argument(
        "--stripe-base",
        type=api_url,
        metavar="URL",
        help="another Stripe (default: STRIPE_API_BASE)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if the event carries the key, otherwise 1."""
    text = sys.stdin.readline().strip() if arguments.key == "-" else arguments.key
    verified = asyncio.run(_verify(StripeKey(text, field="--key"), arguments))
    if arguments.json:
        say_json(asdict(verified))
    else:
        say(SENTENCES[verified.echo.value].format(**asdict(verified)))
    return 0 if verified.echo.value == "echoed" else 1


async def _verify(key: StripeKey, arguments: argparse.Namespace) -> Verified:
    from paydispatch.compose.verify_events import verify_ports
    from paydispatch.services.verify_events import verify_events

    async with verify_ports(StripeSettings.from_env(), arguments.stripe_base) as ports:
        return await verify_events(ports, key, within_s=arguments.within)
