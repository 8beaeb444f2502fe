"""Makes the object of a create: the fresh shape, what the caller sent, then the object's traits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
"""Fields that are never an echo, whatever a parameter is called."""


@dataclass(frozen=True, slots=True)
class CreationContext:
    """Where and when objects are made."""

    account: Account
    now: int
    naming: Naming
    find: Callable[[str], StripeObject | None]
    keep: Callable[[StripeObject], None]
    """Puts a companion (the product inside a price's `product_data`) into the account."""


def make(
    kind: str,
    params: Mapping[str, Any],
    context: CreationContext,
    also: Mapping[str, Any] | None = None,
) -> StripeObject:
    """Return the object a valid create of `kind` gives. It is not kept; its companions are.

    `also` is set last: what a refused card makes of it.
    """
    schema = response_schema(kind)
    return Maker(kind, schema, params, context).make(also or {})


class Maker:
    """One object on its way; its list elements and companions get makers of their own."""

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
        self._imagine_what_must_be_there()
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
            echoed = self._shown(fields[name], self._params[name])
            if echoed is not UNFIT:
                self._made[name] = echoed
        if isinstance(self._made.get("metadata"), dict):
            kept = {name: text for name, text in self._made["metadata"].items() if text != ""}
            self._made["metadata"] = kept

    def _shown(self, schema: Schema, given: Any) -> Any:
        if "list" in schema and isinstance(given, list) and schema["list"].get("properties"):
            return self._list(schema, given)
        return Fitter(self._context.now, self._embedded).fit(schema, given)

    def _embedded(self, schema: Schema, object_id: str) -> StripeObject:
        """The object of that id; where nobody made it, one as whole as the twin knows its kind."""
        kind = schema["embeds"]
        found = self._context.find(object_id)
        if found is not None and found["object"] == kind:
            return found
        whole = known_schema(kind)
        if whole is None:
            return {**fresh_object(schema, self._context.now), "id": object_id, "object": kind}
        given = {"id": object_id, "currency": "usd"}
        return Maker(kind, whole, given, self._context).make({})

    def _list(self, schema: Schema, given: list[Any]) -> StripeObject:
        element = schema["list"]
        kind = element["properties"].get("object", {}).get("enum", ["item"])[0]
        parent = self._made["id"]
        made = [
            Maker(kind, element, params, self._context, parent).make({})
            for params in given
            if isinstance(params, dict)
        ]
        return {"object": "list", "data": made, "has_more": False, "url": schema["url"]}

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

    def _imagine_what_must_be_there(self) -> None:
        """An item has a price, even where the caller gave none that exists."""
        fields = self._schema["properties"]
        for name in self._schema["required"]:
            field = fields[name]
            if "embeds" in field and self._made[name] is None and "null" not in types(field):
                letters = self._context.naming.letters(24)
                self._made[name] = self._embedded(field, f"{field['embeds']}_{letters}")

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
    """`id` and `object`, then the alphabet."""
    first = {"id": stripe_object.pop("id"), "object": stripe_object.pop("object")}
    return {**first, **dict(sorted(stripe_object.items()))}
