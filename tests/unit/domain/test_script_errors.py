"""Every exception of a script becomes text that can be logged, stored and sent."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import pytest

from paydispatch.domain.text.script_errors import (
    ERROR_CHARS,
    LEAF_CHARS,
    MOST_LEAVES,
    TRACEBACK_CHARS,
    error_text,
    leaves,
    safe_text,
    traceback_text,
)

KEY = "sk_" + "live_" + "4eC39HqLyjWDarjtT1zdp7dc"
HALF_A_SURROGATE = "\ud83d"


class Unprintable(Exception):
    def __str__(self) -> NoReturn:
        raise RuntimeError(KEY)

    __repr__ = __str__


class ExitsWhenPrinted(Exception):
    def __str__(self) -> NoReturn:
        raise SystemExit(3)


class OddText(str):
    __slots__ = ()

    def __getitem__(self, _: Any) -> NoReturn:
        raise RuntimeError(KEY)

    encode = __getitem__


class SaysSomethingOdd(Exception):
    def __str__(self) -> str:
        return OddText("said")


class WeirdNotes(Exception):
    @property
    def __notes__(self) -> NoReturn:
        raise RuntimeError(KEY)


class WeirdGroup(ExceptionGroup[ValueError]):
    @property
    def exceptions(self) -> Any:
        raise RuntimeError(KEY)


def make_nested_group(levels: int) -> BaseException:
    error: Exception = ValueError("innermost")
    for level in range(levels):
        error = ExceptionGroup(f"level {level}", [error])
    return error


def test_an_error_is_shown_with_its_type_and_text() -> None:
    assert error_text(ValueError("broken")) == "ValueError: broken"


def test_an_error_without_text_is_shown_by_its_type() -> None:
    assert error_text(KeyboardInterrupt()) == "KeyboardInterrupt"


def test_a_group_is_shown_with_the_errors_in_it() -> None:
    group = BaseExceptionGroup(
        "unhandled errors in a TaskGroup",
        [ValueError("one"), ExceptionGroup("more", [KeyError("two"), OSError(5, "three")])],
    )
    assert error_text(group) == (
        "ExceptionGroup: ValueError: one; KeyError: 'two'; OSError: [Errno 5] three"
    )


def test_a_large_group_is_shown_in_part_and_counted() -> None:
    text = error_text(ExceptionGroup("many", [ValueError(n) for n in range(MOST_LEAVES + 5)]))
    assert text.endswith("ValueError: 9; and 5 more")


def test_the_text_of_an_error_is_bounded() -> None:
    assert len(error_text(ValueError("x" * 1_000_000))) <= LEAF_CHARS
    assert len(error_text(ExceptionGroup("g", [ValueError("x" * 1_000)] * 50))) <= ERROR_CHARS


def test_the_leaves_of_a_group_are_found_at_any_depth() -> None:
    (leaf,) = leaves(make_nested_group(3_000))
    assert str(leaf) == "innermost"


@pytest.mark.parametrize(
    "error",
    [
        Unprintable(),
        ExitsWhenPrinted(),
        SaysSomethingOdd(),
        WeirdNotes("x"),
        WeirdGroup("g", [ValueError(KEY)]),
        ExceptionGroup("g", [Unprintable(), ValueError(KEY)]),
        ValueError(f"{KEY} and {HALF_A_SURROGATE}"),
        ValueError(OddText(KEY)),
        make_nested_group(3_000),
        RecursionError(KEY),
        MemoryError(KEY),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_any_kind_is_shown_without_a_key(error: BaseException) -> None:
    for text in (error_text(error), traceback_text(error)):
        assert type(text) is str
        assert text.encode("utf-8")
        assert json.loads(json.dumps(text)) == text
        assert KEY not in text


def test_an_error_that_cannot_be_printed_has_a_placeholder_text() -> None:
    assert error_text(Unprintable()) == "Unprintable: <no text: RuntimeError>"
    assert safe_text(Unprintable()) == "<no text: RuntimeError>"


def test_a_traceback_names_the_line_and_is_bounded() -> None:
    def deeper(levels: int) -> None:
        deeper_too(levels - 1) if levels else 1 / 0  # type: ignore[func-returns-value]

    def deeper_too(levels: int) -> None:
        deeper(levels)

    with pytest.raises(ZeroDivisionError) as raised:
        deeper(200)
    text = traceback_text(raised.value)
    assert "1 / 0" in text
    assert text.startswith("Traceback (most recent call last):")
    assert len(text) <= TRACEBACK_CHARS + 3
