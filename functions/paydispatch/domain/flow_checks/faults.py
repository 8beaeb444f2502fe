"""Find the faults that the names of a flows folder show: misnamed files and missing scripts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from paydispatch.domain.stripe.operations import all_operations

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

ANY = {"response": "any_response", "error": "any_error"}
_OWN = re.compile(r"new_(\w+)_(response|error)")
_END = re.compile(r"(\w+)_(response|error)")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a project's flows."""

    subject: str
    """The script, or the operation whose script is missing."""
    fault: str
    next_step: str


def is_script(name: str) -> bool:
    """Return whether a runner would look for a module of this name."""
    found = _OWN.fullmatch(name)
    return name in ANY.values() or (found is not None and found[1] in _operations())


def is_meant(script: str, only: Collection[str]) -> bool:
    """Return whether a runner with these patterns runs the script. A runner without a pattern runs all."""
    return not only or any(fnmatchcase(script, pattern) for pattern in only)


def unmatched(names: Collection[str], only: Collection[str]) -> Iterator[Fault]:
    """Yield the patterns of a runner that are the name of no script in the folder."""
    for pattern in only:
        if not any(is_script(name) and fnmatchcase(name, pattern) for name in names):
            yield Fault(pattern, "no flow has such a name", "correct --only, or FLOWS_ONLY")


def misnamed(names: Collection[str]) -> Iterator[Fault]:
    """Yield the files that seem to be flows, but that no runner looks for. Other files are helpers."""
    for name in names:
        if not is_script(name) and (right := _right_name(name)) is not None:
            yield Fault(name, "no runner looks for a file of this name", right)


def missing(names: Collection[str], used: Mapping[str, str]) -> Iterator[Fault]:
    """Yield the scripts that an operation in use lacks. `used` says for each operation where it is used."""
    for operation in sorted(_with_scripts(names) | used.keys()):
        for end, for_any in ANY.items():
            script = f"new_{operation}_{end}"
            if script not in names and for_any not in names:
                use = f", and is used in {used[operation]}" if operation in used else ""
                step = f"write {script}.py or {for_any}.py: paydispatch new-flow {operation}"
                yield Fault(operation, f"it has no {end} script{use}", step)


def _with_scripts(names: Collection[str]) -> set[str]:
    """Return the operations that have a script of their own."""
    found = (_OWN.fullmatch(name) for name in names if is_script(name))
    return {match[1] for match in found if match}


def _right_name(name: str) -> str | None:
    """Return what to do with a file that seems to be a flow. None: it is a helper."""
    plain = re.sub(r"\W", "_", name).lower()
    for likely in (plain, f"new_{plain}", plain.replace("new_", "new_create_", 1)):
        if is_script(likely):
            return f"name it {likely}.py"
    if near := get_close_matches(plain, ANY.values(), n=1, cutoff=0.9):
        return f"name it {near[0]}.py"
    if not plain.startswith("new_"):
        return None
    found = _END.fullmatch(plain.removeprefix("new_"))
    if found is None:
        return "name it new_<operation>_response.py or new_<operation>_error.py"
    near = get_close_matches(found[1], [*_operations()], n=1)
    meant = (
        f"name it new_{near[0]}_{found[2]}.py" if near else "docs/operations-table.md lists them"
    )
    return f"there is no operation {found[1]}: {meant}"


def _operations() -> Collection[str]:
    return {operation.name: None for operation in all_operations()}
