"""Builds the object of a create from its empty schema, then the caller's parameters, then the object's traits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.twin.objects.addresses import address_of
from paydispatch.twin.objects.naming import id_after
from paydispatch.twin.objects.on_request import fields_on_request
from paydispatch.twin.objects.shapes import (
    UNFIT,
    Fitter,
    fresh_object,
    known_schema,
    response_schema,
    types,
)
from paydispatch.twin.objects.traits import Scope, Traits, holds, traits_of, value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paydispatch.twin.accounts import Account
    from paydispatch.twin.objects.naming import Naming
    from paydispatch.twin.objects.shapes import Schema
    from paydispatch.twin.objects.store import StripeObject

_OURS = ("id", "object", "created", "livemode")
"""Fields that the twin sets itself, also when a parameter has the same name."""


_STAND_IN_AMOUNT = 1000
"""The price of a product that no create has priced, in the smallest unit of its currency."""


@dataclass(frozen=True, slots=True)
class CreationContext:
    """The account, the time and the functions that creating an object needs."""

    account: Account
    now: int
    naming: Naming
    find: Callable[[str], StripeObject | None]
    keep: Callable[[StripeObject], None]
    """Stores a companion object in the account, such as the product in a price's `product_data`."""

    change: Callable[[StripeObject], None]
    """Stores a changed object in the place of the one with its id."""

    def new_id(self, prefix: str, owner: StripeObject) -> str:
        """Return the id of an object that follows from `owner`: its own ending, if no other object has it yet."""
        wanted = id_after(prefix, owner)
        return wanted if self.find(wanted) is None else f"{prefix}_{self.naming.letters(24)}"


def make(
    kind: str,
    params: Mapping[str, Any],
    context: CreationContext,
    also: Mapping[str, Any] | None = None,
) -> StripeObject:
    """Return the object that a valid create of `kind` makes. Stores its companions, but not the object itself.

    The values of `also` are set last, and override all others. A refused card uses them.
    """
    schema = response_schema(kind)
    return Maker(kind, schema, params, context).make(also or {})


def complete(kind: str, fields: Mapping[str, Any], context: CreationContext) -> StripeObject:
    """Return an object of `kind` with these fields. The others have the values of fields that are not set."""
    schema = response_schema(kind)
    stamps = {"created": context.now, "livemode": context.account.livemode}
    known = {name: stamp for name, stamp in stamps.items() if name in schema["properties"]}
    empty = fresh_object(schema, context.now)
    return _in_stripes_order({**empty, **known, **fields, "object": kind})


class Maker:
    """Builds one object. Each list element and each companion has a `Maker` of its own."""

    def __init__(
        self,
        kind: str,
        schema: Schema,
        params: Mapping[str, Any],
        context: CreationContext,
        parent: str = "",
    ) -> None:
        self._kind = kind
        self._schema = schema
        self._traits: Traits = traits_of(kind)
        self._context = context
        self._names = {"parent": parent, "mode": context.account.mode}
        self._params = self._with_defaults(params)
        self._made: StripeObject = {}

    def make(self, also: Mapping[str, Any]) -> StripeObject:
        self._made["id"] = self._params.get("id") or self._value(self._traits.id)
        self._made["object"] = self._kind
        self._made = {**self._made, **fresh_object(self._schema, self._context.now), **self._made}
        self._stamp()
        self._echo()
        self._make_companions()
        self._fill_required_objects()
        self._apply_traits()
        self._set(also)
        return _in_stripes_order(self._made)

    def _with_defaults(self, params: Mapping[str, Any]) -> dict[str, Any]:
        whole = {**self._traits.defaults, **params}
        for name, inner in self._traits.inside.items():
            if isinstance(whole.get(name), dict):
                whole[name] = {**inner, **whole[name]}
        return whole

    def _stamp(self) -> None:
        stamps = {
            "created": self._context.now,
            "updated": self._context.now,
            "livemode": self._context.account.livemode,
            "metadata": {},
        }
        known = self._schema["properties"]
        self._made.update({name: stamp for name, stamp in stamps.items() if name in known})

    def _echo(self) -> None:
        fields = self._schema["properties"]
        for name in [name for name in fields if name in self._params and name not in _OURS]:
            echoed = self._fit(name, fields[name], self._params[name])
            if echoed is not UNFIT:
                self._made[name] = echoed
        if isinstance(self._made.get("metadata"), dict):
            kept = {name: text for name, text in self._made["metadata"].items() if text != ""}
            self._made["metadata"] = kept

    def _fit(self, name: str, schema: Schema, given: Any) -> Any:
        if "list" in schema and isinstance(given, list) and schema["list"].get("properties"):
            return self._list(name, schema, given)
        return Fitter(self._context.now, self._embed).fit(schema, given)

    def _embed(self, schema: Schema, object_id: str) -> StripeObject:
        """Return the object with that id. If there is none, make one as complete as the schema of its kind allows."""
        kind = schema["embeds"]
        found = self._context.find(object_id)
        if found is not None and found["object"] == kind:
            hidden = fields_on_request(kind)
            return {name: value for name, value in found.items() if name not in hidden}
        whole = known_schema(kind)
        if whole is None:
            return {**fresh_object(schema, self._context.now), "id": object_id, "object": kind}
        given = {"id": object_id, "currency": "usd", "unit_amount": _STAND_IN_AMOUNT}
        return Maker(kind, whole, given, self._context).make({})

    def _list(self, name: str, schema: Schema, given: list[Any]) -> StripeObject:
        element = schema["list"]
        kind = element["properties"].get("object", {}).get("enum", ["item"])[0]
        parent = self._made["id"]
        made = [
            Maker(kind, element, params, self._context, parent).make({})
            for params in given
            if isinstance(params, dict)
        ]
        url = f"{address_of(self._kind)}/{parent}/{name}"
        return {"object": "list", "data": made, "has_more": False, "url": url}

    def _make_companions(self) -> None:
        for param, companion in self._traits.makes.items():
            given = self._params.get(param)
            if isinstance(given, dict):
                more = self._value(companion.get("with", {}))
                made = make(companion["object"], {**given, **more}, self._context)
                self._context.keep(made)
                self._refer(companion["as"], made)

    def _refer(self, field: str, made: StripeObject) -> None:
        embedded = "embeds" in self._schema["properties"].get(field, {})
        self._made[field] = made if embedded else made["id"]

    def _fill_required_objects(self) -> None:
        """Make each required embedded object that is missing, such as the price of an item."""
        fields = self._schema["properties"]
        for name in self._schema["required"]:
            field = fields[name]
            if "embeds" in field and self._made[name] is None and "null" not in types(field):
                letters = self._context.naming.letters(24)
                self._made[name] = self._embed(field, f"{field['embeds']}_{letters}")

    def _apply_traits(self) -> None:
        self._set(self._traits.set)
        for case in self._traits.cases:
            if holds(case["when"], self._params):
                self._set(case["set"])

    def _set(self, values: Mapping[str, Any]) -> None:
        for name, template in values.items():
            self._made[name] = self._value(template)

    def _value(self, template: Any) -> Any:
        scope = Scope(
            self._params,
            self._made,
            self._names,
            self._context.now,
            self._context.naming.letters,
            self._context.find,
        )
        return value(template, scope)


def _in_stripes_order(stripe_object: StripeObject) -> StripeObject:
    """Sort the fields like Stripe: `id` and `object` first, then by name."""
    first = {"id": stripe_object.pop("id"), "object": stripe_object.pop("object")}
    return {**first, **dict(sorted(stripe_object.items()))}
