"""The W3C trace context: which headers are valid, and what is left of those that are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import TRACE_ID, TRACEPARENT

from paydispatch.domain.trace_context import read_traceparent, trace_id_of


def test_a_valid_header_is_kept_and_names_its_trace() -> None:
    assert read_traceparent(TRACEPARENT) == TRACEPARENT
    assert trace_id_of(TRACEPARENT) == TRACE_ID


@pytest.mark.parametrize(
    "text",
    [
        "",
        "junk",
        TRACEPARENT.upper(),
        TRACEPARENT.replace(TRACE_ID, "0" * 32),
        TRACEPARENT.replace("00f067aa0ba902b7", "0" * 16),
        f"ff{TRACEPARENT[2:]}",
        f"{TRACEPARENT}-01",
        f"{TRACEPARENT}\n",
        f" {TRACEPARENT}",
        f"01{TRACEPARENT[2:]}01",
        None,
        7,
        [TRACEPARENT],
    ],
    ids=repr,
)
def test_an_invalid_header_counts_as_absent(text: object) -> None:
    assert read_traceparent(text) is None


def test_a_later_version_is_read_as_todays_without_its_further_fields() -> None:
    later = f"01{TRACEPARENT[2:]}"
    assert read_traceparent(later) == TRACEPARENT
    assert read_traceparent(f"{later}-what the future brings") == TRACEPARENT


@given(st.text())
def test_whatever_is_read_has_the_form_of_version_00(text: str) -> None:
    for read in (read_traceparent(text), read_traceparent(f"01{TRACEPARENT[2:]}{text}")):
        assert read is None or read == TRACEPARENT
