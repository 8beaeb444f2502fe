"""What `paydispatch dlq` shows of a parked message: everything but a key."""

from __future__ import annotations

import json

import pytest
from tests.unit.examples import KEY, NOW_S, envelope

from paydispatch.cli import dlq
from paydispatch.cli.main import main
from paydispatch.domain.redrive import Parked, plan_redrive, read_parked
from paydispatch.services.redrive import Examined


def examined(body: str, status: str | None = None) -> Examined:
    parked = Parked("m-1", "r-1", body, sent_at=NOW_S)
    read = read_parked(parked)
    return Examined(parked, read, status, plan_redrive(read, status, NOW_S, deadline_s=60))


def test_a_sealed_key_is_not_shown() -> None:
    shown = dlq._in_full(examined(envelope(sealed_secret="1.sealed").as_message()))

    assert shown["envelope"]["sealed_secret"] == "(sealed)"
    assert "1.sealed" not in json.dumps(shown)


def test_the_name_of_a_secret_is() -> None:
    shown = dlq._in_full(examined(envelope().as_message()))

    assert shown["envelope"]["secret_ref"] == "shop"
    assert "sealed_secret" not in shown["envelope"]


def test_a_key_in_a_message_nobody_can_read_is_blotted_out() -> None:
    shown = dlq._in_full(examined(f'{{"stripe_secret": "{KEY}"'))

    assert KEY not in json.dumps(shown)
    assert "stripe_secret" in shown["envelope"]


@pytest.mark.parametrize(
    ("status", "planned"),
    [
        (None, "goes back to the interactive queue"),
        ("succeeded", "stays: settled (succeeded), its flow has been started"),
    ],
)
def test_what_a_redrive_would_do_is_said(status: str | None, planned: str) -> None:
    assert dlq._in_short(examined(envelope().as_message(), status))["redrive"] == planned


@pytest.mark.parametrize("rate", ["0", "-1/s", "many"])
def test_a_rate_is_a_number_above_zero(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["dlq", "redrive", f"--rate={rate}"])

    assert "no number above 0" in capsys.readouterr().err


def test_a_table_does_not_cut_an_id(capsys: pytest.CaptureFixture[str]) -> None:
    long = "pdr_" + "x" * 80
    dlq._show_all([examined(envelope(request_id=long).as_message())], as_json=False)

    assert long in capsys.readouterr().out
