"""Parses a call: the operation or the objects that its path names, and the pairs in its query and form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.domain.stripe.operations import operation_at
from paydispatch.twin import accounts
from paydispatch.twin.faults import Facts
from paydispatch.twin.objects.collection import Collection
from paydispatch.twin.wire.errors import invalid_request, unknown_url
from paydispatch.twin.wire.forms import Pairs, read_pairs
from paydispatch.twin.wire.places import Place, find_place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.stripe.operations import Operation
    from paydispatch.twin.wire.calls import Call

JSON_REFUSED = (
    "Invalid request (check that your POST content type is application/x-www-form-urlencoded). "
    "If you have any questions, we can help at https://support.stripe.com/."
)


ACCOUNT = Collection("account", accounts.ENDPOINT)
"""The collection of `GET /v1/account`, which returns the account that a call acts for. It cannot be created."""


@dataclass(frozen=True, slots=True)
class Request:
    """A write (with its `operation`), a retrieve (with an `object_id`) or a list."""

    method: str
    path: str
    collection: Collection
    object_id: str | None
    pairs: Pairs
    idempotency_key: str | None
    place: Place | None = None
    """The place of a read beyond the objects of the table of objects."""

    operation: Operation | None = None
    ids: Mapping[str, str] = field(default_factory=dict)
    """The ids in the path of a write, by their names in the path of the operation."""

    @property
    def limited_as(self) -> str:
        """The name under which the limits count the call: its operation's, or one such as `GET /v1/prices/:id`."""
        if self.operation is not None:
            return self.operation.name
        return f"{self.method} {self.collection.endpoint}{'/:id' if self.object_id else ''}"

    def facts(self) -> Facts:
        operation = self.operation.name if self.operation else None
        is_list = self.operation is None and self.object_id is None and self.collection != ACCOUNT
        return Facts(
            self.collection.name,
            self.method,
            dict(self.pairs),
            self.idempotency_key,
            operation,
            is_list,
        )


def understand(call: Call, by_endpoint: Mapping[str, Collection]) -> Request:
    """Return the request of a call. Raises `StripeError` (404, 400)."""
    path = call.path.rstrip("/")
    if path == accounts.ENDPOINT and call.method == "GET":
        return Request(call.method, path, ACCOUNT, None, _pairs(call), None)
    if call.method != "GET":
        return _write(call, path)
    collection, object_id = _target(path, by_endpoint)
    if collection is not None:
        return Request(call.method, path, collection, object_id, _pairs(call), None)
    place = find_place(path, by_endpoint)
    if place is None:
        raise unknown_url(call.method, call.path)
    collection = Collection(place.name, place.address)
    return Request(call.method, path, collection, place.object_id, _pairs(call), None, place)


def _write(call: Call, path: str) -> Request:
    found = operation_at(call.method, path)
    if found is None:
        raise unknown_url(call.method, call.path)
    operation, ids = found
    collection = Collection(operation.object, operation.path)
    # Stripe ignores the idempotency key of a DELETE.
    key = call.headers.get("idempotency-key") if call.method == "POST" else None
    return Request(call.method, path, collection, None, _pairs(call), key, None, operation, ids)


def _target(
    path: str, by_endpoint: Mapping[str, Collection]
) -> tuple[Collection | None, str | None]:
    if path in by_endpoint:
        return by_endpoint[path], None
    endpoint, _, object_id = path.rpartition("/")
    return by_endpoint.get(endpoint), object_id


def _pairs(call: Call) -> Pairs:
    if call.method == "GET":
        return read_pairs(call.query)
    if call.body and "json" in call.headers.get("content-type", ""):
        raise invalid_request(JSON_REFUSED)
    return read_pairs(call.body.decode("utf-8", "replace")) + read_pairs(call.query)
