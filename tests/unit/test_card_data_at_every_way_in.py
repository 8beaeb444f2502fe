"""Raw card data is refused at every way in, and its digits reach no queue, no stream and no log."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import CREATED, KEY, NOW_S, body, create_request, entry, message_text
from tests.unit.handlers.conftest import Client
from tests.unit.services.conftest import Caller
from tests.unit.submitted_line import read_submitted

from paydispatch.adapters.http_delivery import HttpDelivery
from paydispatch.compose.dispatcher import Dispatcher
from paydispatch.domain.errors import InvalidParams
from paydispatch.flow import Flow
from paydispatch.services.submission.read_requests import FaultyLine
from paydispatch.testing.memory_delivery import MemoryDelivery

if TYPE_CHECKING:
    from collections.abc import Callable

PLACEMENTS = 1_000
CHARGE: dict[str, Any] = {"amount": 2000, "currency": "usd"}
NETWORKS = ("4", "51", "55", "2223", "34", "37", "6011", "3566", "62")
AROUND = ("card", "payment_method_data", "source", "a", "details", "metadata", "level3", "items")

Params = dict[str, Any]


def card_number(chance: random.Random) -> str:
    """Return a random number of a network, with the right check digit."""
    start = chance.choice(NETWORKS)
    length = 15 if start in ("34", "37") else 16
    digits = start + "".join(chance.choices("0123456789", k=length - 1 - len(start)))
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(digits[::-1])]  # fmt: skip
    total = sum(number // 10 + number % 10 for number in doubled)
    return digits + str(-total % 10)


def written(digits: str, chance: random.Random) -> Any:
    """Return the number as text, as text in groups, as an integer or as a float."""
    groups = " ".join(digits[place : place + 4] for place in range(0, len(digits), 4))
    return chance.choice((digits, groups, groups.replace(" ", "-"), int(digits), float(digits)))


def placement(chance: random.Random) -> tuple[str, Params, Params]:
    """Return the digits of a card, and params and unchecked params that hold them somewhere."""
    digits = card_number(chance)
    number = {"number": written(digits, chance)}
    held: Any = chance.choice((number, number | {"cvc": chance.choice(("123", 4567))}))
    for _ in range(chance.randint(1, 8)):
        held = [held] if chance.random() < 0.2 else {chance.choice(AROUND): held}
    inside = held if isinstance(held, dict) else {"a": held}
    if chance.random() < 0.5:
        return digits, {**CHARGE, **inside}, {}
    return digits, CHARGE, inside


def create(params: Params, unchecked: Params) -> tuple[bool, str]:
    client = Client()
    answer = client.post("/v1/payment_intents", body(params=params, unchecked_params=unchecked))
    return answer.status == 422, f"{answer.text}{client.queue}{client.log.lines}"


def batch_item(params: Params, unchecked: Params) -> tuple[bool, str]:
    client = Client()
    item = {"object": "payment_intent", **body(params=params, unchecked_params=unchecked)}
    answer = client.post("/v1/batches", {"requests": [item]})
    return "card_data_refused" in answer.text, f"{answer.text}{client.queue}{client.log.lines}"


def sdk(params: Params, unchecked: Params) -> tuple[bool, str]:
    delivery = MemoryDelivery()
    with Dispatcher(delivery) as dispatcher:
        try:
            dispatcher.submit(
                "create_payment_intent", params, "w", "c", KEY, unchecked_params=unchecked
            )
        except InvalidParams as error:
            return True, f"{error}{error.as_dict()}{delivery.envelopes}"
    return False, ""


def sdk_over_http(params: Params, unchecked: Params) -> tuple[bool, str]:
    request = create_request(params=params, unchecked_params=unchecked)
    try:
        HttpDelivery("http://127.0.0.1:9").prepare(request)
    except InvalidParams as error:
        return True, f"{error}{error.as_dict()}"
    return False, ""


def flow(params: Params, unchecked: Params) -> tuple[bool, str]:
    run = Flow(entry(), attempt=1, now_s=NOW_S)
    builder = run.new_payment_intent()
    builder._params.update(params)
    try:
        builder.create_async(unchecked_params=unchecked)
    except InvalidParams as error:
        return True, f"{error}{run.outbox}"
    return False, ""


def submitted_line(params: Params, unchecked: Params) -> tuple[bool, str]:
    read = read_submitted(
        {"object": "payment_intent", **body(params=params, unchecked_params=unchecked)}
    )
    return isinstance(read, FaultyLine), f"{read}"


def queue_message(params: Params, unchecked: Params) -> tuple[bool, str]:
    return received(message_text(v=2, params=params, unchecked_params=unchecked))


def message_of_no_worker(params: Params, unchecked: Params) -> tuple[bool, str]:
    """It cannot be attributed, so that it goes to the dead-letter queue."""
    return received(message_text(v=2, worker_id=None, params=params, unchecked_params=unchecked))


def received(text: str) -> tuple[bool, str]:
    caller = Caller()
    caller.answers(CREATED)
    assert asyncio.run(caller.receive(text))
    stream = [each.as_json() for each in caller.outcomes.entries]
    refused = not caller.stripe.calls and "card_data_refused" in f"{stream}{caller.queue.parked}"
    return refused, f"{stream}{caller.queue}{caller.log.lines}"


WAYS = (
    create,
    batch_item,
    sdk,
    sdk_over_http,
    flow,
    submitted_line,
    queue_message,
    message_of_no_worker,
)


def holds_digits(text: str, digits: str) -> bool:
    plain = text.replace(" ", "").replace("-", "")
    return digits in plain or repr(float(digits)) in plain


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_card_data_is_refused_wherever_it_stands(
    way: Callable[[Params, Params], tuple[bool, str]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    chance = random.Random(way.__name__)
    for _ in range(PLACEMENTS // len(WAYS)):
        digits, params, unchecked = placement(chance)
        refused, everything = way(params, unchecked)
        assert refused, (params, unchecked)
        assert not holds_digits(everything + caplog.text, digits), (params, everything)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_unchecked_parameters_without_card_data_are_accepted_there(
    way: Callable[[Params, Params], tuple[bool, str]],
) -> None:
    refused, _ = way(CHARGE, {"level3": {"merchant_reference": "4242"}})
    assert not refused
