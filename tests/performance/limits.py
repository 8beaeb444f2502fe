"""Measure whether the limits hold, with real caller processes against a twin that enforces both of Stripe's limits.

    python -m tests.performance.limits [--callers 20] [--only NAME ...] [--seed N] [--quick] [--json]

Runs the real service with the real limiter against one embedded Valkey. The queue of each caller is in its process.
Prints each goal, the figure, and whether it holds. Ends with 1 if one does not hold. A quick run takes half a minute
with two callers. It shows that the program works, so it ends with 1 only if a request was lost or made twice.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from tests.performance.processes.phases import PHASES
from tests.performance.processes.second_account import measure_second_account
from tests.performance.processes.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.performance.processes.goals import Goal


SECOND_ACCOUNT = "second_account"
NAMES = [*PHASES, SECOND_ACCOUNT]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--callers", type=int, default=20, help="caller processes (default: 20)")
    parser.add_argument("--only", nargs="+", choices=NAMES, help="run only these")
    parser.add_argument("--seed", type=int, default=1, help="number that makes the twin repeatable")
    parser.add_argument("--quick", action="store_true", help="short run with two callers")
    parser.add_argument("--json", action="store_true", help="print one line of JSON per goal")
    arguments = parser.parse_args()
    goals = []
    quick = arguments.quick
    for goal in measure(arguments.only or NAMES, arguments.callers, arguments.seed, quick=quick):
        goals.append(goal)
        print(json.dumps(goal.as_json()) if arguments.json else goal.as_text(), flush=True)
    return 0 if all(goal.holds for goal in goals if not (quick and goal.of_time)) else 1


def measure(names: Sequence[str], callers: int, seed: int, *, quick: bool) -> Iterator[Goal]:
    """Run the phases with caller processes, then the one with the whole local stack."""
    phases = [PHASES[name] for name in names if name in PHASES]
    if phases:
        with Stage(callers, seed, quick=quick) as stage:
            for phase in phases:
                yield from phase(stage)
    if SECOND_ACCOUNT in names:
        yield from measure_second_account(quick=quick)


if __name__ == "__main__":
    sys.exit(main())
