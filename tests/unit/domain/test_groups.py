"""The message group: requests of one account share it, as far as their sender knows, and it reveals no key."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.unit.examples import KEY, envelope

from paydispatch.domain.credentials import SecretRef, StripeKey
from paydispatch.domain.identity.principal import QUEUE
from paydispatch.domain.message import groups
from paydispatch.domain.message.groups import group_of_account, group_of_credential, group_of_ref
from paydispatch.domain.message.new_envelope import new_envelope
from paydispatch.domain.requests import OperationRequest
from paydispatch.domain.stripe.accounts import hash_of
from paydispatch.domain.stripe.operations import operation_named

NO_HEADERS = (None, None)
ACME = "acme/alice"


def group(
    text: str = KEY,
    principal: str = ACME,
    account: str | None = None,
    context: str | None = None,
) -> str:
    return group_of_credential(StripeKey(text), principal, (account, context))


def test_a_group_is_text_that_sqs_takes() -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", group())


def test_all_requests_of_a_tenant_with_one_key_share_a_group() -> None:
    assert group(principal="acme/alice") == group(principal="acme/bob") == group(principal="acme")


@pytest.mark.parametrize(
    "other",
    [
        {"text": KEY + "x"},
        {"principal": "other/alice"},
        {"account": "acct_1"},
        {"context": "acct_1"},
    ],
)
def test_another_key_tenant_account_or_context_makes_another_group(other: dict[str, Any]) -> None:
    assert group(**other) != group()


def test_the_parts_of_a_group_do_not_run_into_each_other() -> None:
    assert group(account="acct_1") != group(context="acct_1")
    assert group(principal="ab", text="sk_test_c") != group(principal="a", text="sk_test_bc")


def test_a_group_reveals_neither_the_key_nor_the_hash_that_redis_keeps_of_it() -> None:
    assert KEY not in group()
    assert group() not in hash_of(StripeKey(KEY))


def test_a_process_remembers_groups_in_a_bounded_way_and_no_key() -> None:
    first = group()
    for number in range(groups._MOST_KNOWN + 1):
        group(account=f"acct_{number}")
    assert group() == first
    assert 0 < len(groups._KNOWN) <= groups._MOST_KNOWN
    assert KEY not in repr(groups._KNOWN)


def test_a_secret_s_name_makes_the_same_group_before_and_after_it_is_in_a_message() -> None:
    named = envelope(secret_ref="shop", principal=ACME)
    assert named.group == group_of_credential(SecretRef("shop"), ACME, NO_HEADERS)
    assert named.group == group_of_ref("shop", ACME, NO_HEADERS)


def test_a_name_and_a_key_of_the_same_text_are_two_groups() -> None:
    assert group_of_ref(KEY, ACME, NO_HEADERS) != group()


def test_a_sealed_key_s_requests_are_grouped_by_their_worker() -> None:
    one = envelope(sealed_secret="1.a", context_id="c1")
    other_context = envelope(sealed_secret="1.b", context_id="c2")
    other_worker = envelope(sealed_secret="1.a", worker_id="worker-2")
    assert one.group == other_context.group != other_worker.group


def test_the_headers_of_a_message_are_part_of_its_group() -> None:
    plain = envelope()
    assert envelope(stripe_account="acct_1").group != plain.group
    assert envelope(stripe_context="acct_1").group != plain.group


@pytest.mark.parametrize("credential", [StripeKey(KEY), SecretRef("shop")])
def test_a_new_envelope_knows_its_group_and_does_not_send_it(credential: Any) -> None:
    request = OperationRequest(
        operation=operation_named("create_product"),
        params={"name": "Tea"},
        worker_id="w1",
        context_id="c1",
        credential=credential,
        stripe_account="acct_1",
    )
    made = new_envelope(
        request, principal=QUEUE, request_id="pdr_1", now_s=0.0, sealed_secret="1.sealed"
    )
    assert made.group == group_of_credential(credential, QUEUE, ("acct_1", None))
    assert made.at(made.progress).group == made.group
    assert made.group not in made.as_message()
    assert made.group not in repr(made)


def test_an_account_in_two_modes_is_two_groups() -> None:
    assert group_of_account("live acct_1") != group_of_account("test acct_1")
