"""Prints the report of a submission, as text or as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from paydispatch.cli.submission.fault_lines import describe_group, group_refusals
from paydispatch.cli.terminal import say, say_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from paydispatch.services.submission.report import Report


def show_report(
    report: Report,
    target: str,
    ledger: Path,
    *,
    outcomes: Mapping[str, Any] | None,
    as_json: bool,
) -> None:
    """Print the report, and the outcomes if the command has waited for them."""
    if as_json:
        followed = {} if outcomes is None else {"outcomes": outcomes}
        say_json({**asdict(report), "target": target, "remembered_in": str(ledger), **followed})
        return
    _say_lines(report)
    if outcomes is not None:
        _say_outcomes(outcomes)
    say(f"{ledger} lists the lines of {report.run} that {target} has.")
    if report.submitted_before and not report.submitted and outcomes is None:
        say(f"To submit this file as a new run, with every line as a new request, delete {ledger}.")


def _say_lines(report: Report) -> None:
    before = (
        f", {report.submitted_before} skipped: submitted earlier" if report.submitted_before else ""
    )
    say(f"{report.submitted} submitted{before}, {len(report.refused)} refused.")
    refused = group_refusals(report.refused)
    for group in refused.by_count():
        say(describe_group(group))
    if refused.left_out:
        say(f"  {refused.left_out} more of other kinds: --json names each")


def _say_outcomes(outcomes: Mapping[str, Any]) -> None:
    say(
        f"{outcomes['done']} done, {outcomes['declined']} declined, {outcomes['failed']} failed otherwise, "
        f"{outcomes['unknown']} unknown, {outcomes['under_way']} under way."
    )
    for code, count in outcomes["by_code"].items():
        say(f"  {count} times {code}")
    say(f"{outcomes['results_in']} has each outcome.")
