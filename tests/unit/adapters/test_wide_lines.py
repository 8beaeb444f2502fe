"""Our own wide lines are those that Powertools would write."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import logging
import re
from typing import Any

import pytest
from tests.unit.examples import KEY

from paydispatch.adapters.event_log import FLOWS_LOGGER, json_logger
from paydispatch.adapters.wide_lines import WideLines

FIELDS: dict[str, Any] = {
    "flow": "new_create_coupon_response",
    "principal": None,
    "attempt": 1,
    "run_ms": 0.5,
    "why": f"é, half \ud83d, {KEY}",
    "object_": {"a": [1, None]},
    "unprintable": object,
}
_numbers = itertools.count()


@pytest.fixture(autouse=True)
def _restore_logging() -> Any:
    flows, factory = logging.getLogger(FLOWS_LOGGER), logging.getLogRecordFactory()
    kept = flows.handlers[:], flows.level, flows.propagate
    yield
    flows.handlers, flows.propagate = kept[0], kept[2]
    flows.setLevel(kept[1])
    logging.setLogRecordFactory(factory)


def both_lines() -> tuple[str, str]:
    """Return the line of Powertools and ours."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        logger = json_logger(f"wide lines {next(_numbers)}")
    logger.info("flow.finished", **{n: v for n, v in FIELDS.items() if v is not None})
    WideLines(logger).info("flow.finished", FIELDS)
    theirs, ours = printed.getvalue().splitlines()
    return theirs, ours


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8"},
        {"POWERTOOLS_LOGGER_SAMPLE_RATE": "0.000001"},
        {"TZ": "Asia/Kolkata"},
    ],
    ids=repr,
)
def test_a_line_has_the_members_of_powertools_in_its_order(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    theirs, ours = both_lines()
    time = re.compile(r'"timestamp":"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}([+-]\d{4})"')
    assert time.sub(r"\1", ours) == time.sub(r"\1", theirs)
    assert time.search(ours)
    assert KEY not in ours


def test_a_level_above_info_mutes_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "WARNING")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        logger = json_logger(f"wide lines {next(_numbers)}")
    WideLines(logger).info("flow.finished", FIELDS)
    assert printed.getvalue() == ""


def test_a_line_that_cannot_be_written_is_lost_without_an_error() -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        logger = json_logger(f"wide lines {next(_numbers)}")
    printed.close()
    WideLines(logger).info("flow.finished", FIELDS)


def test_each_line_is_json_on_its_own() -> None:
    _, ours = both_lines()
    assert json.loads(ours)["message"] == "flow.finished"
