"""The report of the demo, as two lines of at most 80 columns for each request, and as JSON."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from paydispatch.domain.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.text import Text

    from paydispatch.local.demo.scenes import Expected
    from paydispatch.local.demo.trail import Trail

PATH = (
    "create_async → Dispatcher → SQS → Stripe caller → Stripe (the twin)\n"
    "→ Redis stream → flow worker → flow"
)
TIMES = ("returned", "queued", "Stripe", "total")


def row(expected: Expected, trail: Trail) -> dict[str, Any]:
    """Return one row of the report: a request with its times. A step that has not happened is None."""
    settled = trail.find_settlement(expected.request_id) or {}
    finished = trail.find_run(expected.request_id, expected.flow) or {}
    kind = finished.get("error_kind")
    return {
        "what": expected.title,
        "request_id": expected.request_id,
        "create_async_us": _round(expected.returned_us),
        "on_the_queue_ms": _round(expected.durable_ms),
        "stripe_attempts": settled.get("attempt"),
        "stripe_ms": settled.get("stripe_ms"),
        "flow": expected.flow,
        "flow_runs": finished.get("attempt"),
        "error_kind": kind,
        "error_code": finished.get("error_code"),
        "certainty": finished.get("error_certainty"),
        "total_ms": finished.get("age_ms"),
        "ok": bool(finished) and kind == expected.error_kind,
    }


def show(console: Console, rows: list[dict[str, Any]], started_s: float, took_s: float) -> None:
    """Print the requests and a summary."""
    console.print(f"\n{PATH}\n", style="dim")
    console.print(f"  {'request':<24}{_times(TIMES)}", style="bold")
    for each in rows:
        for line in _request(each):
            console.print(line, soft_wrap=True)
    returned = [row["create_async_us"] for row in rows if row["create_async_us"] is not None]
    ran = sum(row["ok"] for row in rows)
    console.print(
        f"\n{ran} of {len(rows)} flows ran as expected, {took_s:.1f} s after the first dispatch\n"
        f"(the stack took {started_s:.1f} s to start). create_async returned after\n"
        f"{statistics.median(returned):.0f} µs (median of {len(returned)})."
    )


def _request(each: dict[str, Any]) -> Iterator[Text]:
    from rich.text import Text

    mark, color = ("✓", "green") if each["ok"] else ("✗", "red")
    times = (
        _unit(each["create_async_us"], "µs"),
        _unit(each["on_the_queue_ms"], "ms"),
        _unit(each["stripe_ms"], "ms"),
        _unit(each["total_ms"], "ms"),
    )
    yield Text.assemble((mark, color), f" {each['what']:<24}{_times(times)}")
    yield Text(f"    {_flow(each)}", style="dim")
    for details in filter(None, (_error(each), _repeats(each))):
        yield Text(f"    {details}", style="dim")


def _times(cells: tuple[str, ...]) -> str:
    return "".join(f"{cell:>12}" for cell in cells)


def _flow(each: dict[str, Any]) -> str:
    if each["ok"]:
        return str(each["flow"])
    if each["total_ms"] is None:
        return f"{each['flow']} has not run"
    return f"{each['flow']} ran for another outcome than expected"


def _error(each: dict[str, Any]) -> str:
    if each["error_kind"] is None:
        return ""
    return printable(f"{each['error_kind']}: {each['error_code']}, {each['certainty']}")


def _repeats(each: dict[str, Any]) -> str:
    """Return the number of attempts and of runs, each only if it is above one."""
    attempts = _several(each["stripe_attempts"], "attempts at Stripe")
    return ", ".join(filter(None, (attempts, _several(each["flow_runs"], "runs of the flow"))))


def _several(number: int | None, noun: str) -> str:
    return f"{number} {noun}" if number is not None and number > 1 else ""


def _unit(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.0f} {unit}"


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
