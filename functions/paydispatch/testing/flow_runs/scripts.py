"""Find the script that a test names: a function, a module, the path of its file, or its name in the flows folder."""

from __future__ import annotations

import importlib
import os
import re
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import MissingFlow, PaydispatchError
from paydispatch.domain.flow_checks.package_names import package_name
from paydispatch.domain.stripe.operations import operation_named

if TYPE_CHECKING:
    from collections.abc import Callable

    from paydispatch.flow import Flow

    Run = Callable[[Any, Flow], Any]
    ScriptNamed = str | Path | ModuleType | Run

_OWN = re.compile(r"new_(\w+)_(response|error)")
_END = re.compile(r"\w+_(response|error)")


@dataclass(frozen=True, slots=True)
class Script:
    """A script of the user, and its name as far as it is known."""

    name: str
    run: Run

    @property
    def end(self) -> str | None:
        """`response` or `error`, as in the script's name. None: its name has neither."""
        found = _END.fullmatch(self.name)
        return found and found[1]

    def operation(self, named: str | None) -> str:
        """Return the operation that the test names, or that of the script's name. Raises `PaydispatchError`."""
        found = _OWN.fullmatch(self.name)
        operation = named or (found and found[1])
        if not operation:
            raise PaydispatchError(
                f"The name {self.name!r} has no operation. Say which one it runs for: "
                'run_flow(..., operation="create_product").'
            )
        return operation_named(operation).name


def find_script(script: ScriptNamed) -> Script:
    """Return the script. Raises `MissingFlow`, `TypeError` for a module without `run`, or the error of its import."""
    if isinstance(script, str | Path):
        return _of_module(_import(script))
    if isinstance(script, ModuleType):
        return _of_module(script)
    return Script(_last(getattr(script, "__module__", None) or ""), script)


def _of_module(module: ModuleType) -> Script:
    run = getattr(module, "run", None)
    if not callable(run):
        raise TypeError(f"{module.__name__} has no function `run`.")
    return Script(_last(module.__name__), run)


def _last(dotted: str) -> str:
    return dotted.rpartition(".")[2]


def _import(script: str | Path) -> ModuleType:
    """Import a script as the worker does: as a module of the package that has the name of its folder."""
    file = _file_of(script)
    if not file.is_file():
        raise MissingFlow(file.stem, str(file.parent))
    package = package_name(file.parent.name)
    _take_package(file.parent, package)
    _find_modules_beside(file.parent)
    importlib.invalidate_caches()
    return importlib.import_module(f"{package}.{file.stem}")


def _find_modules_beside(folder: Path) -> None:
    """Let `import db` find the project's modules and the helpers of the folder, as in a worker."""
    for place in (folder.parent, folder):
        if str(place) not in sys.path:
            sys.path.append(str(place))


def _take_package(folder: Path, package: str) -> None:
    """Make the folder the package of this name, in place of another flows folder. Raises `PaydispatchError`."""
    taken = sys.modules.get(package)
    if list(getattr(taken, "__path__", [])) == [str(folder)]:
        return
    if getattr(taken, "__file__", None) is not None:
        raise PaydispatchError(
            f"The flows folder {folder} would be the package {package}, but {taken} has this name already. Give "
            "the folder another name."
        )
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        del sys.modules[name]
    sys.modules[package] = _make_package(folder, package)


def _make_package(folder: Path, name: str) -> ModuleType:
    file, places = folder / "__init__.py", [str(folder)]
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = places
    if file.is_file():
        spec = spec_from_file_location(name, file, submodule_search_locations=places) or spec
    package = module_from_spec(spec)
    if spec.loader is not None:
        spec.loader.exec_module(package)
    return package


def _file_of(script: str | Path) -> Path:
    """Return the file of a path, or of a name in the folder of `FLOWS_DIR`, which is `flows` by default."""
    path = Path(script)
    if path.suffix != ".py":
        path = path.with_name(f"{path.name}.py")
    if path.parent == Path() and not path.is_file():
        path = Path(os.environ.get("FLOWS_DIR") or "flows") / path
    return path.resolve()
