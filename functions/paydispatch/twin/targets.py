"""Finds the objects that the path of a write names: the object that it acts on, and those to which that one belongs.

/v1/customers/{customer}/tax_ids/{id}     acts on a tax id, which belongs to a customer
/v1/quotes/{quote}/accept                 acts on a quote
/v1/customers/{customer}/tax_ids          makes a tax id for a customer
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from paydispatch.twin.derived.payment_methods import is_test_card
from paydispatch.twin.objects.addresses import answered_kinds, kinds_at
from paydispatch.twin.objects.factory import complete, make
from paydispatch.twin.objects.shapes import response_schema
from paydispatch.twin.wire.errors import missing_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.stripe.operations import Operation
    from paydispatch.twin.objects.factory import CreationContext
    from paydispatch.twin.objects.store import AccountObjects, StripeObject


@dataclass(frozen=True, slots=True)
class Named:
    """An object that a path names."""

    field: str
    """The name of its id in the path, which is also the field of an object that belongs to it."""

    kinds: tuple[str, ...]
    object_id: str


def named_in(operation: Operation, ids: Mapping[str, str]) -> list[Named]:
    """Return the objects that the path of a write names, in the order of the path."""
    words = operation.path.split("/")
    named = []
    for position, word in enumerate(words):
        if word.startswith("{"):
            kinds = kinds_at("/".join(words[:position])) or answered_kinds(operation)
            named.append(Named(word[1:-1], kinds, ids[word[1:-1]]))
    return named


class Targets:
    """Finds the objects of one account. If not `strict`, an object that does not exist is made up."""

    def __init__(self, objects: AccountObjects, context: CreationContext, *, strict: bool) -> None:
        self._objects = objects
        self._context = context
        self._strict = strict

    def find(
        self,
        named: Named,
        owners: Mapping[str, str],
        beforehand: Mapping[str, Any] = MappingProxyType({}),
    ) -> StripeObject:
        """Return the object. One that is made up has the fields `beforehand`. Raises `StripeError` (404)."""
        for kind in named.kinds:
            found = self._objects.find(kind, named.object_id)
            if found is not None and belongs_to(found, owners):
                return found
        if is_test_card(named.object_id) and "payment_method" in named.kinds:
            return complete("payment_method", {"id": named.object_id}, self._context)
        if self._strict:
            raise _missing(named)
        return self._make_up(named, {**beforehand, **owners})

    def _make_up(self, named: Named, given: Mapping[str, Any]) -> StripeObject:
        known = response_schema(named.kinds[0])["properties"]
        fields = {name: value for name, value in given.items() if name in known}
        return put(named.kinds[0], {**fields, "id": named.object_id}, self._context)


def put(kind: str, fields: Mapping[str, Any], context: CreationContext) -> StripeObject:
    """Make an object with these fields, and store it. Raises `StripeError` (400) if its id is taken."""
    params = {"id": fields["id"]} if fields.get("id") else {}
    made = {**make(kind, params, context), **fields, **params}
    context.keep(made)
    return made


def belongs_to(stripe_object: StripeObject, owners: Mapping[str, str]) -> bool:
    """Return whether each owner that is a field of the object has the id there."""
    return all(
        stripe_object[name] == value for name, value in owners.items() if name in stripe_object
    )


def _missing(named: Named) -> Exception:
    param = named.field if named.field == "intent" else "id"
    return missing_object(named.kinds[0], named.object_id, param=param, status=404)
