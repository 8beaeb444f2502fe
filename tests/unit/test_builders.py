"""Builders: every parameter is a method, and every create is a function."""

import copy
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from paydispatch.domain.errors import InvalidParams, NoDispatcher
from paydispatch.domain.parameters.check import parameter_names
from paydispatch.domain.stripe.resources import RESOURCES
from paydispatch.sdk import builders
from paydispatch.sdk.builder import BoundBuilder, Builder, Parameters
from paydispatch.sdk.builders import Builders, create_price_async, new_payment_intent, new_price

each_row = pytest.mark.parametrize("row", RESOURCES, ids=lambda row: row.name)


class Recorder:
    """A stand-in for the running Dispatcher, and for the flow of a bound builder, that records its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def submit(self, *args: Any, **options: Any) -> str:
        self.calls.append((args, options))
        return "a receipt"


def test_each_call_sets_a_parameter_and_returns_the_builder() -> None:
    intent = new_payment_intent()
    assert intent.amount(2000).currency("usd").metadata({"order": "1001"}) is intent
    assert intent.params() == {"amount": 2000, "currency": "usd", "metadata": {"order": "1001"}}


@each_row
def test_every_parameter_of_every_object_is_a_method(row: Any) -> None:
    builder = getattr(builders, f"new_{row.identifier}")()
    for name in parameter_names(row.operation):
        getattr(builder, name)("value")
    assert builder.params() == dict.fromkeys(parameter_names(row.operation), "value")
    assert builder.object_name == row.name


@each_row
def test_no_parameter_is_hidden_by_an_attribute_of_the_builder(row: Any) -> None:
    submit: Any = Recorder().submit
    for made in (Builder(row.name), BoundBuilder(row.name, submit)):
        own = {*vars(type(made).__base__), *vars(Parameters), *vars(made)}
        assert not own & parameter_names(row.operation)


def test_an_unknown_parameter_is_refused_at_once_with_a_suggestion() -> None:
    with pytest.raises(InvalidParams, match="Did you mean amount"):
        new_payment_intent().amountt(2000)  # type: ignore[attr-defined]


def test_hasattr_and_dir_show_the_parameters_of_an_object() -> None:
    assert hasattr(new_price(), "unit_amount")
    assert not hasattr(new_price(), "amount")
    assert "unit_amount" in dir(new_price())


def test_a_builder_can_be_copied_and_pickled() -> None:
    price = new_price().currency("usd")
    pickled = pickle.loads(pickle.dumps(price))  # noqa: S301
    for same in (copy.deepcopy(price), copy.copy(price), pickled):
        assert same.params() == {"currency": "usd"}


def test_a_parameter_does_not_change_with_the_value_of_the_caller() -> None:
    metadata = {"order": "1001"}
    intent = new_payment_intent().metadata(metadata)
    metadata["order"] = "changed"
    intent.params()["metadata"]["order"] = "changed too"
    assert intent.params() == {"metadata": {"order": "1001"}}


def test_datetimes_become_unix_seconds_at_any_depth() -> None:
    moment = datetime(2026, 5, 27, 12, tzinfo=UTC)
    subscription = builders.new_subscription().billing_cycle_anchor(moment)
    subscription.items([{"price": "p", "metadata": {}}]).cancel_at(moment)
    assert subscription.params()["cancel_at"] == 1779883200


def test_a_value_nested_too_deeply_is_refused_by_the_name_of_its_parameter() -> None:
    nested: Any = 1
    for _ in range(5_000):
        nested = {"a": [nested]}
    with pytest.raises(InvalidParams) as refusal:
        new_price().metadata(nested)
    assert refusal.value.param == "metadata"


def test_the_representation_shows_names_and_no_values() -> None:
    assert repr(new_price().currency("usd")) == "<price: currency>"


def test_create_async_passes_its_arguments_to_the_dispatcher() -> None:
    dispatcher: Any = Recorder()
    price = new_price().currency("usd")
    receipt: Any = price.create_async("w", "c", "sk_test_1", dispatcher=dispatcher)
    assert receipt == "a receipt"
    assert dispatcher.calls == [(("create_price", {"currency": "usd"}, "w", "c", "sk_test_1"), {})]


def test_create_async_passes_its_options_to_the_dispatcher() -> None:
    dispatcher: Any = Recorder()
    options: Any = {
        "idempotency_key": "k",
        "lane": "batch",
        "deadline_s": 60,
        "stripe_account": "acct_1",
        "stripe_context": "acct_2",
        "unchecked_params": {"level3": {"merchant_reference": "1"}},
    }
    new_price().create_async("w", "c", "sk_test_1", dispatcher=dispatcher, **options)
    assert dispatcher.calls[0][1] == options


def test_create_async_without_a_dispatcher_raises_no_dispatcher() -> None:
    with pytest.raises(NoDispatcher):
        new_price().create_async("w", "c", "sk_test_1")


@pytest.mark.parametrize("obj", [new_price().currency("usd"), {"currency": "usd"}])
def test_the_function_takes_a_builder_or_plain_parameters(obj: Any) -> None:
    dispatcher: Any = Recorder()
    create_price_async(obj, "w", "c", "sk_test_1", dispatcher=dispatcher)
    assert dispatcher.calls == [(("create_price", {"currency": "usd"}, "w", "c", "sk_test_1"), {})]


def test_the_function_refuses_a_builder_of_another_object() -> None:
    other: Any = new_payment_intent()
    with pytest.raises(TypeError, match="builder of a price, and is one of a payment_intent"):
        create_price_async(other, "w", "c", "sk_test_1")


def test_a_bound_builder_needs_no_worker_context_or_key() -> None:
    flow = Recorder()
    submit: Any = flow.submit
    receipt: Any = Builders(submit).new_price().currency("usd").create_async()
    assert receipt == "a receipt"
    assert flow.calls == [(("create_price", {"currency": "usd"}), {})]


def test_a_missing_bound_builder_is_an_attribute_error_with_a_suggestion() -> None:
    submit: Any = Recorder().submit
    with pytest.raises(AttributeError, match="new_price"):
        Builders(submit).new_prise()  # type: ignore[attr-defined]
