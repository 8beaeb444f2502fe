"""Prints equal faults of a file as one line, because 500 of them would hide the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.submission.check import Fault
from paydispatch.domain.submission.fault_groups import FaultGroups

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paydispatch.domain.submission.fault_groups import FaultGroup
    from paydispatch.services.submission.report import Refusal


def describe_group(group: FaultGroup) -> str:
    """Return the line of one group: the count, the numbers of the first lines, and the message."""
    numbers = ", ".join(map(str, group.lines))
    if group.count == 1:
        return f"  line {numbers}{_name_param(group)}: {group.message}"
    more = " …" if group.count > len(group.lines) else ""
    such_as = "" if group.alike else "such as: "
    return f"  {group.count} lines ({numbers}{more}){_name_param(group)}: {such_as}{group.message}"


def group_refusals(refusals: Iterable[Refusal]) -> FaultGroups:
    groups = FaultGroups()
    for refusal in refusals:
        groups.add(
            refusal.line, [Fault(refusal.param, refusal.code or refusal.message, refusal.message)]
        )
    return groups


def _name_param(group: FaultGroup) -> str:
    """Return the parameter in brackets, unless the message names it."""
    shown = group.param is None or group.param in group.message
    return "" if shown else f" ({group.param})"
