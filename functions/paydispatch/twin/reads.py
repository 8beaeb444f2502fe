"""Answers the reads: an object by its id, and a page of a list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paydispatch.twin.objects.addresses import kinds_at
from paydispatch.twin.objects.collection import Collection
from paydispatch.twin.objects.lists import page, page_of
from paydispatch.twin.objects.shapes import response_schema
from paydispatch.twin.targets import belongs_to
from paydispatch.twin.wire.errors import missing_object
from paydispatch.twin.wire.expand_paths import expand_paths
from paydispatch.twin.wire.expansion import render, tree_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paydispatch.twin.accounts import Account
    from paydispatch.twin.objects.store import Store, StripeObject
    from paydispatch.twin.wire.places import Place

    Params = Mapping[str, Any]


def show(
    stripe_object: StripeObject, params: Params, find: Callable[[str], StripeObject | None]
) -> bytes | None:
    """Return the body of an answer, or None if it is the same as the stored text."""
    answer = render(stripe_object, tree_of(expand_paths(params)), find)
    return None if answer is stripe_object else _text(answer)


class Reads:
    """Reads the objects of a `Store`. Each method returns the body of the answer."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def retrieve(self, account: Account, kind: str, object_id: str, params: Params) -> bytes:
        """Return one object by its id. Raises `StripeError` (404)."""
        return self._show_one(account, (kind,), object_id, params, {})

    def list(self, account: Account, collection: Collection, params: Params) -> bytes:
        """Return one page of objects. Raises `StripeError` (400)."""
        schema = response_schema(collection.name)
        return self._show_list(
            account, page(self._store, account, collection, schema, params), params
        )

    def read_place(self, account: Account, place: Place, params: Params) -> bytes:
        """Return the object or the list at a place that no create has. Raises `StripeError` (404, 400)."""
        if place.object_id is not None:
            return self._show_one(account, place.kinds, place.object_id, params, place.owners)
        if place.inside is not None:
            return self._show_list(account, self._list_inside(account, place, params), params)
        return self._show_list(account, self._list_of(account, place, params), params)

    def _show_one(
        self,
        account: Account,
        kinds: tuple[str, ...],
        object_id: str,
        params: Params,
        owners: Mapping[str, str],
    ) -> bytes:
        """Return the object of one of `kinds` with this id, if it belongs to all `owners`."""
        for kind in kinds:
            found = self._store.find(account, kind, object_id)
            if found and belongs_to(found, owners):
                return show(found, params, self._store.finder(account)) or _text(found)
        if "customer" in kinds and self._store.was_deleted(account, "customer", object_id):
            return _text({"id": object_id, "object": "customer", "deleted": True})
        raise missing_object(kinds[0], object_id, param="id", status=404)

    def _show_list(self, account: Account, answer: dict[str, Any], params: Params) -> bytes:
        tree = tree_of(expand_paths(params)).get("data", {})
        find = self._store.finder(account)
        shown = [render(stripe_object, tree, find) for stripe_object in answer["data"]]
        return _text({**answer, "data": shown})

    def _list_inside(self, account: Account, place: Place, params: Params) -> dict[str, Any]:
        """Return a page of a list inside an object, such as the line items of a Checkout session."""
        kind, object_id, name = place.inside or ("", "", "")
        owner = self._store.find(account, kind, object_id)
        if owner is None:
            raise missing_object(kind, object_id, param="id", status=404)
        url = place.address.replace("{id}", object_id)
        return page_of((owner.get(name) or {}).get("data", []), url, params)

    def _list_of(self, account: Account, place: Place, params: Params) -> dict[str, Any]:
        """Return a page of the objects that belong to another one, or of all. Several kinds may stand in one list."""
        for name, object_id in place.owners.items():
            kinds = kinds_at(place.address.partition(f"/{{{name}}}")[0]) or (name,)
            if not any(self._store.has(account, kind, object_id) for kind in kinds):
                raise missing_object(kinds[0], object_id, param=name, status=404)
        url = place.address.format(**place.owners)
        pages = [
            page(
                self._store,
                account,
                Collection(kind, url),
                response_schema(kind),
                {**params, **place.owners},
            )
            for kind in place.kinds
            if place.owners.keys() <= response_schema(kind)["properties"].keys()
        ]
        return {
            "object": "list",
            "url": url,
            "has_more": any(each["has_more"] for each in pages),
            "data": [found for each in pages for found in each["data"]],
        }


def _text(answer: StripeObject) -> bytes:
    return json.dumps(answer).encode()
