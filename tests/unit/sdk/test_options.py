"""The options of a request: every way to dispatch takes the same, from one declaration."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, NOW_S, TRACEPARENT, entry

from paydispatch import create_product_async, new_product
from paydispatch.domain.identity.request_ids import request_id_for_key
from paydispatch.domain.limits import DEFAULT_DEADLINE_S
from paydispatch.domain.requests import Lane
from paydispatch.flow import Flow
from paydispatch.operations import delete_coupon
from paydispatch.sdk.dispatcher import Dispatcher
from paydispatch.sdk.options import Options
from paydispatch.testing.memory_delivery import MemoryDelivery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paydispatch.domain.envelope import Envelope
    from paydispatch.sdk.receipt import Receipt

OPTION_NAMES = Options.__optional_keys__
WHERE = ("worker-1", "context-1", KEY)


class Asked:
    """Dispatches one request in the way that a test names, and gives its envelope."""

    def __init__(self, delivery: MemoryDelivery) -> None:
        self._delivery = delivery
        self.flow = Flow(entry(), attempt=1, now_s=NOW_S)

    def ask(self, way: str, options: dict[str, Any]) -> Envelope:
        ways: dict[str, Callable[..., Receipt]] = {
            "builder": lambda: new_product().name("Tea").create_async(*WHERE, **options),
            "function": lambda: create_product_async({"name": "Tea"}, *WHERE, **options),
            "operation": lambda: delete_coupon("SUMMER").call_async(*WHERE, **options),
            "builder in a flow": lambda: (
                self.flow.new_product().name("Tea").create_async(**options)
            ),
            "operation in a flow": lambda: self.flow.delete_coupon("SUMMER").call_async(**options),
        }
        ways[way]()
        Dispatcher.current().flush()
        (sent,) = (*self._delivery.envelopes, *self.flow.outbox)
        return sent


WAYS = ["builder", "function", "operation", "builder in a flow", "operation in a flow"]


@pytest.fixture
def asked() -> Iterator[Asked]:
    delivery = MemoryDelivery()
    with Dispatcher(delivery):
        yield Asked(delivery)


@pytest.mark.parametrize("taker", [Dispatcher.submit, Flow._dispatch])
def test_each_way_to_the_queue_takes_every_option_and_no_other(taker: Callable[..., Any]) -> None:
    keywords = {
        name for name, it in signature(taker).parameters.items() if it.kind is it.KEYWORD_ONLY
    }
    assert keywords - {"path"} == OPTION_NAMES


@pytest.mark.parametrize("way", WAYS)
def test_every_option_reaches_the_envelope(asked: Asked, way: str) -> None:
    options = {
        "idempotency_key": "key-1",
        "lane": "batch",
        "deadline_s": 60.0,
        "stripe_account": "acct_1",
        "stripe_context": "acct_2",
        "unchecked_params": {"level": 3},
        "traceparent": TRACEPARENT,
    }
    assert options.keys() == OPTION_NAMES

    sent = asked.ask(way, options)

    assert sent.request_id == request_id_for_key("", "key-1")
    assert sent.lane is Lane.BATCH
    assert sent.progress.deadline_at == sent.accepted_at + 60.0
    assert (sent.stripe_account, sent.stripe_context) == ("acct_1", "acct_2")
    assert sent.unchecked_params == {"level": 3}
    assert sent.traceparent == TRACEPARENT


@pytest.mark.parametrize("way", WAYS)
def test_an_option_that_is_left_out_has_its_default(asked: Asked, way: str) -> None:
    nothing = dict.fromkeys(OPTION_NAMES - {"lane"})

    sent = asked.ask(way, nothing)

    assert sent.lane is Lane.INTERACTIVE
    assert sent.progress.deadline_at == sent.accepted_at + DEFAULT_DEADLINE_S
    assert (sent.stripe_account, sent.stripe_context) == (None, None)
    assert sent.unchecked_params == {}
    assert sent.traceparent is None


@pytest.mark.parametrize("way", WAYS)
def test_an_unknown_option_is_a_type_error(asked: Asked, way: str) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'lanes'"):
        asked.ask(way, {"lanes": "batch"})
