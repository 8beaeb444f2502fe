"""Reads the output of the programs. Those that have a JSON of their own have an adapter each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS = "paydispatch"


def from_lines(text: str) -> Iterator[tuple[str, str, str, list[float]]]:
    """Read the lines of tests/performance/README.md."""
    for line in text.splitlines():
        if line.startswith("{"):
            read = json.loads(line)
            yield read["row"], read["figure"], read["unit"], read["rounds"]


def from_one_call(text: str) -> Iterator[tuple[str, str, str, list[float]]]:
    for name, figures in _last(text)["sides"].items():
        contestant = OURS if name == "this caller" else name
        yield "one_call", contestant, "us", [figures["cpu_us"]]
        yield "wall_10", contestant, "ms", [figures["wall_10_ms"]]
        yield "wall_100", contestant, "ms", [figures["wall_100_ms"]]


def from_flows(text: str) -> Iterator[tuple[str, str, str, list[float]]]:
    for result in _last(text)["results"]:
        what = result["what"]
        if "p50_ms" in result:
            yield "publish_to_run", f"{OURS} p50", "ms", [result["p50_ms"]]
            yield "publish_to_run", f"{OURS} p99", "ms", [result["p99_ms"]]
        else:
            yield "flows", f"{OURS}, {what}", "per_s", [result["per_core_s"]]


def from_cold_start(text: str) -> Iterator[tuple[str, str, str, list[float]]]:
    """Read the second of the two checkouts, which is this one twice."""
    for function, figures in json.loads(text).items():
        yield "cold_start", f"{function}, init", "ms", [figures["init"]["after"]]
        yield "cold_start", f"{function}, CPU to the first answer", "ms", [figures["cpu"]["after"]]
        yield "zip", function, "MB", [figures["zip_mb"]["after"]]


def from_cost(text: str) -> Iterator[tuple[str, str, str, list[float]]]:
    """Read `paydispatch cost --json`: Lambda's part beside a loop's, and all of it beside other engines."""
    made = json.loads(text)
    where = f"{OURS}, {made['lane']} lane"
    yield "lambda_price", where, "USD", [made["lambda_usd"]]
    yield "lambda_price", "loop, one call after the other", "USD", [made["loop_lambda_usd"]]
    yield "price", where, "USD", [made["usd"]]
    for engine in made["other_engines"]:
        yield "price", engine["name"], "USD", [engine["usd"]]


def _last(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        next(line for line in reversed(text.splitlines()) if line.startswith("{"))
    )
    return found
