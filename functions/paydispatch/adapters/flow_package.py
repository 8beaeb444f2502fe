"""The flows folder as a Python package: `flows/helper.py` is the module `flows.helper`, here and in a user's tests.

The package holds the modules of this folder and no others. `sys.path` alone would not ensure that. An earlier folder of
the same name would take its place or, without an `__init__.py`, be joined with it.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
import threading
from importlib.machinery import ModuleSpec, all_suffixes
from stat import S_ISREG
from typing import TYPE_CHECKING, Any, NamedTuple

from paydispatch.domain.errors import BadSetting, MissingFlow
from paydispatch.domain.flow_checks.package_names import package_name
from paydispatch.domain.flow_retry import check_retry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import ModuleType

    from paydispatch.domain.flow_retry import Retry
    from paydispatch.flow import Flow

    Run = Callable[[Any, Flow], Any]


class Script(NamedTuple):
    """An imported script."""

    run: Run
    retry: Retry | None = None
    """Its `RETRY`."""


_SCRIPT = re.compile(r"(new_[a-z0-9_]{1,128}|any)_(response|error)")

_MODULE_ENDS = tuple(
    f"{inside}{suffix}" for inside in ("", "/__init__") for suffix in all_suffixes()
)
"""The ends of the files that Python imports as a module: `.py`, compiled ones, and those of a package."""

_taking_over = threading.Lock()


class FlowPackage:
    """Finds the package for Python's own `import`, and a script's `run` in it."""

    def __init__(self, folder: Path) -> None:
        """Raises `BadSetting` if another package has the folder's name, because one of both could not be imported."""
        self._folder = folder
        self.name = package_name(folder.name)
        other = _package_elsewhere(self.name, folder)
        if other is not None:
            raise BadSetting(
                f"The flows folder {folder} would be the package {self.name}, but {other} has this name "
                "already. Give the folder another name."
            )

    def has(self, script: str) -> bool:
        """Return whether the folder has a module for the script, and `script` is the name of a script. Never raises.

        Nothing is imported. Every file counts from which Python would import the module.
        """
        return bool(_SCRIPT.fullmatch(script)) and any(
            _may_be_file(self._folder / f"{script}{end}") for end in _MODULE_ENDS
        )

    def names(self) -> list[str]:
        """Return the names of the modules in the folder, and of the files that Python could import under no name."""
        found = {_module_name(path) for path in self._folder.iterdir()}
        return sorted(name for name in found if name)

    def check_there(self, script: str) -> None:
        """Raise `MissingFlow` if the folder has no module for the script, or if `script` is no name of a script."""
        if not self.has(script):
            raise MissingFlow(script, str(self._folder))

    def script(self, script: str) -> Script:
        """Import a script, unless it was imported before. Blocks until the import ends.

        Raises the error of the import. The next call then tries again.
        """
        self._take_the_name()
        importlib.invalidate_caches()  # the file may be newer than Python's listing of the folder
        module = importlib.import_module(f"{self.name}.{script}")
        try:
            return Script(_get_run(module), _get_retry(module))
        except BaseException:
            sys.modules.pop(module.__name__, None)
            raise

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Find the package alone. Python finds its modules as it does for any package."""
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
        """Make every `import` of the package's name in this process find this folder."""
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
        """Drop the modules of another folder of this name, which a test or another worker in this process imported."""
        for name in list(sys.modules):
            if name == self.name or name.startswith(f"{self.name}."):
                del sys.modules[name]


def _package_elsewhere(name: str, folder: Path) -> str | None:
    """Return the place of another module of that name. A folder without `__init__.py` does not count: it gives way."""
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # a module that was made by hand
        return "a part of this program"
    if spec is None or spec.origin is None or spec.origin == str(folder / "__init__.py"):
        return None
    return spec.origin


def _may_be_file(path: Path) -> bool:
    """Return whether there is a file, or may be one: a file that cannot be looked at must not count as missing."""
    try:
        return S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def _module_name(path: Path) -> str | None:
    """Return the name of a module's file or of a package, or None for another file."""
    if path.is_dir():
        return path.name if (path / "__init__.py").is_file() else None
    ends = [suffix for suffix in all_suffixes() if path.name.endswith(suffix)]
    return path.name.removesuffix(max(ends, key=len)) if ends else None


def _places(module: ModuleType | None) -> Sequence[str]:
    return list(getattr(module, "__path__", []))


def _get_retry(module: ModuleType) -> Retry | None:
    """Return the module's `RETRY`. Raises `TypeError` if it is something else than a `Retry`."""
    return check_retry(module.RETRY) if hasattr(module, "RETRY") else None


def _get_run(module: ModuleType) -> Run:
    """Return the module's `run`. Raises `TypeError` if it is missing, no function or a generator."""
    run: Run | None = getattr(module, "run", None)
    if not callable(run):
        raise TypeError(f"{module.__name__} has no function `run`.")
    for function in (run, getattr(run, "__call__", None)):  # noqa: B004 - `run` may be an object with `__call__`
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{module.__name__}.run is a generator: its body would never run.")
    _check_arguments(module, run)
    return run


def _check_arguments(module: ModuleType, run: Run) -> None:
    """Raise `TypeError` if `run` cannot be called with the outcome and the flow."""
    try:
        signature = inspect.signature(run)
    except ValueError:  # a compiled function may not tell its parameters
        return
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise TypeError(
            f"{module.__name__}.run{signature} cannot take two arguments, the outcome and the flow: {error}."
        ) from None
