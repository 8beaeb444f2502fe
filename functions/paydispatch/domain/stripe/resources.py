"""The table of Stripe objects this project can create.

An object is one row here, one generated schema in `paydispatch/schemas/` and two flows. Routes, builders, validation,
the twin and the flow names all follow from the row, so that a new object needs no other code.
"""

from dataclasses import dataclass

from paydispatch.domain.errors import UnknownObject


@dataclass(frozen=True, slots=True)
class Resource:
    """One Stripe object that can be created."""

    name: str
    """Stripe's name for it, as in the `object` field of an answer: `payment_intent`."""

    collection: str
    """The path below `/v1` at which it is created and listed: `payment_intents`."""

    listings: tuple[str, ...] = ("",)
    """The queries that together list every object. Stripe leaves some objects out of a list by default, and does not
    document this for every list. Therefore a list that can be divided in two is read in both halves."""

    dated: bool = True
    """Whether the list can be filtered by time (`created`). If it cannot, it is read from end to end."""

    clocked_by: tuple[str, ...] = ()
    """Parameters of the create that may put the object on a test clock. Stripe lists such an object only if the list is
    filtered by one of them, and dates it by that clock."""

    unconfirmed: tuple[str, ...] = ()
    """States of an object that its create (`confirm=true`) has not confirmed yet. Stripe lists such an object before
    the create has ended. A `last_payment_error` means that the create has ended."""

    @property
    def endpoint(self) -> str:
        """The path of the create, at Stripe and in our API: `/v1/payment_intents`."""
        return f"/v1/{self.collection}"

    @property
    def identifier(self) -> str:
        """The name with an underscore for each dot: `checkout.session` is `checkout_session`."""
        return self.name.replace(".", "_")

    @property
    def operation(self) -> str:
        """The name of its create: `create_payment_intent`."""
        return create_of(self.name)

    @property
    def response_flow(self) -> str:
        return response_flow(self.name)

    @property
    def error_flow(self) -> str:
        return error_flow(self.name)


_BOTH_HALVES = ("active=true", "active=false")
_BY_CUSTOMER = ("customer", "customer_account")

RESOURCES: tuple[Resource, ...] = (
    Resource("product", "products", listings=_BOTH_HALVES),
    Resource("price", "prices", listings=_BOTH_HALVES),
    Resource("subscription", "subscriptions", listings=("status=all",), clocked_by=_BY_CUSTOMER),
    Resource(
        "payment_intent",
        "payment_intents",
        unconfirmed=("requires_confirmation", "requires_payment_method"),
    ),
    Resource("coupon", "coupons"),
    Resource("customer", "customers", clocked_by=("test_clock",)),
    Resource("refund", "refunds"),
    Resource("invoice", "invoices", clocked_by=_BY_CUSTOMER),
    Resource("checkout.session", "checkout/sessions"),
    Resource("payment_link", "payment_links", listings=_BOTH_HALVES, dated=False),
)

_BY_NAME = {resource.name: resource for resource in RESOURCES}


def resource_named(name: str) -> Resource:
    """Return the row of `name`. Raises `UnknownObject`, which lists all names."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise UnknownObject(name, known=tuple(_BY_NAME)) from None


def create_of(object_name: str) -> str:
    """Return the operation that creates an object: `create_checkout_session`."""
    return f"create_{object_name.replace('.', '_')}"


def response_flow(object_name: str) -> str:
    """Return the name of the flow for a created object: `new_create_price_response`."""
    return f"new_create_{object_name.replace('.', '_')}_response"


def error_flow(object_name: str) -> str:
    """Return the name of the flow for an object that was not or may not have been created: `new_create_price_error`."""
    return f"new_create_{object_name.replace('.', '_')}_error"
