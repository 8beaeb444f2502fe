"""`redact` hides a secret key anywhere in a text, and leaves similar text unchanged."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import KEY

from paydispatch.domain.errors import (
    BadRequest,
    InvalidField,
    ParamError,
    PaydispatchError,
    Unavailable,
)
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind, Response
from paydispatch.domain.text.redaction import (
    AnyOf,
    holds_key,
    holds_no_key,
    places_of_keys,
    redact,
    redact_json,
)

TAIL = KEY.removeprefix("sk_test_")

WITH_A_KEY = {
    "alone": KEY,
    "short": "sk_test_1",
    "live": f"sk_live_{TAIL}",
    "restricted": f"rk_live_{TAIL}",
    "of an organisation": f"sk_org_live_{TAIL}",
    "in a sentence": f"Invalid API key provided: {KEY}.",
    "after Bearer": f"Bearer {KEY}",
    "glued to a word": f"Bearer{KEY}",
    "glued to a letter": f"x{KEY}x",
    "glued to a digit": f"7{KEY}",
    "glued to a name": f"order_{KEY}",
    "in quotes": f"'{KEY}'",
    "in an address": f"https://{KEY}:@api.stripe.com/",
    "escaped as JSON": KEY.replace("_", "\\u005f"),
    "escaped as JSON twice": KEY.replace("_", "\\\\u005F"),
    "a letter escaped as JSON": KEY.replace("k", "\\u006b", 1),
    "after an escaped line break": f"a\\n{KEY}",
    "after an escaped letter": f"\\u00e9{KEY}",
    "escaped as a URL": quote(KEY).replace("_", "%5F"),
    "escaped as a URL twice": KEY.replace("_", "%255f"),
    "after an escaped space": f"a%20{KEY}",
    "in JSON text": json.dumps({"é": f"\n{KEY}"}),
}

WITHOUT = [
    "",
    "pk_live_" + TAIL,
    "sk_test_",
    "sk_live_****1234",
    "risk_test and 3 + 4",
    "task_live_7f3a9c2b1d4e5f60aa",
    "disk_test_internationalization",
    "network_test_0123456789abcdef",
    "mask_test_results",
    "tok_visa",
    "50% off \\u005f",
    "SK_TEST_" + TAIL,
]


@pytest.mark.parametrize("text", WITH_A_KEY.values(), ids=WITH_A_KEY)
def test_a_key_is_found_and_hidden_anywhere_in_a_text(text: str) -> None:
    assert holds_key(text)
    assert "[hidden]" in redact(text)
    assert not holds_key(redact(text))
    assert TAIL not in redact(text)


SPLIT_BY = [
    *"-.~+*!$^\u2026\u2013é\u00a0\u00ad\u200b\u200d\u2060\ufeff",
    "\u200b\u200b\u200b",
    "%2D",
    "%E2%80%8B",
    "%25E2%2580%258B",
    "\\u200b",
    "\\\\u200B",
    "\\u002d",
    "\\u00e9",
    "..",
]


@pytest.mark.parametrize("splitter", SPLIT_BY, ids=ascii)
@pytest.mark.parametrize("before", ["", "Bearer ", "order_"])
def test_a_key_is_hidden_whole_if_another_character_splits_it(before: str, splitter: str) -> None:
    first, second, third = TAIL[:17], TAIL[17:21], TAIL[21:]
    redacted = redact(f"{before}sk_test_{first}{splitter}{second}{splitter}{third} and more")

    assert redacted == f"{before}sk_test_[hidden] and more"


@pytest.mark.parametrize(
    "splitter", ["\u200b", "\u00ad", "\ufeff", "\\u200b", "%E2%80%8B"], ids=ascii
)
@pytest.mark.parametrize("place", range(1, len(KEY)))
def test_a_character_that_nobody_sees_hides_no_key(splitter: str, place: int) -> None:
    text = f"Bearer{KEY[:place]}{splitter}{KEY[place:]}, and more"

    assert holds_key(text)
    assert redact(text) == "Bearersk_test_[hidden], and more"


@pytest.mark.parametrize("end", ["\\u00zz", "\\u005f", "\\x", "\\u200z"])
def test_a_long_row_of_backslashes_takes_no_longer_than_its_length(end: str) -> None:
    """A search that began anew at each of them would take hours."""
    assert not holds_key("\\" * 500_000 + end)


@given(st.text(alphabet="ab%\\é\u200b", max_size=12))
def test_patterns_that_are_searched_one_by_one_replace_as_much_as_their_choice(
    text: str,
) -> None:
    patterns = AnyOf(r"\\a", r"%(?:a)*b", beyond_ascii="\u200b")
    choice = re.compile("\\\\a|%(?:a)*b|\u200b")
    assert patterns.sub("-", text) == choice.sub("-", text)


@pytest.mark.parametrize(
    "rest",
    [
        " next",
        ", next",
        ". Next",
        "/next",
        ":next",
        "&a=b",
        '","a":"b"',
        ")next",
        "@next",
        "%20next",
    ],
)
def test_the_text_behind_a_key_stays(rest: str) -> None:
    assert redact(KEY + rest) == f"sk_test_[hidden]{rest}"


@pytest.mark.parametrize("text", WITHOUT)
def test_a_text_without_a_key_stays_unchanged(text: str) -> None:
    assert not holds_key(text)
    assert redact(text) == text


def test_json_text_stays_json_when_it_is_redacted() -> None:
    said = json.dumps({KEY: [f'say "{KEY}"', "é"], "note": KEY}).replace("sk_test", "sk\\u005ftest")
    assert json.loads(redact(said)) == {
        "sk_test_[hidden]": ['say "sk_test_[hidden]"', "é"],
        "note": "sk_test_[hidden]",
    }


@given(st.text(), st.text())
def test_a_key_at_the_start_of_a_word_is_hidden_in_any_text(before: str, after: str) -> None:
    assert TAIL not in redact(f"{before} {KEY}{after}")


def test_values_and_names_are_redacted_at_any_depth() -> None:
    said = {"a": [{KEY: 1}, (KEY, 2.5, None, True)], "b": {"c": f"x {KEY}"}}
    assert redact_json(said) == {
        "a": [{"sk_test_[hidden]": 1}, ["sk_test_[hidden]", 2.5, None, True]],
        "b": {"c": "x sk_test_[hidden]"},
    }


WORDS = ("sk", "rk", "s", "k", "_", "test", "live", "org", KEY[8:])
ESCAPES = ("\\u005f", "%5F", "%255f", "\\x6b", "\\", "\n", "\x7f", '"', "é", "\u2028", " ", "/")
PIECES = st.sampled_from((*WORDS, *ESCAPES))
TEXTS = st.lists(PIECES, max_size=7).map("".join)
VALUES = st.recursive(
    TEXTS | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_a_look_at_the_whole_value_misses_no_key_that_a_look_at_each_text_finds(
    value: object,
) -> None:
    if holds_no_key(value):
        assert list(places_of_keys(value)) == []
        assert redact_json(value) == value


def test_a_value_that_is_no_json_is_not_taken_for_one_without_keys() -> None:
    assert not holds_no_key({"a": object()})
    assert redact_json({"a": (KEY,), "b": 1 + 2j}) == {"a": ["sk_test_[hidden]"], "b": 1 + 2j}


def test_the_place_of_a_key_is_given_without_the_key() -> None:
    said = {"a": "b", KEY: {"c": KEY}, "d": [0, f"{KEY}"]}
    assert list(places_of_keys(said)) == [
        ("sk_test_[hidden]",),
        ("sk_test_[hidden]", "c"),
        ("d", 1),
    ]


@pytest.mark.parametrize(
    "error",
    [
        PaydispatchError(f"Unexpected {KEY}"),
        Unavailable(f"KMS: {KEY}"),
        InvalidField(KEY, f"Unknown field {KEY}"),
        BadRequest(KEY, code="c"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_error_of_paydispatch_repeats_a_key(error: PaydispatchError) -> None:
    shown = [str(error), repr(error), repr(vars(error))]
    assert not any(map(holds_key, shown))


def test_no_parameter_error_repeats_a_key() -> None:
    assert not holds_key(repr(ParamError(KEY, "parameter_unknown", f"Unknown {KEY}")))


def test_no_outcome_repeats_a_key_that_stripe_quotes() -> None:
    answer: dict[str, Any] = {"id": "pi_1", "metadata": {KEY: f"Bearer {KEY}"}}
    error = Error(
        kind=ErrorKind.API,
        message=f"Received unknown parameter: {KEY}",
        attempts=1,
        certainty=Certainty.NOT_CREATED,
        param=f"metadata[{KEY}]",
        code=KEY,
    )
    assert not holds_key(repr(Response(body=answer, attempts=1)))
    assert not holds_key(repr(error))


@pytest.mark.parametrize("inside", ["\x00", "\x1b", "\x7f", r"\u0000", r"\u001b", r"\u007F"])
def test_a_control_character_inside_a_key_leaves_nothing_of_it(inside: str) -> None:
    assert redact(f"key sk_test_Hush{inside}HushHushHush, next word") == (
        "key sk_test_[hidden], next word"
    )


@pytest.mark.parametrize("inside", ["-", ".", "\x00"])
def test_a_key_that_is_split_just_after_its_prefix_is_redacted(inside: str) -> None:
    assert redact(f"key sk_test_{inside}HushHushHush") == "key sk_test_[hidden]"
