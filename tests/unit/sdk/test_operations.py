"""`paydispatch.operations` has a function for every operation."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, NOW_S, entry

import paydispatch
from paydispatch import operations
from paydispatch.domain.errors import (
    InvalidField,
    InvalidParams,
    NoDispatcher,
    PaydispatchError,
    UnknownOperation,
)
from paydispatch.domain.stripe.operations import all_operations
from paydispatch.flow import Flow
from paydispatch.sdk.dispatcher import Dispatcher
from paydispatch.testing.memory_delivery import MemoryDelivery

if TYPE_CHECKING:
    from collections.abc import Callable

PLACE = ("worker-1", "context-1", KEY)

dynamic: Any = operations


def capture(*ids: Any, **params: Any) -> Any:
    return dynamic.capture_payment_intent(*ids, **params)


def test_a_call_takes_the_ids_first_and_the_parameters_as_keywords() -> None:
    delivery = MemoryDelivery()
    with Dispatcher(delivery):
        receipt = capture("pi_1", amount_to_capture=500).call_async(*PLACE)
        receipt.wait(10)
    (sent,) = delivery.envelopes
    assert (sent.operation, sent.object) == ("capture_payment_intent", "payment_intent")
    assert (sent.path, sent.params) == ({"intent": "pi_1"}, {"amount_to_capture": 500})
    assert receipt.operation == "capture_payment_intent"
    assert "(capture_payment_intent for worker-1, context-1)" in str(receipt)


def test_call_async_passes_its_options_on() -> None:
    delivery = MemoryDelivery()
    options: dict[str, Any] = {
        "idempotency_key": "capture-1",
        "lane": "batch",
        "deadline_s": 60,
        "stripe_account": "acct_1",
        "stripe_context": "acct_2",
        "unchecked_params": {"level3": {"merchant_reference": "1"}},
    }
    with Dispatcher(delivery) as dispatcher:
        capture("pi_1").call_async(*PLACE, dispatcher=dispatcher, **options)
    (sent,) = delivery.envelopes
    assert (sent.lane.value, sent.stripe_account, sent.stripe_context) == (
        "batch",
        "acct_1",
        "acct_2",
    )
    assert sent.unchecked_params == options["unchecked_params"]
    assert sent.progress.deadline_at == sent.accepted_at + 60


def test_without_a_dispatcher_call_async_raises_no_dispatcher() -> None:
    with pytest.raises(NoDispatcher):
        capture("pi_1").call_async(*PLACE)


class Plan(StrEnum):
    GOLD = "gold"


def test_ids_and_parameters_may_be_values_of_python() -> None:
    asked = dynamic.update_plan(Plan.GOLD, metadata={"rate": Decimal("1.50")})
    assert (asked.path, type(asked.path["plan"])) == ({"plan": "gold"}, str)
    assert asked.params() == {"metadata": {"rate": "1.50"}}


def test_a_parameter_has_no_conflict_with_an_id_or_with_a_word_of_python() -> None:
    asked = dynamic.update_product("prod_1", **{"id": "other", "self": 1, "from": 2, "ids": 3})
    assert asked.path == {"id": "prod_1"}
    assert asked.params() == {"id": "other", "self": 1, "from": 2, "ids": 3}


@pytest.mark.parametrize("ids", [(), ("pi_1", "pi_2")])
def test_a_wrong_number_of_ids_is_a_type_error_that_names_them(ids: tuple[str, ...]) -> None:
    with pytest.raises(TypeError, match="the ids intent before"):
        capture(*ids)


def test_a_create_takes_no_id() -> None:
    with pytest.raises(TypeError, match="no ids"):
        dynamic.create_product("prod_1")


@pytest.mark.parametrize("wrong", ["", "a/b", "..", 7, None, "x" * 256, KEY])
def test_a_wrong_id_raises_at_once_with_its_name(wrong: Any) -> None:
    with pytest.raises(InvalidField) as refusal:
        capture(wrong)
    assert refusal.value.param == "path[intent]"
    assert KEY not in str(refusal.value)


def test_wrong_parameters_raise_before_anything_is_queued() -> None:
    delivery = MemoryDelivery()
    with Dispatcher(delivery):
        with pytest.raises(InvalidParams, match="amount_to_capture"):
            capture("pi_1", amount_to_capture="much").call_async(*PLACE)
        with pytest.raises(InvalidParams, match="unknown parameter"):
            capture("pi_1", amount=1).call_async(*PLACE)
    assert not delivery.envelopes


def test_an_unknown_operation_is_an_attribute_error_with_close_names() -> None:
    with pytest.raises(AttributeError, match=r"Did you mean .*capture_payment_intent"):
        dynamic.capture_paymentintent("pi_1")
    assert not hasattr(operations, "create_ephemeral_key")


def test_the_dispatcher_refuses_an_unknown_operation() -> None:
    with Dispatcher(MemoryDelivery()) as dispatcher, pytest.raises(UnknownOperation):
        dispatcher.submit("capture_paymentintent", {}, *PLACE)


def test_dir_lists_every_operation() -> None:
    assert dir(operations) == sorted(row.name for row in all_operations())


def test_a_function_shows_its_call_and_its_ids() -> None:
    function: Callable[..., Any] = dynamic.capture_payment_intent
    assert function.__doc__ is not None
    assert "POST /v1/payment_intents/{intent}/capture" in function.__doc__
    assert str(inspect.signature(function)) == "(intent, /, **params)"
    assert pickle.loads(pickle.dumps(function)) is function  # noqa: S301


def test_a_prepared_call_shows_no_values() -> None:
    assert repr(capture("pi_1", statement_descriptor="x")) == (
        "<capture_payment_intent {'intent': 'pi_1'}: statement_descriptor>"
    )


def test_the_module_is_an_attribute_of_the_package() -> None:
    assert paydispatch.operations is operations  # type: ignore[attr-defined]
    assert issubclass(paydispatch.UnknownOperation, PaydispatchError)


def test_the_import_reads_no_table() -> None:
    program = (
        "import pathlib\n"
        "def refuse(self): raise SystemExit(f'read {self}')\n"
        "pathlib.Path.read_bytes = refuse\n"
        "import paydispatch, paydispatch.operations, paydispatch.flow, paydispatch.sdk.builders"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")


class TestFlow:
    def flow(self) -> Any:
        return Flow(entry(), attempt=1, now_s=NOW_S)

    def test_a_flow_dispatches_any_operation_of_its_conversation(self) -> None:
        flow = self.flow()
        receipt = flow.capture_payment_intent("pi_1", amount_to_capture=500).call_async()
        (sent,) = flow.outbox
        assert (sent.operation, sent.path) == ("capture_payment_intent", {"intent": "pi_1"})
        assert (sent.worker_id, sent.context_id) == ("worker-1", "context-1")
        assert sent.sealed_secret == "sealed-1"
        assert sent.request_id == receipt.request_id
        assert str(receipt).startswith(f"{sent.request_id} (capture_payment_intent):")

    def test_a_second_run_dispatches_under_the_same_ids(self) -> None:
        ids = []
        for flow in (self.flow(), self.flow()):
            flow.capture_payment_intent("pi_1").call_async()
            flow.delete_coupon("SUMMER").call_async()
            flow.new_product().name("Tea").create_async()
            ids.append([sent.request_id for sent in flow.outbox])
        assert ids[0] == ids[1]
        assert len(set(ids[0])) == 3

    def test_a_wrong_id_or_parameter_raises_in_the_flow(self) -> None:
        flow = self.flow()
        with pytest.raises(InvalidField):
            flow.capture_payment_intent("a/b")
        with pytest.raises(InvalidField):
            flow._dispatch("capture_payment_intent", {}, **OPTIONS)
        with pytest.raises(InvalidParams):
            flow.capture_payment_intent("pi_1", amount=1).call_async()
        assert not flow.outbox

    def test_an_unknown_name_is_an_attribute_error(self) -> None:
        with pytest.raises(AttributeError, match="capture_payment_intent"):
            self.flow().capture_paymentintent()
        with pytest.raises(AttributeError, match="new_price"):
            self.flow().new_prise()
        assert not hasattr(self.flow(), "_unknown")


OPTIONS: dict[str, Any] = {
    "idempotency_key": None,
    "lane": "interactive",
    "deadline_s": None,
    "stripe_account": None,
    "stripe_context": None,
    "unchecked_params": None,
}
