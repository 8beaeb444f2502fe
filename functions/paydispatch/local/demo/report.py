"""The report of the demo, as a table and as JSON."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from paydispatch.domain.text.printable import printable

if TYPE_CHECKING:
    from paydispatch.local.demo.scenes import Expected
    from paydispatch.local.demo.trail import Trail

PATH = "create_async → Dispatcher → SQS → Stripe caller → Stripe (the twin) → Redis stream → flow worker → flow"


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


def show(rows: list[dict[str, Any]], started_s: float, took_s: float) -> None:
    """Print the table and a summary."""
    console = Console(width=None if Console().is_terminal else 140)
    console.print(f"\n[dim]{PATH}[/]\n")
    console.print(_table(rows))
    returned = [row["create_async_us"] for row in rows if row["create_async_us"] is not None]
    ran = sum(row["ok"] for row in rows)
    console.print(
        f"\n{ran} of {len(rows)} flows ran as expected, {took_s:.1f} s after the first dispatch "
        f"(the stack took {started_s:.1f} s to start).\n"
        f"create_async returned after {statistics.median(returned):.0f} µs (median of {len(returned)})."
    )


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("request")
    table.add_column("returned", justify="right")
    table.add_column("on the queue", justify="right")
    table.add_column("Stripe", justify="right")
    table.add_column("flow")
    table.add_column("total", justify="right")
    for each in rows:
        table.add_row(
            "[green]✓[/]" if each["ok"] else "[red]✗[/]",
            each["what"],
            _unit(each["create_async_us"], "µs"),
            _unit(each["on_the_queue_ms"], "ms"),
            _stripe(each),
            _flow(each),
            _unit(each["total_ms"], "ms"),
        )
    return table


def _stripe(each: dict[str, Any]) -> str:
    if each["stripe_attempts"] is None:
        return "-"
    tries = "" if each["stripe_attempts"] == 1 else f"{each['stripe_attempts']} attempts, "
    return f"{tries}{each['stripe_ms']} ms"


def _flow(each: dict[str, Any]) -> str:
    if each["error_kind"] is None:
        return str(each["flow"])
    error = f"{each['error_kind']}: {each['error_code']}, {each['certainty']}"
    return f"{each['flow']} ({escape(printable(error))})"


def _unit(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.0f} {unit}"


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
