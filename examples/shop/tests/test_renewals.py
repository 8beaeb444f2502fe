"""The renewals of a month: a submission that is killed, a worker that is killed, and a database that is away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.waiting import wait_until

from shop.renewals import write_renewals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paydispatch.pytest_plugin import RunningStack, TwinControl

    from shop.orders import Orders

SUBMIT = Path(__file__).parents[1] / "renewals.sh"
ALL = 500
SOME = int(os.environ.get("SHOP_RENEWALS", "100"))
AWAY_S = float(os.environ.get("SHOP_AWAY_S", "20"))
"""Longer than the first four waits of a failing flow together."""

MONTHS = count(1)
"""A month for each test, because all of them share a stack, and a month is paid once."""


def test_a_killed_submission_pays_each_renewal_once(
    orders: Orders, tmp_path: Path, paydispatch_stack: RunningStack, stripe_twin: TwinControl
) -> None:
    file = renewals(tmp_path, ALL)
    stripe_twin.lose_next_answer("create_payment_intent", times=5)
    with submission(file, paydispatch_stack) as killed:
        wait_until(stripe_twin.effects)
        killed.kill()

    with submission(file, paydispatch_stack) as again:
        outcomes = report(again)["outcomes"]

    assert outcomes["done"] == ALL
    stripe_twin.assert_effects(ALL, "create_payment_intent")
    wait_until(lambda: len(orders.renewed()) == ALL)


def test_a_killed_worker_loses_no_renewal(
    orders: Orders, tmp_path: Path, paydispatch_stack: RunningStack, stripe_twin: TwinControl
) -> None:
    with submission(renewals(tmp_path, SOME), paydispatch_stack) as submitted:
        wait_until(orders.renewed)
        paydispatch_stack.kill_worker()
        assert report(submitted)["outcomes"]["done"] == SOME
    wait_until(lambda: len(orders.renewed()) == SOME)
    stripe_twin.assert_effects(SOME, "create_payment_intent")


def test_renewals_wait_for_a_database_that_is_away(
    orders: Orders, tmp_path: Path, paydispatch_stack: RunningStack, stripe_twin: TwinControl
) -> None:
    with (
        away(Path(os.environ["SHOP_DB"])),
        submission(renewals(tmp_path, SOME), paydispatch_stack) as submitted,
    ):
        assert report(submitted)["outcomes"]["done"] == SOME
        time.sleep(AWAY_S)
    wait_until(lambda: len(orders.renewed()) == SOME, timeout_s=AWAY_S * 3 + 60)
    stripe_twin.assert_effects(SOME, "create_payment_intent")


def renewals(folder: Path, contracts: int) -> Path:
    file = folder / "renewals.csv"
    with file.open("w") as out:
        write_renewals(out, f"2027-{next(MONTHS):02}", contracts)
    return file


@contextmanager
def submission(file: Path, stack: RunningStack) -> Iterator[subprocess.Popen[str]]:
    command = (str(SUBMIT), str(file), "--json")
    environment = {**stack.environment, "PYTHON": sys.executable}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        yield process


def report(submitted: subprocess.Popen[str]) -> dict[str, Any]:
    told, _ = submitted.communicate(timeout=120)
    found: dict[str, Any] = json.loads(told)
    return found


@contextmanager
def away(database: Path) -> Iterator[None]:
    """Put a folder in the place of the database, so that nobody can open it."""
    kept = database.with_name("kept.db")
    database.rename(kept)
    database.mkdir()
    try:
        yield
    finally:
        database.rmdir()
        kept.rename(database)
