"""`AccountBinding`: equal mode and headers, and equal known ids or the same key, mean the same account."""

from __future__ import annotations

import pytest

from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.stripe.accounts import AccountBinding, bind_account, mode_of


def make_binding(
    key: str = "sk_live_one",
    account_id: str | None = "acct_1",
    stripe_account: str | None = None,
    stripe_context: str | None = None,
) -> AccountBinding:
    return bind_account(
        StripeKey(key), account_id, stripe_account=stripe_account, stripe_context=stripe_context
    )


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (make_binding(), True),
        (make_binding("sk_live_two"), True),
        (make_binding("rk_live_two"), True),
        (make_binding("sk_test_one"), False),  # an account has one id in both modes
        (make_binding(account_id="acct_2", key="sk_live_two"), False),
        (make_binding(account_id=None), True),  # the same key, which may no longer read its account
        (make_binding("rk_live_two", account_id=None), False),
        (make_binding(stripe_account="acct_9"), False),
        (make_binding(stripe_context="acct_9"), False),
    ],
)
def test_two_bindings_are_the_same_if_they_lead_to_one_account_and_mode(
    other: AccountBinding, same: bool
) -> None:
    assert make_binding().same_as(other) is same
    assert other.same_as(make_binding()) is same


def test_two_bindings_without_an_account_id_are_the_same_only_for_one_key() -> None:
    assert make_binding(account_id=None).same_as(make_binding(account_id=None))
    assert not make_binding(account_id=None).same_as(make_binding("sk_live_two", account_id=None))


def test_the_two_headers_are_not_mistaken_for_each_other() -> None:
    assert not make_binding(stripe_account="acct_9").same_as(make_binding(stripe_context="acct_9"))


@pytest.mark.parametrize(
    ("key", "mode"),
    [
        ("sk_live_x", "live"),
        ("rk_test_x", "test"),
        ("sk_org_live_x", "live"),
        ("sk_org_test_x", "test"),
        ("sk_org_x_live", "org"),
        ("sk_live_test_x", "live"),
    ],
)
def test_the_prefix_of_a_key_gives_its_mode(key: str, mode: str) -> None:
    assert mode_of(StripeKey(key)) == mode


def test_a_written_binding_is_read_unchanged_and_does_not_hold_the_key() -> None:
    written = make_binding(stripe_account="acct_2")
    assert AccountBinding.from_dict({**written.as_dict(), "added_later": 1}) == written
    assert "sk_live_one" not in repr(written)
