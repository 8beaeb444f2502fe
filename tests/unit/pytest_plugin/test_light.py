"""The pytest plugin is part of every test run of a user, so that it must cost nothing there."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

_PROGRAM = """
import sys, pytest
before = set(sys.modules)
import paydispatch.pytest_plugin.fixtures
print(" ".join(sorted({name for name in set(sys.modules) - before if name.startswith("paydispatch")})))
"""


def test_the_plugin_loads_no_other_module_of_ours() -> None:
    command = (sys.executable, "-c", _PROGRAM)
    loaded = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    own = "paydispatch.pytest_plugin"
    assert loaded.split() == ["paydispatch", own, f"{own}.fixtures"]


def test_pytest_finds_the_plugin_by_its_entry_point() -> None:
    (found,) = (each for each in entry_points(group="pytest11") if each.name == "paydispatch")
    assert found.value == "paydispatch.pytest_plugin.fixtures"
