"""Why a request waits: its status keeps the reason, and a reason of a newer release is left out."""

from __future__ import annotations

import pytest

from paydispatch.domain.rates.tokens import Why
from paydispatch.domain.rates.waiting import Waiting, make_waiting, read_waiting
from paydispatch.domain.requests import Lane


@pytest.mark.parametrize("why", list(Why))
@pytest.mark.parametrize("account", [None, "live acct_1"])
def test_a_wait_is_read_as_it_was_written_and_every_reason_has_a_clause(
    why: Why, account: str | None
) -> None:
    waiting = Waiting(why=why, lane=Lane.BATCH, account=account)
    assert read_waiting(waiting.as_text()) == waiting
    assert waiting.clause


@pytest.mark.parametrize("text", [None, "", '{"why":"newer","lane":"batch"}', "{}"])
def test_an_unknown_reason_is_no_reason(text: str | None) -> None:
    assert read_waiting(text) is None


def test_a_status_without_a_reason_waits_for_its_next_attempt() -> None:
    assert make_waiting(None, None) is None
