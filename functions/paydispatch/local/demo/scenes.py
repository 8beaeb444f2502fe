"""The requests of the demo, and the flow that must run for each.

The demo causes four failures on purpose: a capture that Stripe refuses, a declined card, a connection that is reset,
and a script that raises. Everything else works as in production.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from paydispatch import (
    new_coupon,
    new_payment_intent,
    new_price,
    new_product,
    new_subscription,
)
from paydispatch.domain.identity.request_ids import follow_up_request_id
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.stripe.resources import error_flow, response_flow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paydispatch.sdk.builder import Builder
    from paydispatch.sdk.receipt import Receipt

WORKER_ID = "demo-worker"
CAPTURE = operation_named("capture_payment_intent")
CANCEL = operation_named("cancel_payment_intent")
SECRET = "sk_test_demo_only"  # noqa: S105 - the twin accepts any key of the right form # nosec B105
DEAD_LINE_S = 3.0
"""The deadline of the request with the reset connection, in seconds."""


@dataclass(frozen=True, slots=True)
class NextRequest:
    """A request that a flow dispatches, and the flow that must run for its outcome."""

    title: str
    flow: str
    error_kind: str | None = None
    follow_ups: tuple[NextRequest, ...] = ()
    """The requests that its flow dispatches, in order."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One create, and the flow that must run for its outcome."""

    title: str
    builder: Builder
    flow: str
    error_kind: str | None = None
    deadline_s: float | None = None
    follow_ups: tuple[NextRequest, ...] = ()
    """The requests that its flow dispatches, in order."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A flow that must run, and the times that the caller measured for its request."""

    title: str
    request_id: str
    flow: str
    error_kind: str | None
    returned_us: float | None = None
    """The duration of `create_async`. None for a request that a flow dispatched."""
    durable_ms: float | None = None
    """The time from the call until the queue had the request."""


@dataclass(frozen=True, slots=True)
class Shop:
    """The objects that the requests of the demo name, by their ids."""

    customer: str
    price: str


def open_shop(stripe_base: str) -> Shop:
    """Create a customer who has a card, and a monthly price. A real shop has them long before the requests."""
    customer = {
        "name": "Ada",
        "payment_method": "pm_card_visa",
        "invoice_settings[default_payment_method]": "pm_card_visa",
    }
    price = {
        "currency": "usd",
        "unit_amount": "1200",
        "recurring[interval]": "month",
        "product_data[name]": "Monthly beans",
    }
    return Shop(
        _create(f"{stripe_base}/v1/customers", customer),
        _create(f"{stripe_base}/v1/prices", price),
    )


def _create(url: str, form: dict[str, str]) -> str:
    answer = httpx.post(url, data=form, auth=(SECRET, ""), timeout=5.0)
    return str(answer.raise_for_status().json()["id"])


def scenes(order: str, shop: Shop) -> list[Scene]:
    """Return all requests of the demo. `order` makes the chosen ids of each run unique."""
    coupon = f"WELCOME-{order}"
    return [
        Scene("a product", new_product().name("Tea"), response_flow("product")),
        Scene(
            "a price",
            new_price().product_data({"name": "Coffee"}).unit_amount(450).currency("usd"),
            response_flow("price"),
        ),
        Scene(
            "a subscription",
            new_subscription().customer(shop.customer).items([{"price": shop.price}]),
            response_flow("subscription"),
        ),
        Scene(
            "a payment intent",
            new_payment_intent().amount(2000).currency("usd").customer(shop.customer),
            response_flow("payment_intent"),
        ),
        Scene(
            "a coupon",
            new_coupon().id(coupon).percent_off(20).duration("once"),
            response_flow("coupon"),
        ),
        _conversation(coupon, shop.customer),
        Scene(
            "a conversation: authorise",
            _authorise(shop.customer, {}),
            response_flow("payment_intent"),
            follow_ups=(NextRequest("… its capture", CAPTURE.response_flow),),
        ),
        Scene(
            "a capture that fails",
            _authorise(shop.customer, {"final_amount": "2500"}),
            response_flow("payment_intent"),
            follow_ups=(_refused_capture(),),
        ),
        Scene(
            "a declined card",
            new_payment_intent()
            .amount(2000)
            .currency("usd")
            .confirm(True)
            .payment_method("pm_card_chargeDeclined")
            .automatic_payment_methods({"enabled": True, "allow_redirects": "never"}),
            error_flow("payment_intent"),
            "api",
        ),
        Scene(
            "a connection that dies",
            new_payment_intent().amount(999).currency("usd").metadata({"demo": "reset"}),
            error_flow("payment_intent"),
            "http",
            deadline_s=DEAD_LINE_S,
        ),
        Scene(
            "a script that raises",
            new_product().name("Cake").metadata({"monthly_price": "a lot"}),
            error_flow("product"),
            "dispatcher",
        ),
    ]


def _conversation(coupon: str, customer: str) -> Scene:
    metadata = {"monthly_price": "1500", "customer": customer, "coupon": coupon}
    subscription = NextRequest("… its subscription", response_flow("subscription"))
    price = NextRequest("… its price", response_flow("price"), follow_ups=(subscription,))
    return Scene(
        "a conversation: product",
        new_product().name("Monthly tea").metadata(metadata),
        response_flow("product"),
        follow_ups=(price,),
    )


def _authorise(customer: str, metadata: dict[str, str]) -> Builder:
    """Return a payment whose money Stripe only reserves. The flow of its outcome captures it."""
    return (
        new_payment_intent()
        .amount(2000)
        .currency("usd")
        .customer(customer)
        .metadata(metadata)
        .capture_method("manual")
        .confirm(True)
        .payment_method("pm_card_visa")
        .automatic_payment_methods({"enabled": True, "allow_redirects": "never"})
    )


def _refused_capture() -> NextRequest:
    """Return a capture of more than the authorised amount, which Stripe refuses. Its flow cancels the payment."""
    cancel = NextRequest("… its cancel", CANCEL.response_flow)
    return NextRequest("… its capture", CAPTURE.error_flow, "api", follow_ups=(cancel,))


def break_connections(stripe_base: str) -> None:
    """Make the twin reset the connection on each attempt of a request with the metadata `demo=reset`."""
    rule = {
        "match": {"params": {"metadata[demo]": "reset"}},
        "action": {"kind": "reset", "when": "before"},
    }
    httpx.post(f"{stripe_base}/_twin/faults", json=rule, timeout=5.0).raise_for_status()


def dispatch(story: list[Scene]) -> list[Expected]:
    """Dispatch every scene through the running Dispatcher, and return the flows that must run."""
    calls = [_call(scene, number) for number, scene in enumerate(story, start=1)]
    expected = []
    for scene, receipt, started, returned_us in calls:
        receipt.wait(timeout_s=30)
        durable_ms = (time.perf_counter() - started) * 1000
        expected.append(
            Expected(
                scene.title,
                receipt.request_id,
                scene.flow,
                scene.error_kind,
                returned_us,
                durable_ms,
            )
        )
        expected.extend(_chain(scene, receipt.request_id))
    return expected


def _call(scene: Scene, number: int) -> tuple[Scene, Receipt, float, float]:
    started = time.perf_counter()
    receipt = scene.builder.create_async(
        WORKER_ID, f"demo-{number}", SECRET, deadline_s=scene.deadline_s
    )
    return scene, receipt, started, (time.perf_counter() - started) * 1_000_000


def _chain(scene: Scene | NextRequest, request_id: str) -> Iterator[Expected]:
    """Yield the flows of the requests that a flow dispatches. Their request ids are derived from the first one."""
    for ordinal, following in enumerate(scene.follow_ups, start=1):
        follow_up = follow_up_request_id(request_id, ordinal)
        yield Expected(following.title, follow_up, following.flow, following.error_kind)
        yield from _chain(following, follow_up)
