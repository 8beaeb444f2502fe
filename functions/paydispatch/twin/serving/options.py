"""The command line options of every program that starts a twin."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

    def build(self) -> StripeTwin:
        """Return a twin with these settings. Raises `RuleError` if `chaos` is invalid."""
        from paydispatch.twin.twin import StripeTwin

        rates = self.rates or (Rates() if self.strict else Rates.unlimited())
        twin = StripeTwin(strict=self.strict, seed=self.seed, rates=rates)
        chaos = self.chaos or {}
        twin.faults.latency = Latency.parse(chaos.get("latency_ms", 0))
        for rule in chaos.get("faults", []):
            twin.faults.add(rule)
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


def options_of(arguments: argparse.Namespace) -> TwinOptions:
    return TwinOptions(
        strict=arguments.strict,
        seed=arguments.seed,
        rates=arguments.rate_limits,
        chaos=arguments.chaos,
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
    try:
        chaos = json.loads(
            text if text.lstrip().startswith(("{", "[")) else Path(text).read_text("utf-8")
        )
        whole = chaos if isinstance(chaos, dict) else {"faults": chaos}
        TwinOptions(chaos=whole).build()
    except (OSError, ValueError, RuleError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return whole
