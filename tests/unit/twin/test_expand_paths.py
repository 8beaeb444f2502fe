"""`expand` accepts the fields that Stripe's answers of today have, at every depth."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import stripe as library

from paydispatch.domain.stripe.resources import RESOURCES, Resource
from paydispatch.domain.stripe.stripe_version import OLDER_API_VERSION, STRIPE_API_VERSION
from paydispatch.twin.objects.expandable import fields_of
from paydispatch.twin.wire.errors import StripeError
from paydispatch.twin.wire.expand_paths import DEEPEST, check_expand

if TYPE_CHECKING:
    from tests.unit.twin.conftest import Client

ROOT = Path(__file__).parents[3]
EVERY_OBJECT = pytest.mark.parametrize("resource", RESOURCES, ids=lambda row: row.name)


def refusal(kind: str, path: str, *, is_list: bool = False) -> str | None:
    """Return the message with which the path is refused, or None."""
    try:
        check_expand({"expand": [path]}, kind, is_list=is_list, version=STRIPE_API_VERSION)
    except StripeError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("subscription", "latest_invoice"),
        ("subscription", "latest_invoice.confirmation_secret"),
        ("subscription", "latest_invoice.payments"),
        ("subscription", "latest_invoice.payments.data.payment"),
        ("subscription", "items.data.price.product"),
        ("subscription", "pending_setup_intent"),
        ("subscription", "default_source"),
        ("invoice", "payments.data.payment.payment_intent"),
        ("payment_intent", "latest_charge.balance_transaction"),
        ("payment_intent", "customer.default_source"),
        ("refund", "charge.payment_intent"),
        ("checkout.session", "line_items.data.price.product"),
        ("customer", "invoice_settings.default_payment_method"),
        ("price", "currency_options.eur.tiers"),
    ],
)
def test_a_field_that_holds_an_object_can_be_expanded(kind: str, path: str) -> None:
    assert refusal(kind, path) is None


@pytest.mark.parametrize(
    ("kind", "path", "name"),
    [
        ("subscription", "latest_invoice.payment_intent", "payment_intent"),
        ("invoice", "payment_intent", "payment_intent"),
        ("payment_intent", "charges", "charges"),
        ("payment_intent", "latest_charge.refund", "refund"),
        ("subscription", "items.data.price.products", "products"),
        ("product", "", ""),
    ],
)
def test_a_field_that_does_not_exist_is_refused_at_any_depth(
    kind: str, path: str, name: str
) -> None:
    expected = f"This property cannot be expanded because it doesn't exist: {name}."
    assert refusal(kind, path) == expected


@pytest.mark.parametrize(
    ("kind", "path", "name"),
    [
        ("subscription", "status", "status"),
        ("subscription", "metadata.order", "metadata"),
        ("subscription", "latest_invoice.number", "number"),
        ("customer", "customer_account", "customer_account"),
    ],
)
def test_a_field_that_holds_no_object_is_refused(kind: str, path: str, name: str) -> None:
    assert refusal(kind, path) == f"This property cannot be expanded ({name})."


def test_more_than_four_levels_are_refused(stripe: Client) -> None:
    path = "latest_invoice.payments.data.payment.payment_intent"
    reply = stripe.get("/v1/subscriptions/sub_1", {"expand[]": path})
    assert (reply.status, reply.error["code"]) == (400, "property_expansion_max_depth")
    expected = f"You cannot expand more than 4 levels of a property. Property: {path}"
    assert reply.error["message"] == expected


def test_the_data_of_a_list_is_a_level() -> None:
    deep = "items.data.price.product"
    assert refusal("subscription", deep) is None
    assert "more than 4 levels" in str(refusal("subscription", "data." + deep, is_list=True))


def test_a_list_names_the_path_that_would_be_right() -> None:
    assert refusal("price", "data.product", is_list=True) is None
    assert refusal("price", "product", is_list=True) == (
        "This property cannot be expanded (product). "
        "You may want to try expanding 'data.product' instead."
    )
    assert "doesn't exist: prod." in str(refusal("price", "prod", is_list=True))


def test_a_path_that_is_not_in_a_list_is_refused(stripe: Client) -> None:
    reply = stripe.get("/v1/prices", "expand=data.product")
    assert (reply.status, reply.error["message"]) == (400, "Invalid array")
    assert reply.error["param"] == "expand"


def test_one_wrong_path_of_several_creates_nothing(stripe: Client) -> None:
    form = "amount=1&currency=usd&expand[]=customer&expand[]=latest_charge.invoice"
    reply = stripe.post("/v1/payment_intents", form)
    assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")
    assert stripe.effects() == []


def test_names_of_another_version_are_not_checked(stripe: Client) -> None:
    form = "name=Tea&expand[]=field_of_then"
    assert stripe.post("/v1/products", form).status == 400
    assert stripe.post("/v1/products", form, stripe_version=OLDER_API_VERSION).status == 200


def paths_of(value: Any, dice: random.Random) -> list[str]:
    """Return the steps of a random path of at most four levels that ends in an object."""
    steps: list[str] = []
    while len(steps) < DEEPEST:
        named = dice.choice(value) if isinstance(value, list) else value
        fields = fields_of(named) if isinstance(named, str) else named
        ways = sorted(name for name, inner in fields.items() if inner is not None)
        if not ways or (steps and dice.random() < 0.2):
            break
        name = dice.choice(ways)
        value = fields[name]
        steps.append("usd" if name == "*" else name)
    return steps


@EVERY_OBJECT
def test_every_path_of_the_librarys_types_is_accepted_and_refused_with_a_wrong_step(
    resource: Resource,
) -> None:
    dice = random.Random(resource.name)
    for _ in range(300):
        steps = paths_of(resource.name, dice)
        if not steps:
            continue
        assert refusal(resource.name, ".".join(steps)) is None, steps
        wrong = dice.randrange(len(steps))
        if steps[wrong] != "usd":
            steps[wrong] = "not_a_field"
            assert "not_a_field" in str(refusal(resource.name, ".".join(steps)))


def test_the_pinned_library_gives_the_same_file(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path[:0] = ['tools']; import twin_expandable; from pathlib import Path; "
        "twin_expandable.OUTPUT = Path(sys.argv[2]); twin_expandable.main(Path(sys.argv[1]))"
    )
    sources = Path(library.__file__).parents[1]
    written = tmp_path / "expandable.json"
    command = [sys.executable, "-c", program, str(sources), str(written)]
    subprocess.run(command, cwd=ROOT, check=True)
    own = ROOT / "functions/paydispatch/twin/objects/expandable.json"
    assert written.read_text("utf-8") == own.read_text("utf-8")
