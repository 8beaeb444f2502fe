"""Entries are read as Python's own JSON reader does, whatever a text holds."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import KEY, entry

from paydispatch.adapters.redis.streams.entry_texts import read_entry, read_json
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.text.redaction import may_hold_key_in_json, redact_json

EDGES = [
    *(
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
        "9" * 400,
        "9" * 9000,
    ),
    *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-400", "-0", "-0.0", "1.0", "1E5"),
    *("9007199254740993.0", "123456789.123456789012345", "0.1", "01", "1.", ".5", "+1", "[1,]"),
    *(r'"\ud800"', r'"\udc00\ud800"', r'"\ud83d\ude00"', '"\ud800"', r'"\u0000"', '"a\x01b"'),
    *('{"a":1,"a":2}', r'{"\u0061":1,"a":2}', ' {"a" : 1} ', "\ufeff{}", '"\u2028"', r'"\x"'),
    *("", "null", "[", '"', "[" * 100_000, "[" * 2_000 + "]" * 2_000),
]


def outcome_of(read: Any, text: str) -> Any:
    """Return the value and its type, or the kind of error that the callers know."""
    try:
        value = read(text)
    except (ValueError, KeyError, TypeError):
        return "no entry"
    except RecursionError:
        return "too deep"
    return type(value), repr(value)


@pytest.mark.parametrize("text", EDGES, ids=lambda text: ascii(text)[:30])
def test_a_text_is_read_as_by_pythons_reader(text: str) -> None:
    assert outcome_of(read_json, text) == outcome_of(json.loads, text)


texts = st.text(st.characters(exclude_categories=[]))  # with halves of surrogate pairs
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)


@given(values, st.booleans())
def test_any_json_is_read_as_by_pythons_reader(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert outcome_of(read_json, text) == outcome_of(json.loads, text)


pieces = st.sampled_from(
    [
        KEY,
        "sk_test_",
        "rk_live_9",
        "sk",
        "_",
        "test_a",
        r"\u005f",
        "%5F",
        "%255f",
        "\\",
        "é",
        "\n",
        '"',
    ]
)


@given(st.lists(pieces).map("".join), st.booleans(), st.booleans())
def test_a_text_that_holds_no_key_needs_no_redaction(
    value: str, ascii_only: bool, escaped_backslash: bool
) -> None:
    text = json.dumps({"a": value, value: 1}, ensure_ascii=ascii_only)
    if escaped_backslash:
        text = text.replace(r"\\", r"\u005C").replace("%", r"\u0025")
    if not may_hold_key_in_json(text):
        assert redact_json(json.loads(text)) == json.loads(text)


@pytest.mark.parametrize("key", [KEY, KEY.replace("_", r"\u005f"), KEY.replace("_", "%5F")])
def test_a_key_in_an_entry_is_redacted_when_it_is_read(key: str) -> None:
    text = entry().as_json().replace('"body":{', f'"body":{{"note":"{key}",', 1)
    read = read_entry(text)
    assert "hidden" in repr(read.outcome)
    assert read == OutcomeEntry.from_json(text)


def test_an_entry_is_read_as_its_class_reads_it() -> None:
    text = entry().as_json()
    assert read_entry(text) == OutcomeEntry.from_json(text) == entry()
    assert math.isclose(read_entry(text).settled_at, entry().settled_at)
