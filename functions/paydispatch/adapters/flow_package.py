"""The flows folder as a Python package: `flows/helper.py` is the module `flows.helper`, here and in a user's tests.

The folder alone decides what the package holds. It would not on `sys.path`: there a folder of the same name that
stands earlier takes its place, or, without an `__init__.py`, is joined with it.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import keyword
import re
import sys
import threading
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import BadSetting, MissingFlow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import ModuleType

    from paydispatch.flow import Flow

    Run = Callable[[Any, Flow], Any]

_SCRIPT = re.compile(r"new_create_[a-z_]{1,64}_(response|error)")

_taking_over = threading.Lock()


class FlowPackage:
    """Finds the package for Python's own `import`, and a script's `run` in it."""

    def __init__(self, folder: Path) -> None:
        """Raises `BadSetting` if another package has the folder's name: one of the two could not be imported."""
        self._folder = folder
        self.name = package_name(folder)
        other = _package_elsewhere(self.name, folder)
        if other is not None:
            raise BadSetting(
                f"The flows folder {folder} would be the package {self.name}, and that is {other} already. "
                "Give the folder another name."
            )

    def check_there(self, script: str) -> None:
        """Raises `MissingFlow` if no file has the script's name, or the name is none of a script."""
        if not _SCRIPT.fullmatch(script) or not (self._folder / f"{script}.py").is_file():
            raise MissingFlow(script, str(self._folder))

    def run_of(self, script: str) -> Run:
        """Import a script unless that was done before; return its `run`. Blocks for as long as the import takes.

        Raises whatever the import raises: then the next call tries again.
        """
        self._take_the_name()
        importlib.invalidate_caches()  # the file may be younger than the last look at its folder
        module = importlib.import_module(f"{self.name}.{script}")
        try:
            return _checked_run(module)
        except BaseException:
            sys.modules.pop(module.__name__, None)
            raise

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Find the package and nothing else. Its modules are found as those of any package."""
        if name != self.name:
            return None
        places, file = [str(self._folder)], self._folder / "__init__.py"
        if file.is_file():
            return importlib.util.spec_from_file_location(
                name, file, submodule_search_locations=places
            )
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = places
        return spec

    def _take_the_name(self) -> None:
        """Make the package's name mean this folder, for every `import` in this process."""
        with _taking_over:
            others = [finder for finder in sys.meta_path if self._is_of_the_same_name(finder)]
            for finder in others:
                sys.meta_path.remove(finder)
            if self not in sys.meta_path:
                sys.meta_path.insert(0, self)
            for place in (self._folder.parent, self._folder):
                if str(place) not in sys.path:
                    sys.path.append(str(place))  # for child processes, and for `import helper`
            if _places(sys.modules.get(self.name)) not in ([], [str(self._folder)]):
                self._forget_modules()

    def _is_of_the_same_name(self, finder: object) -> bool:
        return finder is not self and isinstance(finder, FlowPackage) and finder.name == self.name

    def _forget_modules(self) -> None:
        """Another folder of that name was imported before, by a test or by another worker in this process."""
        for name in list(sys.modules):
            if name == self.name or name.startswith(f"{self.name}."):
                del sys.modules[name]


def package_name(folder: Path) -> str:
    """Return the folder's name if it is one for a package; else the nearest: `my-flows` is `my_flows`."""
    name = re.sub(r"\W", "_", folder.name) or "flows"
    return name if name.isidentifier() and not keyword.iskeyword(name) else f"_{name}"


def _package_elsewhere(name: str, folder: Path) -> str | None:
    """Return the place of another module of that name. A folder without `__init__.py` is none: it gives way."""
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # a module that was made by hand
        return "a part of this program"
    if spec is None or spec.origin is None or spec.origin == str(folder / "__init__.py"):
        return None
    return spec.origin


def _places(module: ModuleType | None) -> Sequence[str]:
    return list(getattr(module, "__path__", []))


def _checked_run(module: ModuleType) -> Run:
    """Return the module's `run`. Raises `TypeError` if there is none that can be run."""
    run: Run | None = getattr(module, "run", None)
    if not callable(run):
        raise TypeError(f"{module.__name__} has no function `run`.")
    for function in (run, getattr(run, "__call__", None)):  # noqa: B004 - of an object with `__call__`
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{module.__name__}.run is a generator: its body would never run.")
    return run
