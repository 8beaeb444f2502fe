"""`submit` sends a whole file of requests, reports each refused line, and never submits a line twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from paydispatch.local.stack import LocalStack

LINES = [
    {"object": "coupon", "context_id": f"c-{n}", "params": {"percent_off": 5, "duration": "once"}}
    for n in range(25)
]
BAD = {"object": "coupon", "context_id": "c", "params": {"percent_of": 5, "duration": "once"}}


def submit(stack: LocalStack, file: Path, *options: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "paydispatch",
            "submit",
            str(file),
            "--json",
            "--worker-id",
            "submitted",
            "--secret-ref",
            "demo",
            *options,
        ],
        env={**os.environ, **stack.environment()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, json.loads(done.stdout or "{}") or {"stderr": done.stderr}


def write_lines(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_file_goes_to_the_queue_and_a_bad_line_is_named(
    stack: LocalStack, tmp_path: Path
) -> None:
    file = write_lines(tmp_path / "requests.jsonl", [*LINES, BAD])

    code, report = submit(stack, file)

    assert code == 1
    assert report["submitted"] == len(LINES)
    assert [(each["line"], each["param"]) for each in report["refused"]] == [(26, "percent_of")]


def test_a_submission_continues_after_the_last_submitted_line(
    stack: LocalStack, tmp_path: Path
) -> None:
    file = write_lines(tmp_path / "requests.jsonl", LINES[:10])
    submit(stack, file, "--api", stack.addresses.api)

    code, report = submit(stack, write_lines(file, LINES), "--api", stack.addresses.api)

    assert code == 0
    assert (report["submitted_before"], report["submitted"]) == (10, 15)


def test_a_line_that_the_api_refuses_and_an_invalid_line_are_both_reported(
    stack: LocalStack, tmp_path: Path
) -> None:
    taken = {**LINES[0], "idempotency_key": "taken"}
    file = write_lines(tmp_path / "first.jsonl", [taken])
    submit(stack, file, "--api", stack.addresses.api)
    again = write_lines(tmp_path / "again.jsonl", [LINES[1], {**taken, "context_id": "other"}])
    again.write_text(again.read_text() + "{\n")

    code, report = submit(stack, again, "--api", stack.addresses.api)

    assert (code, report["submitted"]) == (1, 1)
    assert [each["line"] for each in sorted(report["refused"], key=lambda r: r["line"])] == [2, 3]


def test_a_file_submitted_to_the_api_can_also_be_submitted_to_the_queue(
    stack: LocalStack, tmp_path: Path
) -> None:
    file = write_lines(tmp_path / "requests.jsonl", LINES[:3])

    ways = [submit(stack, file, "--api", stack.addresses.api), submit(stack, file)]

    assert [(code, report["submitted"]) for code, report in ways] == [(0, 3), (0, 3)]
    assert {report["remembered_in"] for _, report in ways} == {f"{file}.submitted"}


TABLE = "Order;Amount\n1001;2000\n1002;500\n"
MAPPED = (
    *("--operation", "create_payment_intent", "--set", "currency=eur"),
    *("--map", "amount=Amount", "--map", "context_id=Order", "--map", "metadata[order]=Order"),
)


@pytest.mark.parametrize("way", ["api", "queue"])
def test_a_table_is_followed_to_its_outcomes(stack: LocalStack, tmp_path: Path, way: str) -> None:
    file = tmp_path / "renewals.csv"
    file.write_text(TABLE)
    to = ("--api", stack.addresses.api) if way == "api" else ()

    code, report = submit(stack, file, *MAPPED, *to, "--wait", "--wait-at-most", "50s")

    outcomes = report["outcomes"]
    assert (code, report["submitted"], outcomes["done"]) == (0, 2, 2)
    records = [json.loads(text) for text in Path(outcomes["results_in"]).read_text().splitlines()]
    amounts = {
        record["line"]: (
            record["parsed_data"]["amount"],
            record["parsed_data"]["metadata"]["order"],
        )
        for record in records
    }
    assert amounts == {2: (2000, "1001"), 3: (500, "1002")}


def test_a_declined_line_is_counted_by_its_code(stack: LocalStack, tmp_path: Path) -> None:
    params = {"customer": "cus_missing", "items": [{"price": "price_missing"}]}
    missing = {**LINES[0], "object": "subscription", "params": params}
    file = write_lines(tmp_path / "requests.jsonl", [LINES[0], missing])

    code, report = submit(stack, file, "--wait", "--wait-at-most", "50s")

    outcomes = report["outcomes"]
    assert (code, outcomes["done"], outcomes["declined"]) == (1, 1, 1)
    assert outcomes["by_code"] == {"resource_missing": 1}
