"""The command line options of every program that starts a twin."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paydispatch.twin.events.delivery_faults import DeliveryShares
from paydispatch.twin.faults import Latency, RuleError
from paydispatch.twin.rate_limits import Rates

if TYPE_CHECKING:
    from paydispatch.twin.twin import StripeTwin

_OFF = "off"
_ON = "on"


@dataclass(frozen=True, slots=True)
class TwinOptions:
    """The settings of a twin."""

    strict: bool = True
    seed: int | None = None
    rates: Rates | None = None
    """None means Stripe's documented limits if `strict`, and no limits otherwise."""

    chaos: dict[str, Any] | None = None
    """`{"latency_ms": …, "faults": [rule, …]}`."""

    webhooks: tuple[dict[str, Any], ...] = ()
    event_faults: dict[str, Any] = field(default_factory=dict)

    def build(self) -> StripeTwin:
        """Return a twin with these settings. Raises `RuleError` for a fault or a webhook that is invalid."""
        from paydispatch.twin.twin import StripeTwin

        rates = self.rates or (Rates() if self.strict else Rates.unlimited())
        twin = StripeTwin(strict=self.strict, seed=self.seed, rates=rates)
        chaos = self.chaos or {}
        twin.faults.latency = Latency.parse(chaos.get("latency_ms", 0))
        for rule in chaos.get("faults", []):
            twin.faults.add(rule)
        for webhook in self.webhooks:
            twin.webhooks.add(webhook)
        twin.webhooks.faults.shares = DeliveryShares.parse(self.event_faults)
        return twin


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add these options to a parser."""
    strictness = parser.add_mutually_exclusive_group()
    strictness.add_argument(
        "--strict",
        dest="strict",
        action="store_true",
        default=True,
        help="refuse a create that breaks a rule of Stripe, or that names an unknown object (the default)",
    )
    strictness.add_argument(
        "--lenient",
        dest="strict",
        action="store_false",
        help="check only the parameters one by one: no rules of Stripe, any id, no rate limits",
    )
    parser.add_argument(
        "--seed", type=int, help="number that makes ids and faults repeatable (default: random)"
    )
    parser.add_argument(
        "--rate-limits",
        metavar="on|off|LIVE,SANDBOX,OPERATION",
        type=_rates,
        nargs="?",
        const=Rates(),
        help="calls per second of an account in live mode, of an account in a sandbox, and of one operation; "
        "`on` is 100,25,25 (default: on with --strict, off with --lenient)",
    )
    parser.add_argument(
        "--chaos",
        metavar="FILE|JSON",
        type=_chaos,
        help='latency and fault rules to start with: {"latency_ms": {"p50": 300, "p99": 2000}, "faults": [rule]}',
    )
    parser.add_argument(
        "--webhooks",
        metavar="FILE|JSON",
        type=_webhooks,
        default=(),
        help='where to send events: [{"url", "secret"}]. A file keeps the secret out of the list of processes',
    )
    parser.add_argument(
        "--event-faults",
        metavar="FILE|JSON",
        type=_event_faults,
        default={},
        help='shares of the events that come late, never, twice or out of order: {"late": 0.1, "lost": 0.1}',
    )


def options_of(arguments: argparse.Namespace) -> TwinOptions:
    return TwinOptions(
        strict=arguments.strict,
        seed=arguments.seed,
        rates=arguments.rate_limits,
        chaos=arguments.chaos,
        webhooks=arguments.webhooks,
        event_faults=arguments.event_faults,
    )


def _rates(text: str) -> Rates:
    if text in (_ON, _OFF):
        return Rates() if text == _ON else Rates.unlimited()
    try:
        live, sandbox, operation = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            "must be on, off, or three numbers such as 100,25,25"
        ) from None
    return Rates(live, sandbox, operation)


def _chaos(text: str) -> dict[str, Any]:
    chaos = _read_json(text)
    whole = chaos if isinstance(chaos, dict) else {"faults": chaos}
    _check(TwinOptions(chaos=whole))
    return whole


def _webhooks(text: str) -> tuple[dict[str, Any], ...]:
    found = _read_json(text)
    webhooks = tuple(found if isinstance(found, list) else [found])
    _check(TwinOptions(webhooks=webhooks))
    return webhooks


def _event_faults(text: str) -> dict[str, Any]:
    found: dict[str, Any] = _read_json(text)
    _check(TwinOptions(event_faults=found))
    return found


def _read_json(text: str) -> Any:
    try:
        is_json = text.lstrip().startswith(("{", "["))
        return json.loads(text if is_json else Path(text).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _check(options: TwinOptions) -> None:
    try:
        options.build()
    except RuleError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
