"""The Stripe key of a submission comes from the environment, a `secret_ref` or the line, and is never shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.submission.submissions import API, LEDGER, line, submit_lines

from paydispatch.domain.credentials import SecretRef, StripeKey

if TYPE_CHECKING:
    from paydispatch.domain.credentials import Credential
    from paydispatch.domain.requests import OperationRequest
    from paydispatch.sdk.delivery import PreparedRequest
    from paydispatch.testing.memory_delivery import MemoryDelivery

KEY = "sk_test_" + "fromenvironment1"
OWN = "sk_test_" + "fromtheline12345"
KEYLESS = json.dumps({**json.loads(line()), "secret_ref": None})


@pytest.fixture
def used(delivery: MemoryDelivery, monkeypatch: pytest.MonkeyPatch) -> list[Credential]:
    """The credentials of the submitted requests."""
    credentials: list[Credential] = []
    prepare = delivery.prepare

    def note(request: OperationRequest) -> PreparedRequest:
        credentials.append(request.credential)
        return prepare(request)

    monkeypatch.setattr(delivery, "prepare", note)
    return credentials


def test_a_line_without_a_key_takes_the_one_of_the_environment(
    used: list[Credential], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", KEY)
    own = json.dumps({**json.loads(KEYLESS), "stripe_secret": OWN})
    assert submit_lines(KEYLESS, line(), own) == 0
    assert used == [StripeKey(KEY), SecretRef("shop"), StripeKey(OWN)]


def test_a_secret_ref_of_the_command_goes_before_the_key_of_the_environment(
    used: list[Credential], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", KEY)
    assert submit_lines(KEYLESS, to=("--api", API, "--secret-ref", "main")) == 0
    assert used == [SecretRef("main")]


def test_a_line_is_refused_without_any_key(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit_lines(KEYLESS) == 1
    assert "stripe_secret (or secret_ref)" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["pk_test_1234", "secret", "sk_test_ 1"])
def test_a_wrong_key_of_the_environment_is_named_by_its_variable(
    wrong: str,
    delivery: MemoryDelivery,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", wrong)
    assert submit_lines(KEYLESS) == 2
    assert "paydispatch: STRIPE_SECRET_KEY" in capsys.readouterr().err


def test_no_key_is_printed_or_written(
    delivery: MemoryDelivery, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", KEY)
    misplaced = line(context_id=OWN)
    own = json.dumps({**json.loads(KEYLESS), "stripe_secret": OWN, "context_id": ""})
    twice = f'{{"stripe_secret": "{OWN}", "{OWN}": 1, "{OWN}": 2}}'
    submit_lines(KEYLESS, misplaced, own, twice, to=("--api", API))
    submit_lines(KEYLESS, misplaced, own, twice, to=("--api", API, "--json"))
    shown = capsys.readouterr()
    for key in (KEY, OWN):
        assert key not in shown.out + shown.err + LEDGER.read_text()
