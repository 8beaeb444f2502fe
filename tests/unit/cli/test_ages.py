"""Lengths of time as operators write and read them."""

from __future__ import annotations

import argparse

import pytest

from paydispatch.cli.arguments import age_s, format_age


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45s", 45), ("30m", 1_800), ("2h", 7_200), ("1.5h", 5_400), ("3d", 259_200), ("0s", 0)],
)
def test_a_length_of_time_has_a_unit(text: str, seconds: float) -> None:
    assert age_s(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "-1h", "5w", "2h30m", "1e3s"])
def test_any_other_text_is_refused_with_examples_of_the_right_form(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="such as 45s, 30m, 2h or 3d"):
        age_s(text)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (89, "89s"), (90, "2m"), (3_600, "60m"), (36 * 3_600, "2d"), (30 * 3_600, "30h")],
)
def test_an_age_is_shown_in_one_unit(seconds: float, shown: str) -> None:
    assert format_age(seconds) == shown
