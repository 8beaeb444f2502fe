"""What holds calls back, in words that an operator can act on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paydispatch.domain.operators.holds import HoldKind, of_account, of_key, of_pauses
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.rates.views import AccountView, KeyBreakerView, LimitView, Pause

ACCOUNT = "live acct_1"
FREE = LimitView(operation=None, configured=100, overridden=False, rate=100)
KEY = KeyBreakerView(
    key_sha256="ab" * 32, operation=None, since_s=5.0, next_probe_at=9.0, refusals=3
)


@pytest.mark.parametrize(
    ("account", "lane", "words"),
    [
        (None, None, "--all"),
        (None, RateLane.BATCH, "--lane batch"),
        (ACCOUNT, None, "--account 'live acct_1'"),
        (ACCOUNT, RateLane.BATCH, "--account 'live acct_1' --lane batch"),
    ],
)
def test_a_pause_names_the_command_that_ends_it(
    account: str | None, lane: RateLane | None, words: str
) -> None:
    (hold,) = of_pauses(account, [Pause(lane=lane, since_s=5.0, by="alice")])
    assert hold.next_step == f"paydispatch resume {words}"
    assert hold.detail.endswith("paused by alice")
    assert (hold.stops, hold.since_s) == (True, 5.0)


def test_an_account_with_all_of_its_limits_holds_nothing_back() -> None:
    lifted = replace(FREE, configured=None, rate=None)
    assert list(of_account(AccountView(account=ACCOUNT, limits=[FREE, lifted]))) == []


def test_an_open_breaker_of_an_account_stops_calls() -> None:
    view = AccountView(account=ACCOUNT, limits=[FREE], failures_in_a_row=25, next_probe_at=9.0)
    (hold,) = of_account(view)
    assert (hold.kind, hold.stops) == (HoldKind.ACCOUNT_BREAKER, True)
    assert "25 calls in a row" in hold.detail
    assert "limits close-breaker --account 'live acct_1'" in hold.next_step


def test_a_limit_that_shrank_and_a_cap_slow_calls_down() -> None:
    shrunk = replace(FREE, operation="create_product", rate=70, cap_in_flight=9, in_flight=4)
    holds = list(of_account(AccountView(account=ACCOUNT, limits=[shrunk])))
    assert [(hold.kind, hold.stops) for hold in holds] == [
        (HoldKind.SHRUNK, False),
        (HoldKind.CAPPED, False),
    ]
    assert "create_product: 70 of 100 calls per second" in holds[0].detail
    assert "create_product: 4 of 9 calls in flight" in holds[1].detail


@pytest.mark.parametrize(
    ("operation", "said"), [(None, "all operations"), ("create_product", "create_product")]
)
def test_a_refused_key_is_named_by_the_first_digits_of_its_hash(
    operation: str | None, said: str
) -> None:
    hold = of_key(replace(KEY, operation=operation))
    assert hold.subject == "key abababababab"
    assert hold.detail == f"{said}: refused 3 times"
    assert "close-breaker --key abababababab" in hold.next_step
