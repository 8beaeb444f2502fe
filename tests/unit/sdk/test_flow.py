"""`Flow`: the data that a script sees, and the follow-ups that it dispatches."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.examples import NOW_S, TRACE_ID, TRACEPARENT, entry, make_failure, make_success

from paydispatch.domain.errors import InvalidField, InvalidParams, ScriptFailed, TooLarge
from paydispatch.domain.identity.request_ids import follow_up_request_id, request_id_for_key
from paydispatch.domain.limits import DEFAULT_DEADLINE_S, QUEUE_MESSAGE_LIMIT_BYTES
from paydispatch.domain.outcomes import Certainty, ErrorKind
from paydispatch.domain.requests import Lane
from paydispatch.domain.stripe.accounts import AccountBinding
from paydispatch.flow import FLOW_FAILED, Flow, FollowUp, ParsedError, RetryLater, script_end


def flow(**changes: Any) -> Flow:
    return Flow(entry(**changes), attempt=2, now_s=NOW_S)


def test_a_flow_has_the_builders_of_every_object() -> None:
    run = flow()
    run.new_product().name("Tea").create_async()
    run.new_price().currency("usd").unit_amount(5).product("prod_1").create_async()
    run.new_coupon().percent_off(5).duration("once").create_async()
    assert [sent.object for sent in run.outbox] == ["product", "price", "coupon"]


def test_a_missing_builder_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="new_price"):
        flow().new_tea()


def test_a_follow_up_carries_the_ids_and_the_key_of_its_flow() -> None:
    run = flow(
        principal="shop/checkout",
        stripe_account="acct_1",
        stripe_context="acct_3",
        traceparent=TRACEPARENT,
    )
    run.new_product().name("Tea").create_async()
    (sent,) = run.outbox
    assert (sent.principal, sent.sealed_secret) == ("shop/checkout", "sealed-1")
    assert (sent.worker_id, sent.context_id) == ("worker-1", "context-1")
    assert (sent.stripe_account, sent.traceparent) == ("acct_1", TRACEPARENT)
    assert sent.stripe_context == "acct_3"
    assert sent.progress.deadline_at == NOW_S + DEFAULT_DEADLINE_S


def test_a_follow_up_may_begin_a_trace_of_its_own() -> None:
    run, other = flow(traceparent=TRACEPARENT), TRACEPARENT.replace("4bf9", "aaaa")
    run.new_product().name("Tea").create_async(traceparent=other)
    run.new_product().name("Tea").create_async(traceparent="junk")
    assert [sent.traceparent for sent in run.outbox] == [other, TRACEPARENT]


def test_the_lines_of_a_flow_have_the_id_of_its_trace() -> None:
    assert (flow(traceparent=TRACEPARENT).log.extra or {})["trace_id"] == TRACE_ID
    assert "trace_id" not in (flow().log.extra or {})


def test_a_follow_up_may_have_options_of_its_own() -> None:
    run = flow(stripe_account="acct_1")
    run.new_product().name("Tea").create_async(
        lane="batch",
        deadline_s=60,
        stripe_account="acct_2",
        stripe_context="acct_4",
        idempotency_key="k",
    )
    (sent,) = run.outbox
    assert (sent.lane, sent.stripe_account) == (Lane.BATCH, "acct_2")
    assert sent.stripe_context == "acct_4"
    assert sent.progress.deadline_at == NOW_S + 60
    assert sent.request_id == request_id_for_key("", "k")


def test_the_id_of_a_follow_up_is_derived_from_its_parent_and_its_place() -> None:
    run = flow()
    receipts = [run.new_product().name("Tea").create_async() for _ in range(2)]
    assert [receipt.request_id for receipt in receipts] == [
        follow_up_request_id("pdr_1", 1),
        follow_up_request_id("pdr_1", 2),
    ]


UNKNOWN = make_failure(kind=ErrorKind.HTTP, code="timeout", certainty=Certainty.UNKNOWN)
LAST_RECEIVE = make_failure(
    kind=ErrorKind.DISPATCHER, code="last_receive", certainty=Certainty.UNKNOWN
)
SCRIPT_FAILED = make_failure(
    kind=ErrorKind.DISPATCHER, code=FLOW_FAILED, certainty=Certainty.UNKNOWN
)
STRIPE_SAYS_SO = make_failure(kind=ErrorKind.API, code=FLOW_FAILED, certainty=Certainty.UNKNOWN)
ENDS = (make_success(), make_failure(), UNKNOWN, LAST_RECEIVE, SCRIPT_FAILED, STRIPE_SAYS_SO)


def first_follow_up(outcome: Any) -> str:
    return flow(outcome=outcome).new_product().name("Tea").create_async().request_id


@pytest.mark.parametrize("settled", [make_success(), make_failure()])
def test_the_flows_of_one_request_dispatch_different_requests(settled: Any) -> None:
    ids = {first_follow_up(outcome) for outcome in (UNKNOWN, settled, SCRIPT_FAILED)}
    assert len(ids) == 3


@pytest.mark.parametrize("outcome", ENDS)
def test_a_repeat_of_the_same_outcome_dispatches_the_same_request(outcome: Any) -> None:
    assert first_follow_up(outcome) == first_follow_up(outcome)


@pytest.mark.parametrize("unknown", [LAST_RECEIVE, STRIPE_SAYS_SO])
def test_only_the_code_flow_failed_of_the_dispatcher_counts_as_a_failed_script(
    unknown: Any,
) -> None:
    assert first_follow_up(unknown) == first_follow_up(UNKNOWN)


@pytest.mark.parametrize("settled", [make_success(), make_failure()])
def test_a_follow_up_of_a_settled_outcome_has_the_default_id(settled: Any) -> None:
    assert first_follow_up(settled) == follow_up_request_id("pdr_1", 1)


DAYS_S = 86_400


@pytest.mark.parametrize("after_s", [0, 0.5, 60, 25 * DAYS_S])
def test_retry_later_takes_any_time_within_25_days(after_s: float) -> None:
    assert RetryLater(after_s).after_s == after_s


@pytest.mark.parametrize(
    "after_s",
    [float("inf"), float("-inf"), float("nan"), -1, 25 * DAYS_S + 1, "60", None, True],
)
def test_retry_later_refuses_an_invalid_time(after_s: Any) -> None:
    with pytest.raises(ValueError, match="after_s must be a number of seconds from 0 to 2160000"):
        RetryLater(after_s)


def test_an_exception_group_of_only_retry_later_waits_for_the_longest_time() -> None:
    group = ExceptionGroup("g", [RetryLater(5), ExceptionGroup("g", [RetryLater(60)])])
    end = script_end(group)
    assert isinstance(end, RetryLater)
    assert end.after_s == 60


def spoil_later(after_s: Any) -> RetryLater:
    later = RetryLater(5)
    later.after_s = after_s
    return later


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ValueError("broken"), "ValueError: broken"),
        (SystemExit(3), "SystemExit: 3"),
        (ExceptionGroup("g", [RetryLater(5), ValueError("a")]), "again in 5 s; ValueError: a"),
        (spoil_later("soon"), "ValueError: after_s must be"),
        (spoil_later(float("inf")), "ValueError: after_s must be"),
        (ExceptionGroup("g", [RetryLater(5), spoil_later(None)]), "TypeError: '>' not supported"),
    ],
)
def test_anything_else_that_a_script_raises_is_its_failure(
    error: BaseException, shown: str
) -> None:
    end = script_end(error)
    assert isinstance(end, ScriptFailed)
    assert shown in str(end)


def test_a_follow_up_cannot_be_waited_for() -> None:
    receipt = flow().new_product().name("Tea").create_async()
    assert isinstance(receipt, FollowUp)
    assert "goes to the queue when this flow returns" in str(receipt)
    with pytest.raises(RuntimeError, match="do not wait"):
        receipt.wait()


@pytest.mark.parametrize("deadline_s", [0, -1, float("inf"), "60"])
def test_an_invalid_deadline_raises_at_the_dispatch(deadline_s: Any) -> None:
    run = flow()
    with pytest.raises(InvalidField):
        run.new_product().name("Tea").create_async(deadline_s=deadline_s)
    assert not run.outbox


def test_invalid_parameters_raise_at_the_dispatch() -> None:
    run = flow()
    with pytest.raises(InvalidParams):
        run.new_product().create_async()
    with pytest.raises(InvalidField):
        run.new_product().name("Tea").create_async(lane="express")
    assert not run.outbox


def test_a_follow_up_too_large_for_the_queue_raises_at_the_dispatch() -> None:
    run = flow()
    item = {"price": "price_1", "metadata": {f"key{number}": "x" * 500 for number in range(50)}}
    items = [item] * (1 + QUEUE_MESSAGE_LIMIT_BYTES // len(json.dumps(item)))
    with pytest.raises(TooLarge):
        run.new_subscription().customer("cus_1").items(items).create_async()
    assert not run.outbox


def test_a_flow_without_a_key_cannot_dispatch() -> None:
    run = flow(sealed_secret=None)
    with pytest.raises(InvalidField, match="has no key"):
        run.new_product().name("Tea").create_async()


def test_a_log_line_of_a_flow_has_all_ids(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "paydispatch.flows"):
        flow().log.info("price %s is there", "price_1")
    (record,) = caplog.records
    assert record.getMessage() == "price price_1 is there"
    assert (record.request_id, record.worker_id, record.context_id) == (  # type: ignore[attr-defined]
        "pdr_1",
        "worker-1",
        "context-1",
    )


def test_a_parsed_error_has_its_message_and_its_fields() -> None:
    error = ParsedError(
        make_failure(
            message="No.", code="c", type="t", decline_code="d", param="p", http_status=402
        )
    )
    assert str(error) == error.message == "No."
    assert (error.kind, error.certainty, error.attempts) == ("api", "not_created", 1)
    assert (error.code, error.type, error.decline_code, error.param) == ("c", "t", "d", "p")
    assert (error.http_status, error.stripe_request_id) == (402, None)
    assert "No." in repr(error)


LIVE = AccountBinding(account_id="acct_1", mode="live", key_sha256="k")


@pytest.mark.parametrize(
    ("changes", "livemode"),
    [
        ({"outcome": make_success(body={"livemode": True})}, True),
        ({"outcome": make_success(body={"livemode": False}), "account": LIVE}, False),
        ({"outcome": make_success(body={}), "account": LIVE}, True),
        ({"outcome": make_failure(), "account": LIVE}, True),
        ({"outcome": make_failure(), "account": replace(LIVE, mode="test")}, False),
        ({"outcome": make_failure(), "account": replace(LIVE, mode="org")}, None),
        ({"outcome": make_failure()}, None),
    ],
)
def test_a_flow_knows_whether_its_request_was_made_in_live_mode(
    changes: dict[str, Any], livemode: bool | None
) -> None:
    assert flow(**changes).livemode is livemode


def test_an_entry_without_a_tenant_belongs_to_the_tenant_of_the_queue() -> None:
    run = Flow(entry(tenant=None, principal=None), attempt=1, now_s=NOW_S, queue_tenant="main")
    assert (run.tenant, run.principal) == ("main", "queue")


def test_the_own_key_of_a_follow_up_belongs_to_its_tenant() -> None:
    ids = set()
    for tenant, queue_tenant in (("shop", "main"), ("main", "main"), ("shop", "shop")):
        run = Flow(entry(tenant=tenant), attempt=1, now_s=NOW_S, queue_tenant=queue_tenant)
        ids.add(run.new_product().name("Tea").create_async(idempotency_key="k").request_id)
    assert ids == {request_id_for_key("shop", "k"), request_id_for_key("", "k")}
