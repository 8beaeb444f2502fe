"""The three operations of every object: create, retrieve, list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paydispatch.domain.stripe.resources import Resource
from paydispatch.twin.derived.follow import follow
from paydispatch.twin.objects import cards
from paydispatch.twin.objects.factory import CreationContext, make
from paydispatch.twin.objects.lists import page, page_of
from paydispatch.twin.objects.naming import id_after
from paydispatch.twin.objects.references import check_references
from paydispatch.twin.objects.shapes import response_schema
from paydispatch.twin.objects.traits import traits_of
from paydispatch.twin.wire.errors import card_error, missing_object
from paydispatch.twin.wire.expand_paths import expand_paths
from paydispatch.twin.wire.expansion import render, tree_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from paydispatch.twin.accounts import Account
    from paydispatch.twin.objects.naming import Naming
    from paydispatch.twin.objects.store import Store, StripeObject
    from paydispatch.twin.wire.errors import StripeError
    from paydispatch.twin.wire.places import Place

    Params = Mapping[str, Any]


class Operations:
    """Creates, retrieves and lists the objects of a `Store`. Each method returns the body of the answer.

    `kinds` are the objects that the twin can create. If `strict`, a parameter may name only existing objects of them.
    """

    def __init__(
        self, store: Store, naming: Naming, kinds: Collection[str], *, strict: bool
    ) -> None:
        self._store = store
        self._naming = naming
        self._kinds = kinds
        self._strict = strict

    def create(
        self,
        account: Account,
        resource: Resource,
        params: Params,
        now: int,
        record: Callable[[StripeObject], None],
    ) -> bytes:
        """Create an object, store it, and pass it to `record`. Raises `StripeError` (400, 402)."""
        if self._strict:
            check_references(
                params, self._kinds, lambda kind, name: self._store.has(account, kind, name)
            )
        traits = traits_of(resource.name)
        refusal = cards.refusal(traits.charges, params)
        context = self._context(account, now)
        if isinstance(refusal, cards.Declined):
            raise self._decline(resource, params, context, record, refusal)
        also = {} if refusal is None else traits.unauthenticated.get("set", {})
        stripe_object = make(resource.name, params, context, also)
        text = self._keep(stripe_object, params, context)
        record(stripe_object)
        return self._render(account, stripe_object, params) or text

    def retrieve(
        self, account: Account, resource: Resource, object_id: str, params: Params
    ) -> bytes:
        """Return one object by its id. Raises `StripeError` (404, 400)."""
        stripe_object = self._store.find(account, resource.name, object_id)
        if stripe_object is None:
            raise missing_object(resource.name, object_id, param="id", status=404)
        return self._render(account, stripe_object, params) or _text(stripe_object)

    def list(self, account: Account, resource: Resource, params: Params) -> bytes:
        """Return one page of objects. Raises `StripeError` (400)."""
        schema = response_schema(resource.name)
        answer = page(self._store, account, resource, schema, params)
        return self._render_list(account, answer, params)

    def read_place(self, account: Account, place: Place, params: Params) -> bytes:
        """Return the object or the list at a place that no create fills. Raises `StripeError` (404, 400)."""
        if place.object_id is not None:
            return self._render_one(account, place, place.object_id, params)
        if place.inside is not None:
            return self._render_list(account, self._list_inside(account, place, params), params)
        return self._render_list(account, self._page_of(account, place, params), params)

    def _render_one(self, account: Account, place: Place, object_id: str, params: Params) -> bytes:
        for kind in place.kinds:
            found = self._store.find(account, kind, object_id)
            if found and all(found.get(name) == value for name, value in place.owners.items()):
                return self._render(account, found, params) or _text(found)
        raise missing_object(place.name, object_id, param="id", status=404)

    def _list_inside(self, account: Account, place: Place, params: Params) -> dict[str, Any]:
        """Return a page of a list inside an object, such as the line items of a Checkout session."""
        kind, object_id, name = place.inside or ("", "", "")
        owner = self._store.find(account, kind, object_id)
        if owner is None:
            raise missing_object(kind, object_id, param="id", status=404)
        url = f"/v1/{place.address.removeprefix('/v1/').replace('{id}', object_id)}"
        return page_of((owner.get(name) or {}).get("data", []), url, params)

    def _page_of(self, account: Account, place: Place, params: Params) -> dict[str, Any]:
        """Return a page of the objects that belong to another one, or of all."""
        self._check_owners(account, place)
        address = place.address.format(**place.owners).removeprefix("/v1/")
        pages = [
            page(
                self._store,
                account,
                Resource(kind, address),
                response_schema(kind),
                {**params, **place.owners},
            )
            for kind in place.kinds
            if len(place.kinds) == 1 or not self._store.is_empty(account, kind)
        ]
        empty = {"object": "list", "url": f"/v1/{address}", "has_more": False, "data": []}
        return pages[0] if pages else empty

    def _check_owners(self, account: Account, place: Place) -> None:
        for kind, object_id in place.owners.items():
            if not self._store.has(account, kind, object_id):
                raise missing_object(kind, object_id, param=kind, status=404)

    def _render_list(self, account: Account, answer: dict[str, Any], params: Params) -> bytes:
        tree = tree_of(expand_paths(params)).get("data", {})
        find = self._store.finder(account)
        shown = [render(stripe_object, tree, find) for stripe_object in answer["data"]]
        return _text({**answer, "data": shown})

    def _keep(self, stripe_object: StripeObject, params: Params, context: CreationContext) -> bytes:
        """Store an object and all that follow from it. Return the text of the object."""
        companions = follow(stripe_object, params, context)
        text = self._store.put(context.account, stripe_object)
        for companion in companions:
            self._store.put(context.account, companion)
        return text

    def _decline(
        self,
        resource: Resource,
        params: Params,
        context: CreationContext,
        record: Callable[[StripeObject], None],
        refusal: cards.Declined,
    ) -> StripeError:
        """Return the card error, with the object that Stripe still creates for a declined card, if any."""
        error = card_error(refusal.error)
        declined = traits_of(resource.name).declined
        if declined:
            stripe_object = make(resource.name, params, context, declined["set"])
            error.error["charge"] = id_after("ch", stripe_object)
            stripe_object[declined["reason_in"]] = dict(error.error)
            self._keep(stripe_object, params, context)
            record(stripe_object)
            error.error[declined["shown_as"]] = stripe_object
        return error

    def _render(
        self, account: Account, stripe_object: StripeObject, params: Params
    ) -> bytes | None:
        """Return the body of the answer, or None if it is the same as the stored text."""
        tree = tree_of(expand_paths(params))
        answer = render(stripe_object, tree, self._store.finder(account))
        return None if answer is stripe_object else _text(answer)

    def _context(self, account: Account, now: int) -> CreationContext:
        def keep(stripe_object: StripeObject) -> None:
            self._keep(stripe_object, {}, context)

        context = CreationContext(account, now, self._naming, self._store.finder(account), keep)
        return context


def _text(answer: StripeObject) -> bytes:
    return json.dumps(answer).encode()
