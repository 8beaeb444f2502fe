"""Stripe's own Python library works with the twin as with Stripe."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import stripe

from paydispatch.domain.stripe.resources import RESOURCES, Resource, resource_named

if TYPE_CHECKING:
    from collections.abc import Iterator

CREATES = json.loads((Path(__file__).parent / "twin_creates.json").read_text("utf-8"))
"""{object: parameters of a create}. `@price` stands for the id of a price that the test creates first."""

KINDS = {resource.name for resource in RESOURCES}
EVERY_OBJECT = pytest.mark.parametrize("resource", RESOURCES, ids=lambda row: row.name)


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """A strict twin without rate limits."""
    command = (sys.executable, "-m", "paydispatch.twin", "--rate-limits", "off")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["stripe_base"]
        process.terminate()


@pytest.fixture
def client(base_url: str) -> Iterator[stripe.StripeClient]:
    transport = stripe.RequestsClient()
    yield stripe.StripeClient(
        "sk_test_conformance",
        base_addresses={"api": base_url},
        http_client=transport,
        max_network_retries=0,
    )
    transport.close()
    httpx.post(base_url + "/_twin/reset")
    httpx.put(base_url + "/_twin/rate-limits", json=dict.fromkeys(("live", "sandbox", "operation")))


def service(client: stripe.StripeClient, resource: Resource) -> Any:
    """Return the service of a resource: `client.v1.checkout.sessions` for `checkout/sessions`."""
    return reduce(getattr, resource.endpoint.split("/")[2:], client.v1)


def create(client: stripe.StripeClient, name: str) -> Any:
    params = fill_references(client, CREATES[name])
    return service(client, resource_named(name)).create(params)


def fill_references(client: stripe.StripeClient, value: Any) -> Any:
    """Replace each `@` reference by an id. Create the object if the twin can, because it accepts any other id."""
    if isinstance(value, dict):
        return {name: fill_references(client, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [fill_references(client, inner) for inner in value]
    if not isinstance(value, str) or not value.startswith("@"):
        return value
    kind = value.removeprefix("@")
    return create(client, kind).id if kind in KINDS else f"{kind}_1"


def add_fault(base_url: str, **rule: Any) -> None:
    httpx.post(base_url + "/_twin/faults", json=rule).raise_for_status()


@EVERY_OBJECT
def test_it_creates_and_retrieves_every_object(
    client: stripe.StripeClient, resource: Resource
) -> None:
    made = create(client, resource.name)
    assert made.object == resource.name
    found = service(client, resource).retrieve(made.id)
    assert type(found) is type(made)
    assert found.to_dict() == made.to_dict()


@EVERY_OBJECT
def test_it_lists_every_object_page_by_page(
    client: stripe.StripeClient, resource: Resource
) -> None:
    made = [create(client, resource.name).id for _ in range(3)]
    listed = service(client, resource).list({"limit": 2})
    assert listed.has_more
    assert [thing.id for thing in listed.auto_paging_iter()][:3] == made[::-1]


def test_a_declined_card_is_a_card_error(client: stripe.StripeClient) -> None:
    params = {**CREATES["payment_intent"], "payment_method": "pm_card_chargeDeclined"}
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_intents.create(params)
    error = declined.value
    assert (error.http_status, error.code) == (402, "card_declined")
    assert error.error is not None
    assert error.error.decline_code == "generic_decline"
    assert error.request_id


def test_a_key_with_other_parameters_is_an_idempotency_error(client: stripe.StripeClient) -> None:
    client.v1.products.create({"name": "Tea"}, {"idempotency_key": "k"})
    with pytest.raises(stripe.IdempotencyError):
        client.v1.products.create({"name": "Coffee"}, {"idempotency_key": "k"})


def test_a_wrong_parameter_is_an_invalid_request_error(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.products.create({"label": "Tea"})  # type: ignore[typeddict-item]
    assert (refused.value.param, refused.value.code) == ("label", "parameter_unknown")


def test_too_many_calls_are_a_rate_limit_error(client: stripe.StripeClient, base_url: str) -> None:
    httpx.put(base_url + "/_twin/rate-limits", json={"sandbox": 0.001})
    client.v1.products.list()
    with pytest.raises(stripe.RateLimitError) as refused:
        client.v1.products.list()
    assert refused.value.headers["Stripe-Rate-Limited-Reason"] == "global-rate"


@pytest.mark.parametrize(
    ("key", "error"),
    [("nonsense", stripe.AuthenticationError), ("pk_test_a", stripe.PermissionError)],
)
def test_a_key_that_is_no_secret_key_is_refused(
    client: stripe.StripeClient, key: str, error: type[stripe.StripeError]
) -> None:
    with pytest.raises(error):
        client.v1.products.list(options={"api_key": key})


@pytest.mark.parametrize(
    "action",
    [
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 500, "when": "after", "should_retry": True},
        {"kind": "status", "code": "lock_timeout"},
        {"kind": "reset"},
        {"kind": "lost_answer"},
    ],
    ids=lambda action: action.get("code") or f"{action['kind']} {action.get('status', '')}",
)
def test_the_librarys_own_retry_ends_with_at_most_one_effect(
    client: stripe.StripeClient, base_url: str, action: dict[str, Any]
) -> None:
    add_fault(base_url, action=action, times=1)
    retrying = {"max_network_retries": 2, "idempotency_key": "once"}
    kept_500 = action.get("when") == "after"
    if kept_500:
        with pytest.raises(stripe.APIError):
            client.v1.products.create({"name": "Tea"}, retrying)
    else:
        assert client.v1.products.create({"name": "Tea"}, retrying).name == "Tea"
    ledger = httpx.get(base_url + "/_twin/ledger").json()
    assert (len(ledger["effects"]), ledger["attempts"] > 1) == (1, True)


def test_the_library_reads_an_account_of_the_twin(client: stripe.StripeClient) -> None:
    own = client.v1.accounts.retrieve_current()
    assert isinstance(own, stripe.Account)
    assert (own.object, own.id[:5]) == ("account", "acct_")
    connected = client.v1.accounts.retrieve_current(options={"stripe_account": "acct_connected"})
    assert connected.id == "acct_connected"


def test_a_key_that_may_not_ask_for_its_account_gets_the_librarys_own_error(base_url: str) -> None:
    transport = stripe.RequestsClient()
    mute = stripe.StripeClient(
        "rk_test_conformance__mute",
        base_addresses={"api": base_url},
        http_client=transport,
        max_network_retries=0,
    )
    with pytest.raises(stripe.PermissionError):
        mute.v1.accounts.retrieve_current()
    transport.close()


def test_a_connected_account_has_objects_of_its_own(client: stripe.StripeClient) -> None:
    made = client.v1.products.create({"name": "Tea"}, {"stripe_account": "acct_connected"})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.products.retrieve(made.id)


def test_expansion_gives_the_librarys_own_object(client: stripe.StripeClient) -> None:
    params = {**fill_references(client, CREATES["price"]), "expand": ["product"]}
    price = client.v1.prices.create(params)
    assert isinstance(price.product, stripe.Product)


# Objects that follow from a create


def subscribe(client: stripe.StripeClient, **params: Any) -> stripe.Subscription:
    items = [{"price": "@price", "quantity": 2}]
    whole = fill_references(client, {"customer": "@customer", "items": items})
    return client.v1.subscriptions.create({**whole, **params})


def test_an_incomplete_subscription_gives_the_secret_that_a_page_confirms_with(
    client: stripe.StripeClient,
) -> None:
    expand = ["latest_invoice.confirmation_secret", "latest_invoice.payments"]
    made = subscribe(client, payment_behavior="default_incomplete", expand=expand)
    invoice = made.latest_invoice
    assert isinstance(invoice, stripe.Invoice)
    assert (made.status, invoice.status) == ("incomplete", "open")
    assert invoice.confirmation_secret is not None
    assert invoice.confirmation_secret.type == "payment_intent"
    assert invoice.payments is not None
    (payment,) = invoice.payments.data
    assert isinstance(payment, stripe.InvoicePayment)
    intent = client.v1.payment_intents.retrieve(str(payment.payment.payment_intent))
    assert intent.client_secret == invoice.confirmation_secret.client_secret
    assert client.v1.invoice_payments.retrieve(payment.id).to_dict() == payment.to_dict()


def test_the_invoice_of_a_subscription_is_fetched_with_its_payment_intent(
    client: stripe.StripeClient,
) -> None:
    made = subscribe(client, default_payment_method="pm_card_visa")
    expand = ["payments.data.payment.payment_intent"]
    invoice = client.v1.invoices.retrieve(str(made.latest_invoice), {"expand": expand})
    assert invoice.payments is not None
    intent = invoice.payments.data[0].payment.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    assert client.v1.charges.retrieve(str(intent.latest_charge)).paid
    lines = client.v1.invoices.line_items.list(invoice.id)
    assert [line.quantity for line in lines.auto_paging_iter()] == [2]
    assert [item.id for item in made["items"].auto_paging_iter()] == [made["items"].data[0].id]
    (item,) = client.v1.subscription_items.list({"subscription": made.id}).data
    assert item.price == client.v1.prices.retrieve(item.price.id)


def test_a_trial_gives_a_setup_intent(client: stripe.StripeClient) -> None:
    made = subscribe(client, trial_period_days=7, expand=["pending_setup_intent"])
    assert isinstance(made.pending_setup_intent, stripe.SetupIntent)
    found = client.v1.setup_intents.retrieve(made.pending_setup_intent.id)
    assert found.client_secret == made.pending_setup_intent.client_secret


def test_a_payment_gives_a_charge_and_its_refund_a_balance_transaction(
    client: stripe.StripeClient,
) -> None:
    expand = ["latest_charge.balance_transaction", "payment_method"]
    intent = client.v1.payment_intents.create({**CREATES["payment_intent"], "expand": expand})
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert isinstance(charge.balance_transaction, stripe.BalanceTransaction)
    assert isinstance(intent.payment_method, stripe.PaymentMethod)
    refund = client.v1.refunds.create({"charge": charge.id, "expand": ["payment_intent"]})
    assert isinstance(refund.payment_intent, stripe.PaymentIntent)
    entry = client.v1.balance_transactions.retrieve(str(refund.balance_transaction))
    assert (entry.source, entry.amount) == (refund.id, -2000)
    listed = client.v1.charges.list({"payment_intent": intent.id})
    assert [found.id for found in listed.data] == [charge.id]


def test_a_session_and_a_payment_link_list_their_line_items(client: stripe.StripeClient) -> None:
    session, link = create(client, "checkout.session"), create(client, "payment_link")
    for listed in (
        client.v1.checkout.sessions.line_items.list(session.id),
        client.v1.payment_links.line_items.list(link.id),
    ):
        assert [type(item) for item in listed.auto_paging_iter()] == [stripe.LineItem]


def test_a_customer_has_the_payment_method_and_the_card_of_its_create(
    client: stripe.StripeClient,
) -> None:
    made = client.v1.customers.create({"payment_method": "pm_card_visa", "source": "tok_amex"})
    (method,) = client.v1.customers.payment_methods.list(made.id).data
    assert client.v1.payment_methods.retrieve(method.id).customer == made.id
    card = client.v1.customers.payment_sources.retrieve(made.id, str(made.default_source))
    assert isinstance(card, stripe.Card)


# Expansion


@pytest.mark.parametrize(
    ("name", "expand", "message"),
    [
        ("subscription", "latest_invoice.payment_intent", "because it doesn't exist"),
        ("payment_intent", "charges", "because it doesn't exist"),
        ("product", "name", "This property cannot be expanded (name)."),
        ("price", "product.default_price.product.default_price.product", "more than 4 levels"),
    ],
)
def test_a_path_that_stripe_cannot_expand_is_an_invalid_request_error(
    client: stripe.StripeClient, name: str, expand: str, message: str
) -> None:
    params = {**fill_references(client, CREATES[name]), "expand": [expand]}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        service(client, resource_named(name)).create(params)
    assert message in str(refused.value)


def test_a_list_expands_below_its_data(client: stripe.StripeClient) -> None:
    create(client, "price")
    (price,) = client.v1.prices.list({"expand": ["data.product"]}).data
    assert isinstance(price.product, stripe.Product)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.prices.list({"expand": ["product"]})
    assert "'data.product'" in str(refused.value)


# Errors, replays, pages


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ({"kind": "status", "status": 400}, stripe.InvalidRequestError),
        ({"kind": "status", "status": 401}, stripe.AuthenticationError),
        ({"kind": "status", "status": 403}, stripe.PermissionError),
        ({"kind": "status", "status": 404}, stripe.InvalidRequestError),
        ({"kind": "status", "status": 429}, stripe.RateLimitError),
        ({"kind": "status", "status": 500}, stripe.APIError),
        ({"kind": "status", "status": 503}, stripe.APIError),
        ({"kind": "not_json"}, stripe.APIError),
        ({"kind": "reset"}, stripe.APIConnectionError),
        ({"kind": "cut_off"}, stripe.APIConnectionError),
    ],
    ids=lambda case: case.get("status", case["kind"]) if isinstance(case, dict) else case.__name__,
)
def test_a_fault_is_the_librarys_error_of_that_kind(
    client: stripe.StripeClient,
    base_url: str,
    action: dict[str, Any],
    error: type[stripe.StripeError],
) -> None:
    add_fault(base_url, action=action, times=1)
    with pytest.raises(error):
        client.v1.products.create({"name": "Tea"})


@EVERY_OBJECT
def test_an_id_that_does_not_exist_is_an_invalid_request_error(
    client: stripe.StripeClient, resource: Resource
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        service(client, resource).retrieve("gone_1")
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


@EVERY_OBJECT
def test_a_repeat_with_the_same_key_answers_the_same_object(
    client: stripe.StripeClient, base_url: str, resource: Resource
) -> None:
    params = fill_references(client, CREATES[resource.name])
    key = {"idempotency_key": f"once {resource.name}"}
    first, again = (service(client, resource).create(params, key) for _ in range(2))
    assert again.to_dict() == first.to_dict()
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert again.last_response.headers["Original-Request"] == first.last_response.request_id
    effects = httpx.get(base_url + f"/_twin/ledger?object={resource.name}").json()["effects"]
    assert [effect["id"] for effect in effects].count(first.id) == 1


def test_auto_pagination_sees_each_object_once_in_both_directions(
    client: stripe.StripeClient,
) -> None:
    made = [client.v1.coupons.create({"percent_off": 5}).id for _ in range(25)]
    newest_first = client.v1.coupons.list({"limit": 10})
    assert [coupon.id for coupon in newest_first.auto_paging_iter()] == made[::-1]
    oldest_up = client.v1.coupons.list({"limit": 10, "ending_before": made[0]})
    assert [coupon.id for coupon in oldest_up.auto_paging_iter()] == made[1:]


def test_the_library_lists_and_fetches_events(client: stripe.StripeClient) -> None:
    product = client.v1.products.create({"name": "Tea"}, {"idempotency_key": "events-1"})
    client.v1.products.update(product.id, {"name": "Mate"}, {"idempotency_key": "events-2"})
    asked: Any = {"types": ["product.created", "product.updated"], "created": {"gte": 1}}
    events = client.v1.events.list({**asked, "limit": 1})
    found = list(events.auto_paging_iter())
    assert [event.type for event in found] == ["product.updated", "product.created"]
    assert [event.request and event.request.idempotency_key for event in found] == [
        "events-2",
        "events-1",
    ]
    assert found[0].data.to_dict()["previous_attributes"] == {"name": "Tea"}
    fetched = client.v1.events.retrieve(found[1].id)
    assert fetched.data.object["name"] == "Tea"
