"""Prints the plan of a submission, as text or as JSON."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from paydispatch.cli.arguments import format_age
from paydispatch.cli.submission.arguments import defaults_of, target_if_set
from paydispatch.cli.submission.fault_lines import describe_group
from paydispatch.cli.submission.ledger import FileLedger, ledger_of
from paydispatch.cli.terminal import say, say_json
from paydispatch.domain.credentials import SecretRef
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.submission.load import LIVE, SANDBOX
from paydispatch.services.submission.plan import make_plan
from paydispatch.services.submission.read_requests import RequestReader
from paydispatch.settings import default_limits, lane_rules, stripe_api_version

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from paydispatch.domain.rates.limits import DefaultLimits, Limits
    from paydispatch.domain.submission.fault_groups import FaultGroup
    from paydispatch.services.submission.plan import Plan
    from paydispatch.services.submission.ports import RequestFile


@dataclass(frozen=True, slots=True)
class PlanPage:
    """The page of one plan. The limits are those of the settings, because only a key leads to an account."""

    file: str
    plan: Plan
    limits: DefaultLimits
    batch_share: float
    asks_for_key: bool
    """Whether the command has no credential for the lines without one."""

    def show(self, *, as_json: bool) -> None:
        if as_json:
            say_json(self._as_dict())
            return
        for line in self._lines():
            say(line)

    def _as_dict(self) -> dict[str, Any]:
        plan = self.plan
        return {
            "file": self.file,
            "lines": plan.lines,
            "ready": plan.ready,
            "submitted_before": plan.submitted_before,
            "faulty": plan.faults.faulty_lines,
            "faults": [_group_as_dict(group) for group in plan.faults.by_count()],
            "more_faults": plan.faults.left_out,
            "without_key": plan.without_credential if self.asks_for_key else 0,
            "operations": plan.load.operations,
            "at_least_s": {mode: round(time_s, 1) for mode, time_s in self._times_s().items()},
        }

    def _lines(self) -> Iterator[str]:
        plan, faults = self.plan, self.plan.faults
        yield (
            f"{self.file}: {plan.lines} lines, {plan.ready} to submit, {plan.submitted_before} submitted earlier, "
            f"{faults.faulty_lines} faulty."
        )
        yield from map(describe_group, faults.by_count())
        if faults.left_out:
            yield f"  {faults.left_out} more faults of other kinds"
        for operation, count in plan.load.operations.items():
            yield f"{count} {operation}"
        yield from (self._describe_time(mode, time_s) for mode, time_s in self._times_s().items())
        if self.asks_for_key and plan.without_credential:
            yield f"{plan.without_credential} lines have no key: set STRIPE_SECRET_KEY, or name a --secret-ref."
        yield "Nothing was sent."

    def _times_s(self) -> Mapping[str, float]:
        load = self.plan.load
        return {
            mode: load.duration_s(mode, self._limits_of(mode), self.batch_share)
            for mode in (LIVE, SANDBOX)
            if load.in_mode(mode)
        }

    def _limits_of(self, mode: str) -> Limits:
        return self.limits.live if mode == LIVE else self.limits.sandbox

    def _describe_time(self, mode: str, time_s: float) -> str:
        limits = self._limits_of(mode)
        whole, one = _rate(limits.account), _rate(limits.operation)
        return (
            f"{mode}: {_describe_s(time_s)} at {whole} of an account, {one} of an operation, "
            f"and {self.batch_share:.0%} of both for batch work"
        )


def show_plan(arguments: argparse.Namespace, file: RequestFile) -> int:
    """Print the plan. Return 1 if a line has a fault."""
    defaults, target = defaults_of(arguments), target_if_set(arguments)
    given = defaults.credential
    ledger = FileLedger(ledger_of(arguments.file), target or "", wanted_run=arguments.run_id).peek()
    checked = replace(defaults, credential=given or SecretRef("any"))
    plan = make_plan(file, RequestReader(ledger.run, checked, stripe_api_version()), ledger.entries)
    share = lane_rules()[RateLane.BATCH].share
    page = PlanPage(file.name, plan, default_limits(), share, asks_for_key=given is None)
    page.show(as_json=arguments.json)
    return 1 if plan.faults.faulty_lines else 0


def _describe_s(time_s: float) -> str:
    return "under 1s" if time_s < 1 else f"at least {format_age(time_s)}"


def _rate(limit: int | None) -> str:
    return "no limit" if limit is None else f"{limit} calls/s"


def _group_as_dict(group: FaultGroup) -> dict[str, Any]:
    return {
        "param": group.param,
        "code": group.code,
        "message": group.message,
        "count": group.count,
        "lines": group.lines,
    }
