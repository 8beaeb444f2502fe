"""`paydispatch cost`: the cost of a number of calls on AWS, by a model and a dated price list."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from paydispatch.cli.arguments import positive
from paydispatch.cli.extras import WORKER
from paydispatch.cli.tables import show_table
from paydispatch.cli.terminal import say, say_json
from paydispatch.domain.cost.estimate import NOT_COUNTED, Estimate, estimate
from paydispatch.domain.cost.model import Workload
from paydispatch.domain.cost.prices import OTHER_ENGINES, REGION
from paydispatch.domain.requests import Lane

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.cost.bill import Line
    from paydispatch.domain.cost.prices import Price

MOST_PER_INVOCATION = 10_000
MOST_API_ITEMS = 1_000
COLUMNS = ("what", "quantity", "unit", "USD", "price as of")
EXAMPLES = """\
examples:
  paydispatch cost --calls 1e6 --lane batch
  paydispatch cost --calls 1e6 --lane interactive --api-items 1
  paydispatch cost --calls 1e6 --lane batch --wait-ms 900 --deferrals 1.3 --json

exit codes:
  0    done
  2    invalid arguments"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "cost",
        help="estimate the cost of calls on AWS",
        description=f"Estimates the bill of AWS for a number of calls, in {REGION}, from the shape of the stack and a "
        "dated price list. It needs no network. Confirm the prices before you rely on them.",
        epilog=EXAMPLES,
    )
    parser.add_argument("--calls", type=positive, default=1e6, help="calls (default: 1e6)")
    parser.add_argument(
        "--lane", type=Lane, choices=list(Lane), default=Lane.BATCH, help="lane (default: batch)"
    )
    parser.add_argument(
        "--call-ms", type=positive, default=300.0, help="time of an answer of Stripe (default: 300)"
    )
    parser.add_argument(
        "--slowest-ms", type=positive, help="slowest answer of an invocation (default: --call-ms)"
    )
    parser.add_argument(
        "--per-invocation",
        type=_whole(MOST_PER_INVOCATION),
        metavar="N",
        help="messages in an invocation (default: 100 in the batch lane, 1 in the interactive lane)",
    )
    parser.add_argument(
        "--api-items",
        type=_whole(MOST_API_ITEMS),
        default=0,
        metavar="N",
        help="items in a request of the HTTP API (default: the SDK writes to the queue, without the API)",
    )
    parser.add_argument(
        "--wait-ms",
        type=_not_negative,
        default=0.0,
        help="longest wait for the rate limit in an invocation (default: 0)",
    )
    parser.add_argument(
        "--deferrals",
        type=_not_negative,
        default=0.0,
        help="deferrals of a call by the rate limit, on average (default: 0)",
    )
    parser.add_argument(
        "--redis-usd-per-hour",
        type=_not_negative,
        default=0.0,
        metavar="USD",
        help="price of your Redis nodes together, which is added to the standing cost",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run, extra=WORKER)


def run(arguments: argparse.Namespace) -> int:
    work = Workload(
        calls=arguments.calls,
        lane=arguments.lane,
        call_ms=arguments.call_ms,
        slowest_ms=arguments.slowest_ms,
        per_invocation=arguments.per_invocation,
        wait_ms=arguments.wait_ms,
        deferrals=arguments.deferrals,
        api_items=arguments.api_items,
    )
    made = estimate(work, redis_usd_per_hour=arguments.redis_usd_per_hour)
    if arguments.json:
        say_json(as_json(made))
    else:
        _show(made)
    return 0


def as_json(made: Estimate) -> Mapping[str, Any]:
    work = made.work
    return {
        "region": REGION,
        "calls": work.calls,
        "lane": work.lane.value,
        "call_ms": work.call_ms,
        "per_invocation": work.fill,
        "lines": [_line_json(line) for line in made.bill.lines],
        "usd": round(made.bill.usd, 4),
        "lambda_usd": round(made.bill.lambda_usd, 4),
        "loop_lambda_usd": round(made.loop.lambda_usd, 4),
        "times_cheaper_than_a_loop": round(made.times_cheaper, 1),
        "redis_gb_for_25_days": round(made.redis_gb[0], 3),
        "redis_gb_for_a_day": round(made.redis_gb[1], 3),
        "standing_usd_per_month": round(made.standing_usd, 2),
        "other_engines": [
            {
                "name": engine.name,
                "billed": engine.billed,
                "usd": round(engine.usd(work.calls), 2),
                **_price_json(engine.price),
            }
            for engine in OTHER_ENGINES
        ],
        "not_counted": list(NOT_COUNTED),
    }


def _line_json(line: Line) -> Mapping[str, Any]:
    return {
        "name": line.name,
        "quantity": round(line.quantity, 3),
        "usd": round(line.usd, 4),
        **_price_json(line.price),
    }


def _price_json(price: Price) -> Mapping[str, Any]:
    return {
        "unit": price.unit,
        "usd_per_unit": price.usd,
        "source": price.source,
        "as_of": price.as_of,
    }


def _show(made: Estimate) -> None:
    work = made.work
    say(f"{work.calls:,.0f} calls, {work.lane.value} lane, {work.fill} in an invocation, {REGION}")
    show_table(COLUMNS, [_row(line) for line in made.bill.lines])
    say(f"together                 {made.bill.usd:.2f} USD")
    say(f"Lambda alone             {made.bill.lambda_usd:.2f} USD")
    say(
        f"a loop, one by one       {made.loop.lambda_usd:.2f} USD of Lambda, {made.times_cheaper:.1f} times ours"
    )
    kept, finished = made.redis_gb
    say(f"memory of Redis          {kept:.1f} GB for 25 days, and {finished:.1f} GB more for a day")
    say(f"a month without calls    {made.standing_usd:.2f} USD, Redis at the price you gave")
    for engine in OTHER_ENGINES:
        say(f"{engine.name:<24} {engine.usd(work.calls):.2f} USD for {engine.billed}")
    say(f"Not counted: {', '.join(NOT_COUNTED)}.")


def _row(line: Line) -> list[str]:
    return [
        line.name,
        f"{line.quantity:,.2f}",
        line.price.unit,
        f"{line.usd:.3f}",
        line.price.as_of,
    ]


def _whole(most: int) -> Any:
    def whole(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {most}")
        return int(text)

    return whole


def _not_negative(text: str) -> float:
    return 0.0 if text.strip("0.") == "" and text else positive(text)
