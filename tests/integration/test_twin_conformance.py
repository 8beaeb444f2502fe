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
    return reduce(getattr, resource.collection.split("/"), client.v1)


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
