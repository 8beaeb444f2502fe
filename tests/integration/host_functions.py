"""The functions as for a zip, but for this machine: each is built once a test process, into a folder of its own.

A folder that several test processes share would be emptied by one while another runs from it.
"""

from __future__ import annotations

import shutil
import subprocess
from functools import cached_property
from typing import TYPE_CHECKING

from build_function import ROOT
from run_event import build_for_host, prepare_runtime
from stack_template import load

if TYPE_CHECKING:
    from pathlib import Path

    from emulator import BuiltFunction, Runtime

UV = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
STACK = load()


class HostFunctions:
    """Builds the functions of the template, and the runtime that they run in."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._built: dict[str, BuiltFunction] = {}

    @cached_property
    def runtime(self) -> Runtime:
        emulator = subprocess.run(
            ["make", "--silent", "emulator", f"UV={UV}"],
            cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE,
        ).stdout.strip()  # fmt: skip
        return prepare_runtime(ROOT / emulator, UV, self._directory)

    def built(self, name: str) -> BuiltFunction:
        """Return a function, which all tests of this process share."""
        if name not in self._built:
            self._built[name] = self.build(name, self._directory)
        return self._built[name]

    def build(self, name: str, directory: Path) -> BuiltFunction:
        """Build a function for one test, which may change its content."""
        return build_for_host(name, STACK, self.runtime.python, UV, directory=directory)
