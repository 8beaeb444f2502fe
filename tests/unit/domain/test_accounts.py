"""Two bindings are equal if mode and headers are, and the ids are known and equal or the keys are the same."""

from __future__ import annotations

import pytest

from paydispatch.domain.accounts import AccountBinding, bind_account, mode_of
from paydispatch.domain.credentials import StripeKey


def bound(
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
        (bound(), True),
        (bound("sk_live_two"), True),
        (bound("rk_live_two"), True),
        (bound("sk_test_one"), False),  # one account answers with one id in both modes
        (bound(account_id="acct_2", key="sk_live_two"), False),
        (bound(account_id=None), True),  # the same key, which may not ask any more
        (bound("rk_live_two", account_id=None), False),
        (bound(stripe_account="acct_9"), False),
        (bound(stripe_context="acct_9"), False),
    ],
)
def test_when_two_bindings_lead_to_one_account(other: AccountBinding, same: bool) -> None:
    assert bound().same_as(other) is same
    assert other.same_as(bound()) is same


def test_two_mute_keys_are_the_same_only_if_they_are_one_key() -> None:
    assert bound(account_id=None).same_as(bound(account_id=None))
    assert not bound(account_id=None).same_as(bound("sk_live_two", account_id=None))


def test_the_two_headers_are_not_mistaken_for_each_other() -> None:
    assert not bound(stripe_account="acct_9").same_as(bound(stripe_context="acct_9"))


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
def test_the_prefix_of_a_key_says_its_mode(key: str, mode: str) -> None:
    assert mode_of(StripeKey(key)) == mode


def test_a_binding_is_read_again_and_does_not_hold_the_key() -> None:
    written = bound(stripe_account="acct_2")
    assert AccountBinding.from_dict({**written.as_dict(), "added_later": 1}) == written
    assert "sk_live_one" not in repr(written)
