"""Merges the parameters of an update into an object, as Stripe does.

A field that is sent replaces the field of the object. An empty one unsets it. Metadata is merged pair by pair, and an
object inside the object field by field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.objects.shapes import UNFIT, Fitter, fresh, response_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paydispatch.twin.objects.shapes import Schema
    from paydispatch.twin.objects.store import StripeObject

_NEVER_SENT = {"id", "object", "created", "livemode"}


def merge(
    stripe_object: StripeObject,
    params: Mapping[str, Any],
    now: int,
    find: Callable[[str], StripeObject | None],
) -> None:
    """Change an object to the parameters that are fields of it. Other parameters change nothing."""
    fields = response_schema(stripe_object["object"])["properties"]
    merger = _Merger(now, find)
    for name in (params.keys() & fields.keys()) - _NEVER_SENT:
        merged = merger.merge(name, fields[name], stripe_object.get(name), params[name])
        if merged is not UNFIT:
            stripe_object[name] = merged


class _Merger:
    def __init__(self, now: int, find: Callable[[str], StripeObject | None]) -> None:
        self._now = now
        self._find = find

    def merge(self, name: str, schema: Schema, old: Any, given: Any) -> Any:
        """Return the value of a field after the update, or `UNFIT` if it stays as it is."""
        if name == "metadata":
            return merge_pairs(old or {}, given or {})
        if given == "":
            return fresh(schema, self._now)
        fields = schema.get("properties")
        if isinstance(given, dict) and isinstance(old, dict) and fields is not None:
            return self._inside(fields, old, given)
        return Fitter(self._now, self._embed).fit(schema, given)

    def _inside(
        self, fields: Mapping[str, Schema], old: Mapping[str, Any], given: Mapping[str, Any]
    ) -> dict[str, Any]:
        merged = {
            name: self.merge(name, fields[name], old.get(name), given[name])
            for name in given.keys() & fields.keys()
        }
        return {**old, **{name: value for name, value in merged.items() if value is not UNFIT}}

    def _embed(self, schema: Schema, object_id: str) -> StripeObject:
        return self._find(object_id) or {"id": object_id, "object": schema["embeds"]}


def merge_pairs(old: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata after an update. An empty text unsets a pair, and no pairs at all unset every one."""
    if not given:
        return {}
    return {name: text for name, text in {**old, **given}.items() if text != ""}
