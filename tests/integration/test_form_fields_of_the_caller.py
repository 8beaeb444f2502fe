"""The form fields of our caller are those of Stripe's own library for the same parameters, and the metadata mark.

The parameters go the whole way: a program's values, the queue message, the Stripe caller's gateway, and its HTTP body.
The library's typed service gets the same parameters. Both bodies are compared as lists of fields, in their order.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as some
from tests.integration.library_methods import library_methods, shape
from tests.unit.schema.typed_bodies import TypedBodies

from paydispatch.adapters.stripe.gateway import HttpStripeGateway
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.envelope import Envelope
from paydispatch.domain.identity.marks import MARK, with_mark
from paydispatch.domain.message.new_envelope import new_envelope
from paydispatch.domain.message.read_message import read_message
from paydispatch.domain.parameters.plain_values import take_params
from paydispatch.domain.requests import OperationRequest
from paydispatch.domain.stripe.operations import Operation, all_operations, create_operation

if TYPE_CHECKING:
    import random

BODIES = 8
"""The random bodies of each operation."""
BASE_URL = "https://api.stripe.test"
REQUEST_ID = "pdr_1"
SENT_AT = 1_700_000_000.0
THE_MARK = (f"metadata[{MARK}]", REQUEST_ID)
NO_METADATA = ("metadata", "")
"""The field that empties the metadata. A create has none to empty, so that the mark takes its place."""

SHORT_DECIMAL = re.compile(r"\d{1,9}(\.\d{1,6})?")
"""A text that the library writes without an exponent when it is a `Decimal`."""

Fields = list[tuple[str, str]]
OF_THE_LIBRARY = [row for row in all_operations() if "library" in row.sources]
EVERY_OPERATION = pytest.mark.parametrize("operation", OF_THE_LIBRARY, ids=lambda row: row.name)


def read_fields(body: bytes | str) -> Fields:
    text = body.decode() if isinstance(body, bytes) else body
    return parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))


def ids_of(operation: Operation) -> dict[str, str]:
    return {name: f"{name}_1" for name in operation.path_names}


def fields_of_the_caller(operation: Operation, params: dict[str, Any]) -> Fields:
    """Return the fields that arrive at Stripe for a request of a program with these parameters."""
    request = OperationRequest(
        operation=operation,
        path=ids_of(operation),
        params=take_params(params),
        worker_id="w",
        context_id="c",
        credential=StripeKey("sk_test_1"),
    )
    sent = new_envelope(
        request, principal="p", request_id=REQUEST_ID, now_s=SENT_AT, sealed_secret="sealed"
    )
    received = read_message(sent.as_message(), message_id="m", sent_at=SENT_AT)
    assert isinstance(received, Envelope), received
    sent_params = dict(received.sent_params)
    if operation.marked:
        sent_params = with_mark(sent_params, received.request_id)
    return asyncio.run(_call(operation, sent_params))


async def _call(operation: Operation, params: dict[str, Any]) -> Fields:
    bodies: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content or request.url.query)
        return httpx.Response(200, json={"id": "x_1"})

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(base_url=BASE_URL, transport=transport) as client:
        await HttpStripeGateway(client).call(
            method=operation.method,
            path=operation.endpoint(ids_of(operation)),
            params=params,
            key=StripeKey("sk_test_1"),
            request_id=REQUEST_ID,
            stripe_account=None,
        )
    (body,) = bodies
    return read_fields(body)


class Recorder(stripe.HTTPClient):
    """An HTTP client of the library that answers every request with an empty object and records its fields."""

    name = "recorder"
    body = ""

    def request(
        self, method: str, url: str, headers: Any, post_data: Any = None, **_: Any
    ) -> tuple[str, int, dict[str, str]]:
        self.body = post_data or urlsplit(url).query
        return "{}", 200, {}


RECORDER = Recorder()
METHODS = library_methods(stripe.StripeClient("sk_test_1", http_client=RECORDER))


def fields_of_the_library(operation: Operation, params: dict[str, Any]) -> Fields:
    """Return the fields of the library's own call, such as `client.v1.checkout.sessions.create(params)`."""
    method = METHODS[operation.method, shape(operation.path)]
    method(*ids_of(operation).values(), params=params)
    return read_fields(RECORDER.body)


def assert_alike(operation: Operation, params: dict[str, Any]) -> None:
    caller, library = (
        fields_of_the_caller(operation, params),
        fields_of_the_library(operation, params),
    )
    assert caller.count(THE_MARK) == operation.marked, caller
    if operation.marked:
        caller.remove(THE_MARK)
        library = [field for field in library if field != NO_METADATA]
    assert caller == library, params


@EVERY_OPERATION
def test_random_bodies_of_the_librarys_types_have_the_same_fields(operation: Operation) -> None:
    bodies = TypedBodies(operation.name, seed=11)
    for _ in range(BODIES):
        assert_alike(operation, in_the_types_of_a_program(bodies.valid(), bodies.random))


def in_the_types_of_a_program(value: Any, dice: random.Random) -> Any:
    """Return the value with the decimals as `Decimal`, and with some fields that are None."""
    if isinstance(value, dict):
        changed = {name: in_the_types_of_a_program(inner, dice) for name, inner in value.items()}
        return {**changed, "nothing": None} if dice.random() < 0.1 else changed
    if isinstance(value, list):
        return [in_the_types_of_a_program(inner, dice) for inner in value]
    if isinstance(value, str) and SHORT_DECIMAL.fullmatch(value):
        return Decimal(value)
    return value


HAND_CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "nothing but the required": ("product", {"name": "Tea"}),
    "no parameter at all": ("customer", {}),
    "booleans": ("product", {"name": "Tea", "active": True, "shippable": False}),
    "an empty text unsets": ("product", {"name": "Tea", "description": "", "metadata": {"a": ""}}),
    "metadata that is emptied": ("product", {"name": "Tea", "metadata": ""}),
    "None is left out": ("product", {"name": "Tea", "description": None, "metadata": {"a": None}}),
    "empty containers": ("product", {"name": "Tea", "metadata": {}, "images": [], "expand": []}),
    "a list of texts": ("product", {"name": "Tea", "images": ["https://a/1", "https://a/2"]}),
    "a list of objects": (
        "subscription",
        {"customer": "cus_1", "items": [{"price": "p", "quantity": 2}, {"price": "q"}]},
    ),
    "a list in an object in a list": (
        "subscription",
        {"customer": "cus_1", "items": [{"price": "p", "tax_rates": ["txr_1", "txr_2"]}]},
    ),
    "a list inside a list": ("product", {"name": "Tea", "odd": [["a", "b"], [["c"]], [{"d": 1}]]}),
    "a tuple": ("product", {"name": "Tea", "images": ("https://a/1",)}),
    "more than ten elements": ("product", {"name": "Tea", "images": [str(n) for n in range(12)]}),
    "decimals": ("coupon", {"percent_off": Decimal("12.50"), "duration": "once"}),
    "a small decimal": (
        "price",
        {"currency": "usd", "product": "p", "unit_amount_decimal": Decimal("0.000001")},
    ),
    "a float": ("coupon", {"percent_off": 33.3, "duration": "once"}),
    "numbers as text": ("payment_intent", {"amount": "2000", "currency": "usd"}),
    "zero and negative": ("customer", {"balance": -500, "next_invoice_sequence": 0}),
    "a large number": ("payment_intent", {"amount": 999_999_999_999, "currency": "idr"}),
    "unicode": ("product", {"name": "Grüner Tee 抹茶 🍵 é e\u0301"}),
    "signs of a form": ("product", {"name": "a&b=c+d%20e#f?g[h];i/j", "description": " \t\r\n"}),
    "signs in a name": (
        "product",
        {"name": "Tea", "metadata": {"a&b": "1", "c=d": "2", "é f": "3"}},
    ),
    "nested metadata": (
        "payment_link",
        {
            "line_items": [{"price": "p", "quantity": 1}],
            "payment_intent_data": {"metadata": {"order": "1", "note": "a b"}},
        },
    ),
    "a map with currencies": (
        "price",
        {
            "currency": "usd",
            "product": "p",
            "unit_amount": 1,
            "currency_options": {"eur": {"unit_amount": 2}, "jpy": {"unit_amount": 3}},
        },
    ),
    "numeric names": ("product", {"name": "Tea", "metadata": {"0": "a", "10": "b", "-1": "c"}}),
    "a datetime with a zone": (
        "subscription",
        {"customer": "c", "items": [{"price": "p"}], "trial_end": datetime(2030, 1, 1, tzinfo=UTC)},
    ),
    "the word now": ("subscription", {"customer": "c", "items": [], "trial_end": "now"}),
    "expand": (
        "payment_intent",
        {"amount": 1, "currency": "usd", "expand": ["customer", "review"]},
    ),
}


@pytest.mark.parametrize("case", HAND_CASES, ids=lambda case: case)
def test_a_hand_case_has_the_same_fields(case: str) -> None:
    name, params = HAND_CASES[case]
    assert_alike(create_operation(name), params)


texts = some.text(some.characters(exclude_categories=("Cs",)), max_size=8)
names = some.text("abz_019&=+ é", min_size=1, max_size=6)
scalars = (
    texts
    | some.integers(-(10**15), 10**15)
    | some.decimals(
        allow_nan=False, allow_infinity=False, places=3, min_value=-1000, max_value=1000
    )
)
values = some.recursive(
    scalars | some.booleans() | some.none(),
    lambda inner: (
        some.dictionaries(names, inner, max_size=3)
        | some.lists(scalars | some.dictionaries(names, inner, max_size=3), max_size=3)
    ),
    max_leaves=12,
)


@given(some.dictionaries(names, values, max_size=4))
@settings(deadline=None, max_examples=300)
def test_any_nested_values_have_the_same_fields(params: dict[str, Any]) -> None:
    assert_alike(create_operation("product"), {"name": "Tea", "tree": params})


DIFFERENCES: dict[str, tuple[Any, Fields, Fields]] = {
    "Stripe reads true and false, and the library writes Python's words inside a list": (
        [True, False],
        [("x[0]", "true"), ("x[1]", "false")],
        [("x[0]", "True"), ("x[1]", "False")],
    ),
    "Stripe reads unix seconds, and the library writes Python's text inside a list": (
        [datetime(2030, 1, 1, tzinfo=UTC)],
        [("x[0]", "1893456000")],
        [("x[0]", "2030-01-01 00:00:00+00:00")],
    ),
    "None has no text, and the library writes Python's word inside a list": (
        ["a", None, "b"],
        [("x[0]", "a"), ("x[1]", "b")],
        [("x[0]", "a"), ("x[1]", "None"), ("x[2]", "b")],
    ),
    "Stripe reads no exponents, and the library writes those of a Decimal": (
        Decimal("1E+3"),
        [("x", "1000")],
        [("x", "1E+3")],
    ),
    "Stripe reads no exponents, and the library writes those of a float": (
        0.00001,
        [("x", "0.00001")],
        [("x", "1e-05")],
    ),
}
"""{reason: (the value of a parameter `x`, our fields, the fields of the library)}. There are no other differences."""


@pytest.mark.parametrize("reason", DIFFERENCES, ids=lambda reason: reason)
def test_a_difference_on_purpose_is_still_one(reason: str) -> None:
    value, ours, theirs = DIFFERENCES[reason]
    product, params = create_operation("product"), {"x": value}
    assert fields_of_the_caller(product, params) == [*ours, THE_MARK]
    assert fields_of_the_library(product, params) == theirs
