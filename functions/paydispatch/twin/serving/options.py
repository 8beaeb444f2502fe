"""How a twin is to behave, from a command line."""

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
    strict: bool = True
    seed: int | None = None
    rates: Rates | None = None
    """None: Stripe's own when strict, none when lenient."""

    chaos: dict[str, Any] | None = None
    """`{"latency_ms": …, "faults": [rule, …]}`."""

    def build(self) -> StripeTwin:
        """Raises `RuleError` for chaos that cannot be understood."""
        from paydispatch.twin.twin import StripeTwin

        rates = self.rates or (Rates() if self.strict else Rates.unlimited())
        twin = StripeTwin(strict=self.strict, seed=self.seed, rates=rates)
        chaos = self.chaos or {}
        twin.faults.latency = Latency.parse(chaos.get("latency_ms", 0))
        for rule in chaos.get("faults", []):
            twin.faults.add(rule)
        return twin


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options every command that starts a twin has."""
    strictness = parser.add_mutually_exclusive_group()
    strictness.add_argument(
        "--strict",
        dest="strict",
        action="store_true",
        default=True,
        help="objects named in parameters must exist (the default)",
    )
    strictness.add_argument(
        "--lenient", dest="strict", action="store_false", help="they need not; no rate limits"
    )
    parser.add_argument("--seed", type=int, help="the same ids and the same faults every time")
    parser.add_argument(
        "--rate-limits",
        metavar="on|off|LIVE,SANDBOX,OPERATION",
        type=_rates,
        nargs="?",
        const=Rates(),
        help="calls per second of an account in each mode, and of one operation (100,25,25)",
    )
    parser.add_argument(
        "--chaos",
        metavar="FILE|JSON",
        type=_chaos,
        help='faults from the start: {"latency_ms": {"p50": 300, "p99": 2000}, "faults": [rule]}',
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
        raise argparse.ArgumentTypeError("on, off, or three numbers: 100,25,25") from None
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
