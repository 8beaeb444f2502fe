"""Run thousands of callers, accounts and messages in simulated time, and print how the limits hold.

    python -m tests.performance.fleet [--only NAME ...] [--seed N] [--json] [--plots FOLDER]

The limits are the real ones of `domain/rates/`. The queue, Lambda and Stripe are models. The same seed gives the same
figures. With `--plots` the program draws the pictures of docs/limits.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.performance.simulated import plots, scenarios

if TYPE_CHECKING:
    from tests.performance.simulated.scenarios import Scenario


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(scenarios.ALL), help="run only these")
    parser.add_argument("--seed", type=int, default=1, help="number that makes a run repeatable")
    parser.add_argument("--json", action="store_true", help="print one line of JSON per scenario")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw the pictures here")
    arguments = parser.parse_args()
    show = _json if arguments.json else _table
    for scenario in scenarios.run(arguments.only or scenarios.ALL, arguments.seed):
        print(show(scenario), flush=True)
        if arguments.plots:
            plots.draw(scenario, arguments.plots, arguments.seed)
    return 0


def _json(scenario: Scenario) -> str:
    return json.dumps({"scenario": scenario.name, "rows": scenario.rows})


def _table(scenario: Scenario) -> str:
    names = list(scenario.rows[0])
    texts = [names, *([_text(row[name]) for name in names] for row in scenario.rows)]
    widths = [max(len(row[place]) for row in texts) for place in range(len(names))]
    lines = ("  ".join(map(str.rjust, row, widths)) for row in texts)
    return "\n".join((f"\n{scenario.name}: {scenario.question}", *lines))


def _text(value: object) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
