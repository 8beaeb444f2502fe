"""Each unusual text in a file of requests is read as it is meant, or refused with the number of its line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.cli.submission.submissions import API, FILE, line, report

from paydispatch.cli.main import main
from paydispatch.domain.submission import file_lines

if TYPE_CHECKING:
    from paydispatch.testing.memory_delivery import MemoryDelivery


def submit(text: str | bytes, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    FILE.write_bytes(text if isinstance(text, bytes) else text.encode())
    main(["submit", str(FILE), "--api", API, "--json"])
    return report(capsys)


@pytest.mark.parametrize(
    "text",
    [
        f"{line()}\n{line()}",
        f"{line()}\r\n{line()}\r\n",
        f"\ufeff{line()}\n{line()}\n",
        f"\n{line()}\n\n   \n\t\r\n{line()}\n\n",
        f"  {line()}  \n{line()}\n",
    ],
    ids=["no line end", "CRLF", "byte order mark", "blank lines", "spaces"],
)
def test_each_line_is_read(
    text: str, delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = submit(text, capsys)
    assert (shown["submitted"], shown["refused"]) == (2, [])


@pytest.mark.parametrize("text", ["", "\n", "\ufeff", "\ufeff\n\n"])
def test_a_file_without_lines_has_nothing_to_submit(
    text: str, delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit(text, capsys)["submitted"] == 0


@pytest.mark.parametrize(
    "fields", ['"amount": 1, "amount": 2', '"metadata": {"order": "1", "order": "2"}']
)
def test_a_name_that_comes_twice_is_refused_with_its_line(
    fields: str, delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    twice = line().replace('"percent_off": 5', fields)
    shown = submit(f"{line()}\n\n{twice}\n", capsys)
    (refused,) = shown["refused"]
    assert (shown["submitted"], refused["line"]) == (1, 3)
    assert "twice in one object" in refused["message"]


def test_a_line_that_is_too_long_is_refused_beside_the_others(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    over = line(context_id="c" * (file_lines.LONGEST_LINE_BYTES * 2 + 1))
    shown = submit(f"{line()}\n{over}\n{line()}", capsys)
    assert (shown["submitted"], [each["line"] for each in shown["refused"]]) == (2, [2])
    assert "longer than 8 MiB" in shown["refused"][0]["message"]


def test_a_line_of_the_greatest_length_is_read(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    text = line().encode().ljust(file_lines.LONGEST_LINE_BYTES - 1)
    shown = submit(text + b"\n" + line().encode() + b"\n", capsys)
    assert (shown["submitted"], shown["refused"]) == (2, [])


def test_every_fault_of_a_line_is_reported(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {"object": "coupon", "worker_id": "{", "idempotency_key": "", "lane": "fast", "x": 1}
    shown = submit(json.dumps({**wrong, "params": {"percent_of": 5}}), capsys)
    message = shown["refused"][0]["message"]
    for name in (
        "worker_id",
        "context_id",
        "Idempotency-Key",
        "lane",
        "'x'",
        "percent_of",
        "stripe_secret",
    ):
        assert name in message
