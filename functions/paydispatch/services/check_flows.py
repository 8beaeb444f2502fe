"""Check the flows of a project before one of them has to run: `paydispatch check`, and each worker at its start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.errors import MissingFlow, ScriptFailed
from paydispatch.domain.flow_checks.faults import (
    Fault,
    is_meant,
    is_script,
    misnamed,
    missing,
    unmatched,
)
from paydispatch.flow import RetryLater

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.flow import FlowScripts
    from paydispatch.ports import EventLog


@dataclass(frozen=True, slots=True)
class FlowCheck:
    """The result of a check."""

    scripts: tuple[str, ...]
    """Those that were imported, or failed to be."""
    faults: tuple[Fault, ...]


async def check_flows(
    files: FlowScripts, used: Mapping[str, str] | None = None, only: Sequence[str] = ()
) -> FlowCheck:
    """Import each script, and look for misnamed files and for operations without scripts.

    `only` has the patterns of the scripts that are imported. Empty: all.

    `used` has the operations that the project dispatches, each with the place where it does. Raises `OSError` if the
    folder cannot be read.
    """
    names = files.names()
    scripts = tuple(name for name in names if is_script(name) and is_meant(name, only))
    unfit = [fault for name in scripts if (fault := await _import_fault(files, name))]
    faults = (*misnamed(names), *unfit, *missing(names, used or {}), *unmatched(names, only))
    return FlowCheck(scripts, faults)


async def report_faults(files: FlowScripts, log: EventLog, only: Sequence[str] = ()) -> None:
    """Write a line for each fault. A fault ends nothing, because the other scripts of the folder work."""
    try:
        check = await check_flows(files, only=only)
    except OSError as error:
        log.warning("flows.unreadable", why=str(error))
        return
    for fault in check.faults:
        log.warning(
            "flow.faulty", script=fault.subject, fault=fault.fault, next_step=fault.next_step
        )


async def _import_fault(files: FlowScripts, script: str) -> Fault | None:
    try:
        await files.load(script)
    except ScriptFailed as failed:
        return Fault(script, f"its import failed: {failed}", "correct it")
    except (MissingFlow, RetryLater) as error:
        return Fault(script, f"its import failed: {type(error).__name__}", "correct it")
    return None
