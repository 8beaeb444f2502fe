"""The table of Stripe objects this project can create.

An object is one row here, one generated schema in `paydispatch/schemas/` and two flows. Routes, builders, validation,
the twin and the flow names all follow from the row, so that a new object needs no other code. The table of operations
has its path and its list.
"""

from dataclasses import dataclass

from paydispatch.domain.errors import UnknownObject
from paydispatch.domain.stripe.operations import operation_named


@dataclass(frozen=True, slots=True)
class Resource:
    """One Stripe object that can be created."""

    name: str
    """Stripe's name for it, as in the `object` field of an answer: `payment_intent`."""

    @property
    def endpoint(self) -> str:
        """The path of the create, at Stripe and in our API: `/v1/payment_intents`."""
        return operation_named(self.operation).path

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


RESOURCES: tuple[Resource, ...] = (
    Resource("product"),
    Resource("price"),
    Resource("subscription"),
    Resource("payment_intent"),
    Resource("coupon"),
    Resource("customer"),
    Resource("refund"),
    Resource("invoice"),
    Resource("checkout.session"),
    Resource("payment_link"),
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
