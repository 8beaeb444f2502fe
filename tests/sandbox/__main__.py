"""Make the calls of the demo and of the conformance tests in a Stripe sandbox, and print where the twin differs.

    STRIPE_TEST_KEY=sk_test_… python -m tests.sandbox [--json] [--base URL]

Makes at most 20 calls a second, and removes the created objects. Without the variable it prints the calls that it would
make. Ends with 1 if an answer differs, and with 2 if the key is not one of a sandbox.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.integration.twin_process import KEY, a_strict_twin
from tests.sandbox.calls import Call, every_call
from tests.sandbox.differences import differences
from tests.sandbox.session import CALLS_PER_SECOND, MissingAnswer, Pace, Session

if TYPE_CHECKING:
    from collections.abc import Iterator

STRIPE = "https://api.stripe.com"
SANDBOX_KEY = re.compile(r"(sk|rk)_test_\w+")
UNPACED = Pace(per_second=1e9)


@dataclass(frozen=True, slots=True)
class Compared:
    """A call and how its two answers differ."""

    call: Call
    lines: tuple[str, ...]


def main() -> int:
    options = _options()
    secret = os.environ.get("STRIPE_TEST_KEY", "")
    if not secret:
        _print_plan(every_call())
        return 0
    if not SANDBOX_KEY.fullmatch(secret):
        print(
            "STRIPE_TEST_KEY: expected the secret key of a sandbox, sk_test_… or rk_test_…",
            file=sys.stderr,
        )
        return 2
    return _run(options.base, secret, as_json=options.json)


def _run(base: str, secret: str, *, as_json: bool) -> int:
    differing = 0
    run = f"paydispatch {time.time_ns():x}"
    with a_strict_twin() as twin_base:
        stripe = Session(base, secret, run)
        twin = Session(twin_base, KEY, run, UNPACED)
        with stripe, twin:
            try:
                for compared in compare(every_call(), stripe, twin):
                    differing += bool(compared.lines)
                    print(_as_json(compared) if as_json else _as_text(compared), flush=True)
            finally:
                left = stripe.clean_up()
    print(*(f"left in the sandbox: {line}" for line in left), sep="\n", file=sys.stderr)
    return 1 if differing else 0


def compare(calls: list[Call], stripe: Session, twin: Session) -> Iterator[Compared]:
    """Make each call to both, and yield how the answers differ."""
    for call in calls:
        yield Compared(call, tuple(_compare(call, stripe, twin)))


def _compare(call: Call, stripe: Session, twin: Session) -> Iterator[str]:
    try:
        of_stripe = stripe.make(call)
    except MissingAnswer as missing:
        yield f"not made, because Stripe refused this call: {missing}"
        return
    try:
        of_twin = twin.make(call)
    except MissingAnswer as missing:
        yield f"not made, because the twin refused this call: {missing}"
        return
    yield from differences(of_stripe, of_twin)


def _print_plan(calls: list[Call]) -> None:
    methods = Counter(call.method for call in calls)
    counts = ", ".join(f"{count} {method}" for method, count in sorted(methods.items()))
    print(
        f"STRIPE_TEST_KEY is not set, so no call was made. With the secret key of a sandbox this makes {len(calls)} "
        f"calls ({counts}), at most {CALLS_PER_SECOND} a second, compares each answer with the twin's, and removes "
        "the created objects:"
    )
    for call in calls:
        print(f"  {call.method:6} {call.path:60} {call.name}")


def _as_text(compared: Compared) -> str:
    head = f"{'differs' if compared.lines else 'equal  '}  {compared.call.name}"
    return "\n".join([head, *(f"           {line}" for line in compared.lines)])


def _as_json(compared: Compared) -> str:
    return json.dumps({"call": compared.call.name, "differences": compared.lines})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", default=STRIPE, help=f"the base URL (default: {STRIPE})")
    parser.add_argument("--json", action="store_true", help="print one line of JSON per call")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
