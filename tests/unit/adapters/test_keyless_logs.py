"""No key reaches a log, from any library and at any level."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING

import boto3
import pytest
from tests.unit.examples import KEY

from paydispatch.adapters.aws.errors import CLIENT_CONFIG
from paydispatch.adapters.command_event_log import CommandEventLog
from paydispatch.adapters.event_log import json_logger
from paydispatch.cli.event_log import show_event_log

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def root_output() -> Iterator[io.StringIO]:
    """The output of the root logger at every level."""
    written, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(written), root.level
    root.addHandler(handler)
    root.setLevel(1)
    yield written
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def own_factory() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(before)


@pytest.mark.parametrize("name", ["botocore.parsers", "botocore.endpoint"])
def test_no_answer_of_aws_is_printed_at_any_level(root_output: io.StringIO, name: str) -> None:
    assert CLIENT_CONFIG
    boto3.set_stream_logger(name, 1, "%(message)s")
    logging.getLogger(name).debug("Response body: %s", {"SecretString": KEY, "Plaintext": "b64"})
    logging.getLogger(name).handlers.clear()
    assert root_output.getvalue() == ""


def test_a_line_of_another_library_is_redacted(root_output: io.StringIO, own_factory: None) -> None:
    json_logger("service")
    logging.getLogger("some.library").debug("sent %s", {"Authorization": f"Bearer {KEY}"})
    logging.getLogger("some.library").debug("nothing to hide")
    assert "Bearer sk_test_[hidden]" in root_output.getvalue()
    assert "nothing to hide" in root_output.getvalue()
    assert KEY not in root_output.getvalue()


def test_the_traceback_of_another_library_is_redacted(
    root_output: io.StringIO, own_factory: None
) -> None:
    json_logger("service")
    try:
        raise ValueError(f"quoted {KEY}")
    except ValueError:
        logging.getLogger("some.library").exception("it failed", stack_info=True)
    assert "ValueError: quoted sk_test_[hidden]" in root_output.getvalue()
    assert "Stack (most recent call last)" in root_output.getvalue()
    assert KEY not in root_output.getvalue()


def test_the_traceback_of_a_command_is_redacted(
    own_factory: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with show_event_log(verbose=False):
        try:
            raise ValueError(f"quoted {KEY}")
        except ValueError:
            CommandEventLog().warning("a.fault")
    shown = capsys.readouterr().err
    assert "quoted sk_test_[hidden]" in shown
    assert KEY not in shown


def test_a_line_with_arguments_that_do_not_fit_is_redacted(
    root_output: io.StringIO, own_factory: None
) -> None:
    json_logger("service")
    logging.getLogger("some.library").debug("%d", KEY)
    assert root_output.getvalue() == "%d ('sk_test_[hidden]',)\n"


def test_a_line_of_paydispatch_is_json_without_a_key(
    own_factory: None, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = json_logger("keyless")
    try:
        raise ValueError(f"quoted {KEY}")
    except ValueError:
        logger.exception("a\n%s", KEY, why={KEY: [KEY]})
    line = json.loads(capsys.readouterr().out)
    assert line["why"] == {"sk_test_[hidden]": ["sk_test_[hidden]"]}
    assert line["message"] == "a\nsk_test_[hidden]"
    assert "quoted sk_test_[hidden]" in line["exception"]
    assert KEY not in json.dumps(line)


def test_a_line_of_a_command_is_redacted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    CommandEventLog().info("an.event", why=f"quoted {KEY}", fields={KEY: 1})
    assert "quoted sk_test_[hidden]" in caplog.text
    assert KEY not in caplog.text
