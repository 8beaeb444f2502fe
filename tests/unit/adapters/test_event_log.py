"""The log lines of the worker and its flows, after each change that a flow may make to `logging`."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import logging.config
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger
from tests.unit.examples import NOW_S, entry

from paydispatch.adapters.event_log import FLOWS_LOGGER, PowertoolsEventLog, json_logger
from paydispatch.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = "sk_" + "live_" + "4eC39HqLyjWDarjtT1zdp7dc"


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in (None, "paydispatch", FLOWS_LOGGER)]
    kept = [(each, each.handlers[:], each.level, each.propagate) for each in loggers]
    factory = logging.getLogRecordFactory()
    yield
    logging.disable(logging.NOTSET)
    logging.setLogRecordFactory(factory)
    for each, handlers, level, propagate in kept:
        each.handlers, each.propagate, each.disabled = handlers, propagate, False
        each.setLevel(level)
    for each in logging.Logger.manager.loggerDict.values():
        if isinstance(each, logging.Logger):
            each.disabled = False


class Log(PowertoolsEventLog):
    """An event log that keeps its printed lines."""

    def __init__(self, service: str) -> None:
        self._printed = io.StringIO()
        with contextlib.redirect_stdout(self._printed):
            super().__init__(json_logger(service))

    @property
    def printed(self) -> str:
        return self._printed.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.printed.splitlines()]


@pytest.fixture
def log(request: pytest.FixtureRequest) -> Log:
    """A log with a service name of its own, because Powertools keeps the stream of the first logger of a name."""
    return Log(f"service of {request.node.name}")


@pytest.fixture
def flow() -> Flow:
    return Flow(entry(), attempt=1, now_s=NOW_S)


def configure_anew() -> None:
    handler = {"class": "logging.NullHandler"}
    logging.config.dictConfig(
        {"version": 1, "handlers": {"null": handler}, "root": {"handlers": ["null"]}}
    )


def configure_ours() -> None:
    muted = {"handlers": [], "level": "CRITICAL", "propagate": False}
    logging.config.dictConfig(
        {"version": 1, "loggers": {"paydispatch": muted, FLOWS_LOGGER: muted}}
    )


def replace_root_handlers() -> None:
    logging.basicConfig(force=True, handlers=[logging.NullHandler()], level=logging.CRITICAL)


def disable_all() -> None:
    logging.disable(logging.CRITICAL)


@pytest.mark.parametrize(
    "configure", [configure_anew, configure_ours, replace_root_handlers, disable_all]
)
def test_a_flow_that_configures_logging_mutes_neither_the_worker_nor_other_flows(
    log: Log,
    flow: Flow,
    configure: Callable[[], None],
) -> None:
    configure()
    log.info("flow.finished", request_id="r1")
    log.warning("flow.raised", request_id="r2")
    flow.log.info("here")
    events = [(line["message"], line["level"]) for line in log.lines]
    assert events == [("flow.finished", "INFO"), ("flow.raised", "WARNING"), ("here", "INFO")]


def test_a_flow_that_configures_logging_can_still_log(log: Log, flow: Flow) -> None:
    configure_anew()
    flow.log.info("here")
    assert [line["message"] for line in log.lines] == ["here"]


def test_the_extra_fields_of_a_flow_are_in_its_line_beside_the_ids(log: Log, flow: Flow) -> None:
    flow.log.info("paid %s", "pi_1", extra={"order": 1001, "lines": [{"sku": "tea"}]})
    (line,) = log.lines
    assert (line["message"], line["order"]) == ("paid pi_1", 1001)
    assert line["lines"] == [{"sku": "tea"}]
    assert (line["request_id"], line["worker_id"]) == ("pdr_1", "worker-1")
    assert line["context_id"] == "context-1"


@pytest.mark.parametrize(
    "name",
    [
        "request_id",
        "worker_id",
        "context_id",
        "level",
        "message",
        "service",
        "timestamp",
        "name",
        "args",
    ],
)
def test_an_extra_field_never_replaces_another_field(log: Log, flow: Flow, name: str) -> None:
    flow.log.info("paid", extra={name: "mine"})
    (line,) = log.lines
    assert line[f"extra_{name}"] == "mine"
    assert line.get(name) != "mine"
    assert (line["message"], line["request_id"]) == ("paid", "pdr_1")


def test_no_key_is_in_the_line_of_a_flow(log: Log, flow: Flow) -> None:
    try:
        raise ValueError(KEY)
    except ValueError:
        flow.log.exception("with %s", KEY, extra={"key": KEY, KEY: 1, "deep": [{"a": KEY}]})
    assert "sk_live_[hidden]" in log.printed
    assert KEY not in log.printed


class Unprintable:
    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


@pytest.mark.parametrize("value", [object(), Unprintable(), "half \ud83d", {1, 2}])
def test_a_line_with_a_value_that_json_cannot_hold_is_printed(
    log: Log, flow: Flow, value: Any
) -> None:
    flow.log.info("paid", extra={"value": value})
    assert [line["message"] for line in log.lines] == ["paid"]


def test_the_logger_of_powertools_is_in_the_registry_of_logging() -> None:
    """`LogSettings` finds the logger there by its name."""
    logger = Logger(service="some service")
    assert logging.getLogger(logger.name).handlers == logger.handlers
