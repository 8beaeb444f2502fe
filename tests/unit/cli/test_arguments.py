"""Numbers as operators write them."""

from __future__ import annotations

import argparse

import pytest

from paydispatch.cli.arguments import count, port, positive, rate
from paydispatch.cli.main import main


@pytest.mark.parametrize(
    ("read", "text", "number"),
    [
        (port, "0", 0),
        (port, "65535", 65_535),
        (count, "1", 1),
        (positive, "0.5", 0.5),
        (rate, "5/s", 5.0),
        (rate, "5", 5.0),
    ],
)
def test_a_number_is_read(read: object, text: str, number: float) -> None:
    assert callable(read)
    assert read(text) == number


INVALID = {
    port: ["", "-1", "65536", "99999", "http", "1.5"],
    count: ["", "0", "-3", "many", "1.5", "inf"],
    positive: ["", "0", "-1", "nan", "inf", "-inf", "many"],
    rate: ["0", "0/s", "-1/s", "nan", "inf/s", "many"],
}


@pytest.mark.parametrize(
    ("read", "text"), [(read, text) for read in INVALID for text in INVALID[read]]
)
def test_an_invalid_number_is_refused_with_its_text(read: object, text: str) -> None:
    assert callable(read)
    with pytest.raises(argparse.ArgumentTypeError, match="is no"):
        read(text)


@pytest.mark.parametrize(
    "command",
    [
        "local --port=99999",
        "twin --port=99999",
        "dlq list --limit=0",
        "dlq redrive --limit=-3",
        "dlq redrive --rate=nan",
        "dlq redrive --deadline-s=inf",
    ],
)
def test_a_command_refuses_an_invalid_number(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command.split())

    assert ended.value.code == 2
    assert "is no" in capsys.readouterr().err
