"""Stripe's own library performs every operation of the table against a strict twin.

The objects that a path names are put there first, in a state that allows the operation. An operation that the library
does not have is sent by its raw request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.integration.library_methods import library_methods, shape
from tests.integration.twin_process import KEY, a_client, a_strict_twin
from tests.smallest_params import smallest_params

from paydispatch.domain.stripe.operations import Operation, all_operations
from paydispatch.domain.stripe.resources import RESOURCES
from paydispatch.twin.life_cycles.beforehand import BEFOREHAND
from paydispatch.twin.objects.addresses import answered_kinds
from paydispatch.twin.targets import named_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    import stripe

OURS = {resource.name for resource in RESOURCES}
EVERY_OPERATION = pytest.mark.parametrize("operation", all_operations(), ids=lambda row: row.name)
STATES: dict[str, dict[str, Any]] = {
    "create_refund": {
        "status": "succeeded",
        "amount": 2000,
        "amount_received": 2000,
        "currency": "usd",
    },
}
"""The fields of an object that a parameter names, by the operation."""

OWNERS: dict[str, dict[str, Any]] = {
    "create_charge_refund": {"amount": 2000, "amount_captured": 2000, "currency": "usd"},
}
"""The fields of the object to which a new one belongs, by the operation."""

_OF_A_CHARGE = ("update_charge_dispute", "close_charge_dispute")


@pytest.fixture(scope="module")
def control() -> Iterator[httpx.Client]:
    """A client for the control API of a strict twin."""
    with a_strict_twin() as base_url:
        headers = {"Authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=base_url + "/_twin/", headers=headers) as control:
            yield control


@pytest.fixture(scope="module")
def client(control: httpx.Client) -> Iterator[stripe.StripeClient]:
    with a_client(str(control.base_url.join("/"))[:-1]) as client:
        yield client


@pytest.fixture(scope="module")
def methods(client: stripe.StripeClient) -> Any:
    return library_methods(client)


class Factory:
    """Puts objects into the twin, so that an operation finds them."""

    def __init__(self, control: httpx.Client, operation: Operation) -> None:
        self._control = control
        self._operation = operation.name
        self._named = named_in(operation, dict.fromkeys(operation.path_names, ""))

    def ids(self) -> list[str]:
        """Put the objects there that the path names. Return their ids in the order of the path."""
        states = {**OWNERS, **BEFOREHAND}
        owners: dict[str, Any] = {}
        for each in self._named:
            state = states.get(self._operation, {}) if each is self._named[-1] else {}
            owners[each.field] = self._put(each.kinds[0], {**state, **owners})
        if self._operation in _OF_A_CHARGE:
            self._put("dispute", owners)
        return list(owners.values())

    def fill(self, value: Any) -> Any:
        """Replace each reference to one of the ten objects by the id of one. Other ids may be of any text."""
        if isinstance(value, dict):
            return {name: self.fill(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.fill(inner) for inner in value]
        kind = str(value).removeprefix("@")
        is_reference = str(value).startswith("@") and kind in OURS
        return self._put(kind, STATES.get(self._operation, {})) if is_reference else value

    def _put(self, kind: str, fields: dict[str, Any]) -> str:
        made = self._control.post("objects", json={"object": kind, **fields})
        assert made.status_code == 200, made.text
        object_id: str = made.json()["id"]
        return object_id


@EVERY_OPERATION
def test_the_library_performs_it_once(
    client: stripe.StripeClient, methods: Any, control: httpx.Client, operation: Operation
) -> None:
    control.post("reset")
    factory = Factory(control, operation)
    ids, params = factory.ids(), factory.fill(smallest_params(operation))
    answer = perform(client, methods, operation, ids, params)
    assert answer["object"] in answered_kinds(operation)
    (effect,) = control.get("ledger").json()["effects"]
    assert (effect["operation"], effect["id"]) == (operation.name, answer.get("id"))


def perform(
    client: stripe.StripeClient,
    methods: Any,
    operation: Operation,
    ids: list[str],
    params: dict[str, Any],
) -> dict[str, Any]:
    """Perform an operation with the method of the library, or else by a raw request."""
    method = methods.get((operation.method, shape(operation.path)))
    assert (method is not None) == ("library" in operation.sources)
    if method is not None:
        answer: dict[str, Any] = method(*ids, params=params).to_dict()
        return answer
    endpoint = operation.endpoint(dict(zip(operation.path_names, ids, strict=True)))
    raw = client.raw_request(operation.method.lower(), endpoint, **params)
    return client.deserialize(raw, api_mode="V1").to_dict()
